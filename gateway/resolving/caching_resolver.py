"""From (task, URL) to a source: what is known is reused, and what is not is asked for once."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from sys import getsizeof
from typing import Protocol

import structlog

from gateway.cache import MemoryCache
from gateway.errors import GatewayError, RetryLater
from gateway.observability.metrics import Metrics
from gateway.singleflight import SingleFlight
from gateway.sources.base import Source

MOST_SOURCES = 20_000
MOST_SOURCES_BYTES = 32 * 2**20
MOST_FAILURES = 2_000
MOST_RENEWALS = 6  # of one file, in a minute
RENEWALS_COUNTED_S = 60
FAILURE_LIFE_S = 5
LONGEST_FAILURE_LIFE_S = 30
SHORTEST_LIFE_S = 5.0  # what a browser needs to follow a redirect
LONGEST_WAIT_S = 20.0  # routers of platforms give up after 30, and delivery needs some too
_log = structlog.get_logger("gateway.resolving")


class Resolver(Protocol):
    """Makes a source, at the price of a call: ``upstream``, ``origin``."""

    def resolve(self, task_id: str, url: str) -> Source:
        """Make a source, or raise what stands against it."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A source, and the Unix seconds after which it is looked at anew."""

    source: Source
    look_anew_at: float


class CachingResolver:
    """Caches sources until they expire, and failures for a few seconds.

    A source that soon expires is replaced in time; where that fails for a while, it goes on being used.

    Args:
        converter: makes a source that is not known yet.
        min_life_s: a known source with less life left, in seconds, is replaced when it can be.
        clock: Unix seconds.
        max_age_s: after so long it is replaced when it can be, too: somebody else may have changed or deleted it.
        metrics: is told how sources were had.
    """

    def __init__(
        self,
        converter: Resolver,
        min_life_s: float,
        clock: Callable[[], float] = time.time,
        *,
        max_age_s: float = math.inf,
        metrics: Metrics | None = None,
    ) -> None:
        self._converter = converter
        self._min_life_s = min_life_s
        self._known_for_s = max_age_s
        self._clock = clock
        self._metrics = metrics or Metrics()
        self._sources: MemoryCache[_Known] = MemoryCache(MOST_SOURCES, clock, max_bytes=MOST_SOURCES_BYTES)
        self._failures: MemoryCache[GatewayError] = MemoryCache(MOST_FAILURES, clock)
        self._renewals: MemoryCache[tuple[int, float]] = MemoryCache(MOST_SOURCES, clock)
        self._single_flight: SingleFlight[Source] = SingleFlight()

    def resolve(self, task_id: str, url: str, *, min_life_s: float = 0) -> Source:
        """Give the source of one image of one task; a known one only with so much life left, where more is asked for.

        Raises:
            ProviderError, OriginError: why there is none.
            StillPreparing: there is none yet; the conversion goes on.
        """
        key = (task_id, url)
        known = self._sources.get(key)
        if known is not None and self._lasts(known, min_life_s):
            self._metrics.resolved("hit")
            return known.source
        try:
            return self._obtain(key, min_life_s)
        except GatewayError as failure:
            if known is None or min_life_s or self._life_s(known) < SHORTEST_LIFE_S:
                raise
            if not (failure.retry or failure.server_fault):
                raise
            self._metrics.resolved("stale")
            return known.source

    def renew(
        self, task_id: str, url: str, dead: Source, reason: GatewayError, longest_s: float = LONGEST_WAIT_S
    ) -> Source:
        """Give a new source in place of one that has died: one call for all whose source it was.

        Raises:
            GatewayError: ``reason``, when the file was renewed too often of late, or ``dead`` is an object at a URL of
                its own, which nobody was asked for; else why there is none.
            StillPreparing: there is none after ``longest_s`` seconds; the conversion goes on.
        """
        if dead.expires_at == math.inf:
            raise reason
        key = (task_id, url)
        return self._single_flight.do(key, lambda: self._renew(key, dead, reason), longest_s)

    def invalidate(self, task_id: str, *urls: str) -> None:
        """Ask anew the next time: these images of a task are others than they were."""
        for url in urls:
            self._sources.delete((task_id, url))
            self._failures.delete((task_id, url))

    def _renew(self, key: tuple[str, str], dead: Source, reason: GatewayError) -> Source:
        known = self._sources.get(key)
        if known is not None and known.source is not dead:
            return known.source
        count, until = self._renewals.get(key) or (0, self._clock() + RENEWALS_COUNTED_S)
        if count >= MOST_RENEWALS:
            raise reason
        self._renewals.put(key, (count + 1, until), until)
        self._sources.delete(key)
        return self._convert(key, 0)

    def _life_s(self, known: "_Known") -> float:
        return known.source.expires_at - self._clock()

    def _lasts(self, known: "_Known", min_life_s: float) -> bool:
        life_s = self._life_s(known)
        return life_s > self._min_life_s and life_s >= min_life_s and self._clock() < known.look_anew_at

    def _obtain(self, key: tuple[str, str], min_life_s: float) -> Source:
        if failure := self._failures.get(key):
            self._metrics.resolved("failure")
            raise copy.copy(failure)
        self._metrics.resolved("miss")
        return self._single_flight.do(key, lambda: self._convert(key, min_life_s), LONGEST_WAIT_S)

    def _convert(self, key: tuple[str, str], min_life_s: float) -> Source:
        known = self._sources.get(key)
        if known is not None and self._lasts(known, min_life_s):
            return known.source  # another flight landed between the look and this one
        if failure := self._failures.get(key):
            raise copy.copy(failure)
        try:
            source = self._converter.resolve(*key)
        except GatewayError as failure:
            pause_s = failure.retry_after_s if isinstance(failure, RetryLater) else FAILURE_LIFE_S
            # A copy, without the traceback and all that hangs on it.
            life_s = max(1, min(pause_s, LONGEST_FAILURE_LIFE_S))
            self._failures.put(key, copy.copy(failure), self._clock() + life_s)
            raise
        left_s = source.expires_at - self._clock()
        if left_s < self._min_life_s:
            # Handed out all the same: it is as fresh as they come. Mostly it is our clock, or theirs, that is wrong.
            _log.warning("short_lived_source", task_id=key[0], life_s=round(left_s))
        known = _Known(source, self._clock() + self._known_for_s)
        self._sources.put(key, known, source.expires_at, getsizeof(known) + getsizeof(source))
        return source
