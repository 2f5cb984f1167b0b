"""All that grows: measured, printed, and drawn into the documents."""

import sys
import time
from collections.abc import Callable

from bench.growth import connections, streams, urls
from bench.growth.figure import Figure
from bench.live import ROOT
from bench.results import circumstances, note
from bench.speed.servers import Unavailable

CHARTS = ROOT / "docs" / "charts"
MEASURES: tuple[Callable[[], Figure], ...] = (
    connections.redirects,
    connections.images,
    streams.measure,
    urls.measure,
)


def run() -> None:
    """Measure, print the tables, draw the charts, and write the tables into ``bench/results.md``."""
    said, lines = circumstances(), list[str]()
    for measure in MEASURES:
        begun_at = time.perf_counter()
        told = _measured(measure)
        print("\n".join(told))
        print(f"{time.perf_counter() - begun_at:.0f} s", file=sys.stderr)
        lines += told
    note("How cost grows", said, lines[:-1])


def _measured(measure: Callable[[], Figure]) -> list[str]:
    try:
        figure = measure()
    except Unavailable as missing:
        return [f"Left out: {missing}", ""]
    (CHARTS / f"{figure.name}.svg").write_text(figure.chart.svg(), encoding="utf-8")
    return [*figure.markdown(), ""]
