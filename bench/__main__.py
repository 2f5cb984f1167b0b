"""``python -m bench [name …]``: the benchmarks of these names, or all of them; or cases of ``speed`` by theirs."""

import signal
import sys
from functools import partial

from bench import links, memory, profile, records
from bench.growth import report as growth
from bench.speed import run as speed
from bench.table import heading

BENCHMARKS = {
    "speed": speed.run,
    "growth": growth.run,
    "profile": profile.run,
    "links": links.run,
    "memory": memory.run,
    "records": records.run,
}
CASES = {name: partial(speed.run_cases, [name]) for name in speed.CASES}


def main(names: list[str]) -> None:
    """Run the benchmarks one after the other."""
    known = BENCHMARKS | CASES
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"bench: no benchmark is named {unknown[0]!r}; choose from {', '.join(known)}")
    for stop in (signal.SIGINT, signal.SIGTERM):  # as an exit, so that what was started is stopped, and files go
        signal.signal(stop, lambda number, _frame: sys.exit(128 + number))
    print(heading())
    for name in names or BENCHMARKS:
        print(f"\n{name}")
        known[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
