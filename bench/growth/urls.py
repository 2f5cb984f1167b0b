"""What it takes to find the source of a file, with ever more of them in the store."""

import json
import subprocess
import sys
from collections.abc import Callable
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from bench.growth.figure import Figure, Series
from tests.support.procfile_gateway import ROOT

COUNTS = (1_000, 100_000, 1_000_000)


def measure() -> Figure:
    """Resolve with each of the counts: first from the database, then from memory."""
    first, again = zip(*map(ask, COUNTS), strict=True)
    series = (
        _series("asked for first, p95", first, _p95),
        _series("asked for first, median", first, median),
        _series("again, p95", again, _p95),
        _series("again, median", again, median),
    )
    return Figure("Resolving a URL whose file is kept", "URLs in the store", "µs", series, digits=1)


def ask(count: int) -> tuple[list[float], list[float]]:
    """Ask for URLs of a store with so many, as a worker would, and tell the seconds that each took first and again."""
    with TemporaryDirectory(prefix="bench-") as folder:
        command = [sys.executable, "-m", "bench.growth.asked", str(count), folder]
        told = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    first, again = json.loads(told)
    return first, again


def _series(name: str, taken: tuple[list[float], ...], figure: Callable[[list[float]], float]) -> Series:
    microseconds = (figure(seconds) * 1e6 for seconds in taken)
    return Series(name, tuple(zip(COUNTS, microseconds, strict=True)))


def _p95(seconds: list[float]) -> float:
    return quantiles(seconds, n=20)[-1]
