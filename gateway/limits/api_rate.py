"""Rate limit and daily quota of API keys."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import KeyRateLimited, QuotaExhausted
from gateway.keys.key import Key
from gateway.keys.quotas import Quotas
from gateway.limits.sliding_window import SlidingWindow

MAX_KEYS = 50_000


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """The state of a key after one call: of its rate limit or its quota, whichever has fewer calls left.

    Attributes:
        limit: calls per minute or per day; 0 for a key without a limit.
        remaining: calls left, as far as this worker knows.
        reset_s: seconds until more calls are accepted.
        refusal: the error for a call that was not accepted; None for one that was.
    """

    limit: int = 0
    remaining: int = 0
    reset_s: int = 0
    refusal: KeyRateLimited | QuotaExhausted | None = None

    def check(self) -> None:
        """Raise the refusal, if there is one.

        Raises:
            KeyRateLimited, QuotaExhausted: the call was not accepted; with the seconds until one is.
        """
        if self.refusal is not None:
            raise self.refusal

    @property
    def headers(self) -> dict[str, str]:
        """The ``RateLimit-*`` headers (draft-ietf-httpapi-ratelimit-headers-06); none for a key without a limit."""
        if not self.limit:
            return {}
        fields = {"Limit": self.limit, "Remaining": self.remaining, "Reset": self.reset_s}
        return {f"RateLimit-{name}": str(number) for name, number in fields.items()}


class ApiRateLimiter:
    """Counts the calls of API keys.

    Args:
        quotas: the daily quotas of the keys.
        workers: the number of workers among which a key's rate limit is divided.
        clock: Unix seconds.
    """

    def __init__(self, quotas: Quotas, workers: int = 1, clock: Callable[[], float] = time.time) -> None:
        self._quotas = quotas
        self._workers = workers
        self._clock = clock
        self._window = SlidingWindow(MAX_KEYS, clock)

    def spend(self, key: Key) -> RateLimitStatus:
        """Count one call against the rate limit, then the quota; a call over the rate limit uses no quota.

        Raises:
            DatabaseDown: the quota could not be read.
        """
        statuses = []
        for limit, spend in ((key.per_minute, self._minute), (key.per_day, self._day)):
            if limit:
                statuses.append(status := spend(key))
                if status.refusal:
                    return status
        return min(statuses, key=lambda status: status.remaining, default=RateLimitStatus())

    def _minute(self, key: Key) -> RateLimitStatus:
        hit = self._window.hit(key.name, max(1, key.per_minute // self._workers))
        if not hit.accepted:
            return RateLimitStatus(
                key.per_minute, 0, hit.reset_s, KeyRateLimited(f"{key.name}: per minute", hit.reset_s)
            )
        return RateLimitStatus(key.per_minute, hit.remaining, hit.reset_s)

    def _day(self, key: Key) -> RateLimitStatus:
        remaining = self._quotas.spend(key.name, key.per_day)
        reset_s = self._quotas.reset_s()
        if remaining is None:
            return RateLimitStatus(key.per_day, 0, reset_s, QuotaExhausted(f"{key.name}: per day", reset_s))
        return RateLimitStatus(key.per_day, remaining, reset_s)
