"""Retry the opening of a source until the first byte, under one deadline."""

import random
import time
from collections.abc import Callable

from gateway.errors import (
    GatewayError,
    OriginFailed,
    OriginGone,
    OriginNotFound,
    OriginRefused,
    OriginTimeout,
    OriginUnreachable,
)
from gateway.sources.base import Source

DEADLINE_S = 16.0  # after the request: an attempt takes up to 12 s, and routers of platforms give up after 30 s
PAUSES_S = (0.1, 0.4)
FRESH_S = 10.0
DEAD = (OriginRefused, OriginNotFound, OriginGone)  # the errors of an expired or deleted direct URL
TRANSIENT = (OriginFailed, OriginTimeout, OriginUnreachable)

# Arguments: the expired source, its error, and the seconds that remain. Returns a new source, or raises.
Renew = Callable[[Source, GatewayError, float], Source]


class OpeningRetries:
    """The retries of one download before its first byte: two of a failing origin, and one with a new direct URL.

    Args:
        source: the first to try.
        renew: replaces an expired direct URL.
        requested_at: monotonic seconds.
    """

    __slots__ = ("_deadline", "_pauses_s", "_renew", "_renewed", "source")

    def __init__(self, source: Source, renew: Renew, requested_at: float) -> None:
        self.source = source
        self._renew = renew
        self._renewed = False
        self._deadline = requested_at + DEADLINE_S
        self._pauses_s = iter(PAUSES_S)

    def recover(self, failure: GatewayError) -> None:
        """Prepare the next attempt: pause, or replace the source.

        Raises:
            GatewayError: ``failure`` when it is not retried, or the error of the replacement.
        """
        if isinstance(failure, DEAD):
            # A direct URL that failed just after it was issued would fail again.
            failed_when_new = self.source.info is None and time.monotonic() - self.source.made_at < FRESH_S
            if self._renewed or failed_when_new:
                raise failure
            self._renewed = True
            self.source = self._renew(self.source, failure, self._deadline - time.monotonic())
        elif isinstance(failure, TRANSIENT):
            pause_s = next(self._pauses_s, None)
            if pause_s is None or time.monotonic() + pause_s > self._deadline:
                raise failure
            time.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311 (jitter, not a secret)
        else:
            raise failure
