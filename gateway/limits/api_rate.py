"""What a key has left: calls in this minute, and calls on this day."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import KeyRateLimited, QuotaExhausted
from gateway.keys.key import Key
from gateway.keys.quotas import Quotas
from gateway.limits.sliding_window import SlidingWindow

MOST_KEYS = 50_000


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """What is left, of whichever of minute and day ends sooner.

    Attributes:
        limit: how many calls the key may make; 0 when it has no limit.
        remaining: how many are left, as far as this worker knows.
        reset_s: seconds until there are more.
        refusal: why the call could not be spent; None when it was.
    """

    limit: int = 0
    remaining: int = 0
    reset_s: int = 0
    refusal: KeyRateLimited | QuotaExhausted | None = None

    def check(self) -> None:
        """See to it that the call was spent.

        Raises:
            KeyRateLimited, QuotaExhausted: it could not be; says after how many seconds one can.
        """
        if self.refusal is not None:
            raise self.refusal

    @property
    def headers(self) -> dict[str, str]:
        """How a client is told (draft-ietf-httpapi-ratelimit-headers-06); nothing when there is no limit."""
        if not self.limit:
            return {}
        told = {"Limit": self.limit, "Remaining": self.remaining, "Reset": self.reset_s}
        return {f"RateLimit-{name}": str(number) for name, number in told.items()}


class ApiRateLimiter:
    """Spends the calls of keys.

    Args:
        quotas: the days of the keys.
        workers: how many share the minute of a key; each has its part, and counts for itself.
        clock: Unix seconds.
    """

    def __init__(self, quotas: Quotas, workers: int = 1, clock: Callable[[], float] = time.time) -> None:
        self._quotas = quotas
        self._workers = workers
        self._clock = clock
        self._window = SlidingWindow(MOST_KEYS, clock)

    def spend(self, key: Key) -> RateLimitStatus:
        """Take one call from the key's minute, then one from its day; what the minute refuses costs the day nothing.

        Raises:
            DatabaseDown: the day could not be looked up.
        """
        api_rate = []
        for limit, spend in ((key.per_minute, self._minute), (key.per_day, self._day)):
            if limit:
                api_rate.append(allowance := spend(key))
                if allowance.refusal:
                    return allowance
        return min(api_rate, key=lambda allowance: allowance.remaining, default=RateLimitStatus())

    def _minute(self, key: Key) -> RateLimitStatus:
        hit = self._window.hit(key.name, max(1, key.per_minute // self._workers))
        if not hit.accepted:
            return RateLimitStatus(
                key.per_minute, 0, hit.reset_s, KeyRateLimited(f"{key.name}: per minute", hit.reset_s)
            )
        return RateLimitStatus(key.per_minute, hit.remaining, hit.reset_s)

    def _day(self, key: Key) -> RateLimitStatus:
        left = self._quotas.spend(key.name, key.per_day)
        reset_s = self._quotas.reset_s()
        if left is None:
            return RateLimitStatus(key.per_day, 0, reset_s, QuotaExhausted(f"{key.name}: per day", reset_s))
        return RateLimitStatus(key.per_day, left, reset_s)
