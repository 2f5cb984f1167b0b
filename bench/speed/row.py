"""A line of the table, and the table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from statistics import median

Figures = Mapping[str, Sequence[float]]
OURS = "ours"


@dataclass(frozen=True, slots=True)
class Row:
    """A case and how it went; each in words, empty where there is none.

    Attributes:
        case: what was done.
        ours: the gateway's figure.
        peer: who it is compared with, and the figure.
        ratio: ours to the peer's.
        reach: what is to be reached.
        verdict: ``holds``, ``MISSES``, or why it was skipped; empty where nothing is to be reached.
    """

    case: str
    ours: str = ""
    peer: str = ""
    ratio: str = ""
    reach: str = ""
    verdict: str = ""


def judged(case: str, figure: str, reach: str, *, holds: bool) -> Row:
    """A row without a peer."""
    return Row(case, figure, reach=reach, verdict=verdict(holds=holds))


def compared(case: str, figures: Figures, peer: str, unit: str, least: float = 0) -> Row:
    """A row of figures that were taken in turns; larger ones are better.

    Args:
        case: what was done.
        figures: of each round, by name.
        peer: the name of whom ours are compared with.
        unit: of the figures.
        least: the ratio to be reached; 0 for none.
    """
    ratio = median(one / other for one, other in zip(figures[OURS], figures[peer], strict=True))
    ours, theirs = (f"{median(figures[name]):,.0f} {unit}" for name in (OURS, peer))
    reach = f"≥ {least:g}" if least else ""
    return Row(case, ours, f"{peer}: {theirs}", f"{ratio:.2f}", reach, verdict(holds=ratio >= least) if least else "")


def in_turns(contenders: Mapping[str, Callable[[], float]], rounds: int) -> Figures:
    """Take the figure of each, round by round, so that a busy moment of the machine meets all; once more to warm up."""
    for measure in contenders.values():
        measure()
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, measure in contenders.items():
            figures[name].append(measure())
    return figures


def verdict(*, holds: bool) -> str:
    """The word for it."""
    return "holds" if holds else "MISSES"


def table(rows: Sequence[Row]) -> str:
    """All rows as a table of Markdown whose columns are aligned for reading as it is."""
    lines = [tuple(Row.__slots__), *(astuple(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    head, *body = ("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join((head, rule, *body))
