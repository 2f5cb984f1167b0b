"""The circuit breaker of the provider's API: no calls after several failures in a row, or before ``Retry-After``."""

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
    """A problem of the provider, and since when in Unix seconds."""

    what: str
    since: float


Failure = Literal[
    "fails", "is in maintenance", "does not respond in time", "cannot be reached", "sends invalid responses"
]


class CircuitBreaker:
    """Opens after five failures in a row, for 15 s; then one trial call closes it or opens it again.

    It also rejects calls until the time that a ``Retry-After`` of the provider names.

    Args:
        clock: monotonic seconds.
        metrics: counts state changes.

    Attributes:
        has_outcome: whether any call has ended.
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
        """Whether the breaker rejects calls because of failures."""
        return self._failures >= FAILURES_IN_A_ROW and self._clock() < self._open_until

    @property
    def status(self) -> ProviderStatus | None:
        """The current problem of the provider; None if the last call succeeded."""
        with self._lock:
            if self.is_open:
                return ProviderStatus(f"paused after failures ({self._last_failure})", self._since["failed"])
            if self._clock() < self._busy_until:
                return ProviderStatus("limits the rate of calls", self._since["busy"])
            if self._last_failure:
                return ProviderStatus(self._last_failure, self._since["failing"])
            if "refused" in self._since:
                return ProviderStatus("rejects the API key", self._since["refused"])
            return None

    def check(self) -> None:
        """Check that a call is allowed.

        Raises:
            ProviderBusy: the provider's ``Retry-After`` is not over.
            ProviderPaused: the breaker is open.
        """
        with self._lock:
            remaining_s = self._busy_until - self._clock()
            if remaining_s > 0:
                raise ProviderBusy("the provider limits the rate", retry_after_s=max(1, round(remaining_s)))
            remaining_s = self._open_until - self._clock()
            if self._failures < FAILURES_IN_A_ROW:
                return
            if remaining_s > 0:
                raise ProviderPaused("the breaker is open", retry_after_s=max(1, round(remaining_s)))
            self._open_until = self._clock() + PAUSE_S  # this call is the trial; others are rejected

    def succeeded(self) -> None:
        """Record a valid response, also if it reports an error of the image."""
        with self._lock:
            self._close()
            self._set_failure(None)
            self._since.clear()

    def auth_failed(self) -> None:
        """Record that the provider rejects the API key; a pause does not help."""
        with self._lock:
            self._close()
            self._set_failure(None)
            self._since.setdefault("refused", time.time())

    def garbled(self) -> None:
        """Record a response outside the contract; a pause does not help."""
        with self._lock:
            self._close()
            self._set_failure("sends invalid responses")

    def defer_for(self, seconds: float) -> None:
        """Reject calls for this many seconds, as the provider requests."""
        with self._lock:
            self._close()
            self._set_failure(None)
            if self._clock() >= self._busy_until:
                self._since["busy"] = time.time()
            self._busy_until = max(self._busy_until, self._clock() + seconds)

    def failed(self, failure: Failure = "fails") -> None:
        """Record a failure of the provider: 5xx, 455, a timeout, no connection."""
        with self._lock:
            self.has_outcome = True
            self._set_failure(failure)
            self._failures += 1
            self._open_until = self._clock() + PAUSE_S
            if self._failures == FAILURES_IN_A_ROW:
                self._since["failed"] = time.time()
                self._metrics.set_breaker(is_open=True)

    def _close(self) -> None:
        if self._failures >= FAILURES_IN_A_ROW:
            self._metrics.set_breaker(is_open=False)
        self._failures = 0
        self.has_outcome = True

    def _set_failure(self, failure: Failure | None) -> None:
        if failure != self._last_failure:
            self._since["failing"] = time.time()
        self._last_failure = failure
