"""A sliding-window counter: how many events a key had in the last sixty seconds."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.cache import MemoryCache

WINDOW_S = 60
_ROUNDING_S = 0.01  # what sums of seconds since 1970 may be off


@dataclass(frozen=True, slots=True)
class Hit:
    """The outcome of one event.

    Attributes:
        accepted: whether the event was counted.
        remaining: how many more events are accepted now.
        reset_s: whole seconds until one more event than now is accepted.
    """

    accepted: bool
    remaining: int
    reset_s: int


class SlidingWindow:
    """Counts events by key. Of the minute before, as much counts as is still within sixty seconds.

    Only so many keys are kept, those used last, and each costs the same however many there are: an IPv6 network has
    addresses without end.

    Args:
        most_keys: how many keys are kept.
        clock: Unix seconds.
    """

    def __init__(self, most_keys: int, clock: Callable[[], float] = time.time) -> None:
        self._counts: MemoryCache[tuple[float, int, int]] = MemoryCache(most_keys, clock)
        self._clock = clock

    def hit(self, key: str, limit: int) -> Hit:
        """Count one event of a key, unless ``limit`` events are counted in its last sixty seconds."""
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
    """Whole seconds until fewer than ``target`` events are counted, if none is added."""
    if now < target and before:
        wait_s = WINDOW_S * (1 - (target - now) / before) - elapsed_s
    else:  # in the next minute, when those of this one begin to leave the window
        wait_s = WINDOW_S - elapsed_s + (WINDOW_S * (1 - target / now) if now else 0)
    return max(1, math.floor(wait_s + _ROUNDING_S) + 1)
