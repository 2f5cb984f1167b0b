"""A circuit breaker: leave the provider alone after several failures in a row, and as long as it asks for that."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from gateway.errors import ProviderBusy, ProviderPaused
from gateway.observability.metrics import Metrics

FAILURES_IN_A_ROW = 5
PAUSE_S = 15.0


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """What stands against asking the provider, and since when, in Unix seconds."""

    what: str
    since: float


# What a call that failed says of the provider.
Failure = Literal["fails", "is in maintenance", "does not answer in time", "cannot be reached", "answers nonsense"]


class CircuitBreaker:
    """Closed until five failures in a row; then open for 15 s; then one call tries, and its outcome decides.

    Beside that, a provider that says when to come again is not asked before, by nobody and for no file.

    Args:
        clock: monotonic seconds.
        metrics: is told when it opens and closes.

    Attributes:
        has_outcome: whether any call has ended, so that something is known of the provider.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, metrics: Metrics | None = None) -> None:
        self._clock = clock
        self._metrics = metrics or Metrics()
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until = self._busy_until = 0.0
        self._since: dict[str, float] = {}
        self._last_failure: Failure | None = None
        self.has_outcome = False

    @property
    def is_open(self) -> bool:
        """Whether calls are refused right now."""
        return self._failures >= FAILURES_IN_A_ROW and self._clock() < self._open_until

    @property
    def status(self) -> ProviderStatus | None:
        """What the last calls said against the provider; None when the last one was answered well."""
        with self._lock:
            if self.is_open:
                return ProviderStatus(f"paused after failures ({self._last_failure})", self._since["failed"])
            if self._clock() < self._busy_until:
                return ProviderStatus("asks to be left alone", self._since["busy"])
            if self._last_failure:
                return ProviderStatus(self._last_failure, self._since["failing"])
            if "refused" in self._since:
                return ProviderStatus("refuses our key", self._since["refused"])
            return None

    def check(self) -> None:
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
            self._note_failure(None)
            self._since.clear()

    def auth_failed(self) -> None:
        """Note that the provider does not take our key: a fault of ours, that no pause mends."""
        with self._lock:
            self._close()
            self._note_failure(None)
            self._since.setdefault("refused", time.time())

    def garbled(self) -> None:
        """Note an answer that is none of the contract's: no pause mends that either."""
        with self._lock:
            self._close()
            self._note_failure("answers nonsense")

    def defer_for(self, seconds: float) -> None:
        """Note that the provider asks not to be asked for so many seconds."""
        with self._lock:
            self._close()
            self._note_failure(None)
            if self._clock() >= self._busy_until:
                self._since["busy"] = time.time()
            self._busy_until = max(self._busy_until, self._clock() + seconds)

    def failed(self, failure: Failure = "fails") -> None:
        """Note a failure of the provider's own: 5xx, 455, a timeout, no connection."""
        with self._lock:
            self.has_outcome = True
            self._note_failure(failure)
            self._failures += 1
            self._open_until = self._clock() + PAUSE_S
            if self._failures == FAILURES_IN_A_ROW:
                self._since["failed"] = time.time()
                self._metrics.breaker_opened(is_open=True)

    def _close(self) -> None:
        if self._failures >= FAILURES_IN_A_ROW:
            self._metrics.breaker_opened(is_open=False)
        self._failures = 0
        self.has_outcome = True

    def _note_failure(self, failure: Failure | None) -> None:
        if failure != self._last_failure:
            self._since["failing"] = time.time()
        self._last_failure = failure
