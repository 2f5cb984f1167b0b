"""Runs the cases, prints the table, and writes it down."""

import os
import sys
import time
from collections.abc import Callable, Sequence

from bench.live import ROOT
from bench.speed import costs, redirects, streams
from bench.speed.peers.versions import versions
from bench.speed.row import Row, table
from bench.speed.servers import Unavailable
from bench.speed.stage import Stage, stage
from bench.table import heading

RESULTS = ROOT / "bench" / "results.md"
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
    load = f"{os.getloadavg()[0]:.1f}"
    said = f"{heading()}\n{versions()}\nLoad of the machine before: {load}"
    RESULTS.write_text(results(said, run_cases(tuple(CASES))), encoding="utf-8")


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


def results(said: str, rows: Sequence[Row]) -> str:
    """The text of ``bench/results.md``: what was said of the machine and the versions, line by line, and the table."""
    lines = "\n".join(f"- {line}" for line in said.splitlines())
    return f"# What `make bench` found\n\n{lines}\n\n{table(rows)}\n"
