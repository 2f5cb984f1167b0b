"""Runs the cases, prints the table, and writes it down."""

import sys
import time
from collections.abc import Callable, Sequence

from bench.results import circumstances, note
from bench.speed import costs, redirects, streams
from bench.speed.peers.versions import versions
from bench.speed.row import Row, table
from bench.speed.servers import Unavailable
from bench.speed.stage import Stage, stage

CASES: dict[str, Callable[[Stage], list[Row]]] = {
    "redirects": redirects.warm,
    "large": streams.large,
    "images": streams.images,
    "stored": streams.again,
    "first-byte": streams.first_byte,
    "cold": redirects.cold,
    "slow": costs.memory,
    "start": costs.start,
    "mint": costs.mint,
}


def run() -> None:
    """Run all cases, and write ``bench/results.md``."""
    said = [*circumstances(), *versions().splitlines()]
    note("Beside others", said, table(run_cases(tuple(CASES))).splitlines())


def run_cases(names: Sequence[str]) -> list[Row]:
    """Run these cases, and print the table."""
    rows = []
    with stage() as shared:
        for name in names:
            begun_at = time.perf_counter()
            try:
                rows += CASES[name](shared)
            except Unavailable as reason:
                rows.append(Row(name, verdict=f"skipped: {reason}"))
            print(f"{name}: {time.perf_counter() - begun_at:.0f} s", file=sys.stderr)  # minutes are long
    print(table(rows))
    return rows
