"""A circuit breaker: after several failures in a row, leave the provider alone for a moment."""

import threading
import time
from collections.abc import Callable

from gateway.errors import ProviderPaused

FAILURES_IN_A_ROW = 5
PAUSE_S = 15.0


class Breaker:
    """Closed until five failures in a row; then open for 15 s; then one call tries, and its outcome decides.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether calls are refused right now."""
        return self._failures >= FAILURES_IN_A_ROW and self._clock() < self._open_until

    def admit(self) -> None:
        """Let a call pass.

        Raises:
            ProviderPaused: the breaker is open; says for how many seconds.
        """
        with self._lock:
            left = self._open_until - self._clock()
            if self._failures < FAILURES_IN_A_ROW:
                return
            if left > 0:
                raise ProviderPaused("the breaker is open", retry_after_s=max(1, round(left)))
            self._open_until = self._clock() + PAUSE_S  # this call tries; the others go on waiting for what it finds

    def succeeded(self) -> None:
        """Note a call that the provider answered, whatever the answer."""
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        """Note a failure of the provider's own: 5xx, 455, a timeout, no connection."""
        with self._lock:
            self._failures += 1
            self._open_until = self._clock() + PAUSE_S
