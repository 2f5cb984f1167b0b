"""Measure everything that grows, and print its tables."""

import sys
import time
from collections.abc import Callable

from bench.growth import connections, streams, urls
from bench.growth.figure import Figure
from bench.results import circumstances, note
from bench.speed.servers import Unavailable

MEASURES: tuple[Callable[[], Figure], ...] = (
    connections.redirects,
    connections.images,
    streams.measure,
    urls.measure,
)


def run() -> None:
    """Measure, print the tables, and write them into ``bench/results.md``."""
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
        return [*measure().markdown(), ""]
    except Unavailable as missing:
        return [f"Left out: {missing}", ""]
