"""A circuit breaker: leave the provider alone after several failures in a row, and as long as it asks for that."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from gateway.errors import ProviderBusy, ProviderPaused
from gateway.metrics import Metrics

FAILURES_IN_A_ROW = 5
PAUSE_S = 15.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """What stands against asking the provider, and since when, in Unix seconds."""

    what: Literal["paused after failures", "asks to be left alone", "refuses our key"]
    since: float


class Breaker:
    """Closed until five failures in a row; then open for 15 s; then one call tries, and its outcome decides.

    Beside that, a provider that says when to come again is not asked before, by nobody and for no file.

    Args:
        clock: monotonic seconds.
        metrics: is told when it opens and closes.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, metrics: Metrics | None = None) -> None:
        self._clock = clock
        self._metrics = metrics or Metrics()
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until = self._busy_until = 0.0
        self._since: dict[str, float] = {}

    @property
    def is_open(self) -> bool:
        """Whether calls are refused right now."""
        return self._failures >= FAILURES_IN_A_ROW and self._clock() < self._open_until

    @property
    def trouble(self) -> Trouble | None:
        """What stands against asking the provider, as far as is known here."""
        with self._lock:
            if self.is_open:
                return Trouble("paused after failures", self._since["failed"])
            if self._clock() < self._busy_until:
                return Trouble("asks to be left alone", self._since["busy"])
            if "refused" in self._since:
                return Trouble("refuses our key", self._since["refused"])
            return None

    def admit(self) -> None:
        """Let a call pass.

        Raises:
            ProviderBusy: the provider asked to be left alone; says for how many seconds.
            ProviderPaused: the breaker is open; says for how many seconds.
        """
        with self._lock:
            left = self._busy_until - self._clock()
            if left > 0:
                raise ProviderBusy("it asked to be left alone", retry_after_s=max(1, round(left)))
            left = self._open_until - self._clock()
            if self._failures < FAILURES_IN_A_ROW:
                return
            if left > 0:
                raise ProviderPaused("the breaker is open", retry_after_s=max(1, round(left)))
            self._open_until = self._clock() + PAUSE_S  # this call tries; the others go on waiting for what it finds

    def succeeded(self) -> None:
        """Note a call that the provider answered, whatever it said of the image."""
        with self._lock:
            self._close()
            self._since.clear()

    def refused(self) -> None:
        """Note that the provider does not take our key: a fault of ours, that no pause mends."""
        with self._lock:
            self._close()
            self._since.setdefault("refused", time.time())

    def busy(self, seconds: float) -> None:
        """Note that the provider asks not to be asked for so many seconds."""
        with self._lock:
            self._close()
            if self._clock() >= self._busy_until:
                self._since["busy"] = time.time()
            self._busy_until = max(self._busy_until, self._clock() + seconds)

    def failed(self) -> None:
        """Note a failure of the provider's own: 5xx, 455, a timeout, no connection."""
        with self._lock:
            self._failures += 1
            self._open_until = self._clock() + PAUSE_S
            if self._failures == FAILURES_IN_A_ROW:
                self._since["failed"] = time.time()
                self._metrics.breaker_opened(is_open=True)

    def _close(self) -> None:
        if self._failures >= FAILURES_IN_A_ROW:
            self._metrics.breaker_opened(is_open=False)
        self._failures = 0
