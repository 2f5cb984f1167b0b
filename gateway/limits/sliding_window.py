"""A sliding-window counter: the events of a key in the last sixty seconds."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.cache import MemoryCache

WINDOW_S = 60
_ROUNDING_S = 0.01  # rounding error of floating-point Unix seconds


@dataclass(frozen=True, slots=True)
class Hit:
    """The outcome of one event.

    Attributes:
        accepted: whether the event was counted.
        remaining: further events that are accepted now.
        reset_s: whole seconds until one more event than ``remaining`` is accepted.
    """

    accepted: bool
    remaining: int
    reset_s: int


class SlidingWindow:
    """Counts events by key. Events of the previous minute count by the share of it that is within sixty seconds.

    The least recently used keys are evicted; a call takes constant time.

    Args:
        max_keys: the most keys in memory.
        clock: Unix seconds.
    """

    def __init__(self, max_keys: int, clock: Callable[[], float] = time.time) -> None:
        self._counts: MemoryCache[tuple[float, int, int]] = MemoryCache(max_keys, clock)
        self._clock = clock

    def hit(self, key: str, limit: int) -> Hit:
        """Count one event of a key, unless it had ``limit`` events in the last sixty seconds."""
        minute, elapsed_s = divmod(self._clock(), WINDOW_S)
        counted_in, before, now = self._counts.get((key,)) or (minute, 0, 0)
        if counted_in != minute:
            before, now = now if counted_in == minute - 1 else 0, 0
        counted = int(before * (1 - elapsed_s / WINDOW_S) + now)
        accepted = counted < limit
        if accepted:
            now, counted = now + 1, counted + 1
            self._counts.put((key,), (minute, before, now), (minute + 2) * WINDOW_S)
        return Hit(accepted, limit - counted if accepted else 0, _seconds_until_below(counted, before, now, elapsed_s))


def _seconds_until_below(target: int, before: int, now: int, elapsed_s: float) -> int:
    """Whole seconds until fewer than ``target`` events are counted, without further events."""
    if now < target and before:
        wait_s = WINDOW_S * (1 - (target - now) / before) - elapsed_s
    else:  # in the next minute, when events of this one leave the window
        wait_s = WINDOW_S - elapsed_s + (WINDOW_S * (1 - target / now) if now else 0)
    return max(1, math.floor(wait_s + _ROUNDING_S) + 1)
