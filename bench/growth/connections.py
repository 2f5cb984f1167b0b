"""What one worker answers, and passes on, with ever more connections at once."""

from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Literal

from bench.growth.figure import Figure, Series
from bench.speed.origin import IMAGES
from bench.speed.stage import Stage, stage
from tests.support.load_generator import Load, Measured

COUNTS = (1, 8, 64, 512)
LEAD_S, SECONDS, ROUNDS = 0.5, 0.75, 3
WARM_AT_ONCE = 64
_STATUS = {"redirect": 302, "stream": 200}
Asked = tuple[int, list[bytes]]  # the port, and the requests


def redirects() -> Figure:
    """Redirects whose direct URL is known, beside the least that Flask can answer on the same worker."""
    with stage() as here, here.floor(Path()) as floor:
        links = _links(here, "redirect")
        contenders = {"the gateway": (here.gateway.port, links), "Flask's bare 302, same worker": (floor.port, links)}
        series = _series(here, contenders, 302, lambda measured: measured.per_second)
    return Figure("Warm redirects by one worker", "connections at once", "redirects/s", series)


def images() -> Figure:
    """Images of 200 KB from a plain origin, beside nginx."""
    with stage() as here:
        nginx = here.peer("nginx")  # and the origin with it
        contenders = {
            "the gateway": (here.gateway.port, _links(here, "stream")),
            "nginx proxy_pass, one worker": (nginx.port, [nginx.visit(here.site.url(name)) for name in IMAGES]),
        }
        series = _series(here, contenders, 200, lambda measured: measured.mb_per_second)
    return Figure("Images of 200 KB streamed by one worker", "connections at once", "MB/s", series)


def _links(here: Stage, mode: Literal["redirect", "stream"]) -> list[bytes]:
    """As many links as there will be connections, as nobody may open one file often at once.

    Each was followed once, so that the provider is not asked any more.
    """
    urls = [here.site.url(name) for name in IMAGES]
    links = [
        here.visit(f"task{number}", urls[number % len(urls)], mode, f"link{number}") for number in range(COUNTS[-1])
    ]
    here.ask(Load(here.gateway.port, links, WARM_AT_ONCE, count=len(links)), _STATUS[mode])
    return links


def _series(
    here: Stage, contenders: Mapping[str, Asked], status: int, figure: Callable[[Measured], float]
) -> tuple[Series, ...]:
    """The median of each one's figures for each of the counts; they take turns."""

    def measure(port: int, requests: list[bytes], count: int) -> float:
        measured = here.load.run(Load(port, requests, count, seconds=SECONDS, lead_s=LEAD_S))
        if measured.broken or measured.statuses:  # of so many at once, perhaps none is whole yet
            measured.check(status)
        return figure(measured)

    points: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for count in COUNTS:
        rounds = [[measure(*asked, count) for asked in contenders.values()] for _ in range(ROUNDS)]
        for name, figures in zip(contenders, zip(*rounds, strict=True), strict=True):
            points[name].append((count, median(figures)))
    return tuple(Series(name, tuple(of_one)) for name, of_one in points.items())
