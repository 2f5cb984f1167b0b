"""What the benchmarks share: fair samples, and the shape of what is printed."""

import os
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from statistics import median

LIBRARIES = ("gunicorn", "gevent", "Flask", "urllib3", "itsdangerous", "SQLAlchemy", "psycopg")


def heading() -> str:
    """The date, the machine, and the versions that the figures are true of."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    machine = f"{platform.system()} {platform.machine()}, {cores} cores, Python {platform.python_version()}"
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return f"{datetime.now(UTC):%Y-%m-%d}, {machine}\n{libraries}"


def side_by_side(
    one: Callable[[], object], other: Callable[[], object], calls: int, rounds: int
) -> tuple[float, float]:
    """Time two calls: the medians of samples that take turns, so that a busy moment of the machine meets both."""
    samples = [(microseconds(one, calls), microseconds(other, calls)) for _ in range(rounds)]
    return median(sample[0] for sample in samples), median(sample[1] for sample in samples)


def print_columns(name: str, one: str, other: str) -> None:
    """Print the head of a table of times."""
    print(f"{name:30}{one:>16}{other:>16}{'ratio':>10}")


def print_times(name: str, one: float, other: float) -> None:
    """Print a row of it: two times in microseconds, and how many times the one the other is."""
    print(f"{name:30}{one:13,.1f} µs{other:13,.1f} µs{other / one:10.2f}")


def microseconds(call: Callable[[], object], calls: int) -> float:
    """Time a call: so many of them in a row, in microseconds each."""
    begun_at = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - begun_at) / calls * 1e6
