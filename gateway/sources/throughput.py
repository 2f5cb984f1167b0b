"""An origin that drips is one that failed: the least rate, over the time spent waiting for it."""

import time
from collections.abc import Callable

from gateway.errors import OriginTimeout

RATE_WINDOW_S = 30.0
LEAST_RATE = 8 * 1024


class MinThroughputReader:
    """Reads from an origin and holds it to 8 KiB/s. The time that a visitor takes does not count.

    Args:
        read: reads at most so many bytes; empty at the end.
        clock: monotonic seconds.
    """

    __slots__ = ("_clock", "_got", "_read", "_waited_s")

    def __init__(self, read: Callable[[int], bytes], clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._waited_s, self._got = 0.0, 0

    def read(self, amount: int) -> bytes:
        """Read what is there, at most ``amount`` bytes; empty at the end.

        Raises:
            OriginTimeout: less than 8 KiB/s came over the last 30 s of waiting.
        """
        asked_at = self._clock()
        part = self._read(amount)
        self._waited_s += self._clock() - asked_at
        self._got += len(part)
        if self._waited_s >= RATE_WINDOW_S:
            if self._got < RATE_WINDOW_S * LEAST_RATE:
                raise OriginTimeout("the origin is slower than 8 KiB/s")
            self._waited_s, self._got = 0.0, 0
        return part
