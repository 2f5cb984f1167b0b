"""A redirect whose direct URL is known, beside the least that Flask can answer on the same worker."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path

from bench.speed.origin import IMAGES
from bench.speed.provider import count as calls
from bench.speed.row import OURS, Row, compared, in_turns, judged
from bench.speed.stage import Stage
from tests.support.load_generator import Load

CONNECTIONS, SECONDS, ROUNDS = 16, 0.5, 7
FRESH = 10_000  # links, more than are followed in that time
LEAST = 0.65


def warm(stage: Stage) -> list[Row]:
    """The same links again and again; and links of which each is followed once."""
    with stage.floor(Path()) as floor:
        numbers = count()
        links = [_link(stage, number) for number in range(len(IMAGES))]

        def fresh() -> float:
            return follow(stage.gateway.port, [_link(stage, next(numbers)) for _ in range(FRESH)])

        def follow(port: int, visits: Sequence[bytes]) -> float:
            return stage.ask(Load(port, visits, CONNECTIONS, seconds=SECONDS), 302).per_second

        contenders: dict[str, Callable[[], float]] = {
            OURS: partial(follow, stage.gateway.port, links),
            "fresh": fresh,
            "Flask's bare 302": partial(follow, floor.port, links),
        }
        figures = in_turns(contenders, ROUNDS)
    once_each = dict(figures) | {OURS: figures["fresh"]}
    return [
        compared("warm redirect, all checks", figures, "Flask's bare 302", "/s", LEAST),
        compared("the same, every link followed once", once_each, "Flask's bare 302", "/s"),
    ]


def cold(stage: Stage) -> list[Row]:
    """A thousand visitors at once, on a file that is not known."""
    return [_stampede(stage, workers) for workers in (1, 2)]


def _stampede(stage: Stage, workers: int) -> Row:
    visitors = 1000
    with stage.running_gateway(workers=workers) as gateway:
        before = calls(stage.calls)
        stage.ask(Load(gateway.port, [_link(stage, 0)], visitors, count=visitors), 302)
        called = calls(stage.calls) - before
    case = f"provider calls for {visitors:,} cold clicks, {workers} worker{'s' * (workers > 1)}"
    return judged(case, f"{called}", f"≤ {workers}", holds=1 <= called <= workers)


def _link(stage: Stage, number: int) -> bytes:
    name = IMAGES[number % len(IMAGES)]
    return stage.visit(f"task-{name}", stage.site.url(name), "redirect", f"link-{number}")
