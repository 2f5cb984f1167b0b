"""``python -m bench [name …]``: the benchmarks of these names, or all of them."""

import signal
import sys

from bench import links, memory, records
from bench.table import heading

BENCHMARKS = {"links": links.run, "memory": memory.run, "records": records.run}


def main(names: list[str]) -> None:
    """Run the benchmarks one after the other."""
    if unknown := [name for name in names if name not in BENCHMARKS]:
        sys.exit(f"bench: no benchmark is named {unknown[0]!r}; choose from {', '.join(BENCHMARKS)}")
    for stop in (signal.SIGINT, signal.SIGTERM):  # as an exit, so that what was started is stopped, and files go
        signal.signal(stop, lambda number, _frame: sys.exit(128 + number))
    print(heading())
    for name in names or BENCHMARKS:
        print(f"\n{name}")
        BENCHMARKS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
