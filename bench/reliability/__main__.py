"""``python -m bench.reliability [name …]``: these trials, or all of them. The exit status is 1 when one fails."""

import signal
import sys
import time
from collections.abc import Callable

from bench.reliability import addresses, floods, heals, hostile, locked, request_floods, restarts, visitors
from bench.reliability.row import Row, print_rows
from bench.table import heading

TRIALS: dict[str, Callable[[], list[Row]]] = {
    "heals": heals.run,
    "visitors": visitors.run,
    "hostile": hostile.run,
    "restarts": restarts.run,
    "addresses": addresses.run,
    "floods": floods.run,
    "locked": locked.run,
    "request_floods": request_floods.run,
}


def main(names: list[str]) -> int:
    """Run the trials one after the other."""
    if unknown := [name for name in names if name not in TRIALS]:
        sys.exit(f"bench.reliability: no trial is named {unknown[0]!r}; choose from {', '.join(TRIALS)}")
    for stop in (signal.SIGINT, signal.SIGTERM):  # as an exit, so that what was started is stopped, and files go
        signal.signal(stop, lambda number, _frame: sys.exit(128 + number))
    print(heading())
    everything: list[Row] = []
    for name in names or TRIALS:
        begun_at = time.monotonic()
        rows = TRIALS[name]()
        print(f"\n{name}, {time.monotonic() - begun_at:.0f} s")
        print_rows(rows)
        everything += rows
    return 0 if all(row.holds for row in everything) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
