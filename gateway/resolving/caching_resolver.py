"""The cache over a resolver: reuses sources, and calls the resolver once for concurrent requests."""

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

MAX_SOURCES = 20_000
MAX_SOURCES_BYTES = 32 * 2**20
MAX_FAILURES = 2_000
MAX_RENEWALS = 6  # of one file in RENEWAL_WINDOW_S
RENEWAL_WINDOW_S = 60
FAILURE_TTL_S = 5
MAX_FAILURE_TTL_S = 30
MIN_STALE_LIFE_S = 5.0  # enough to follow a redirect
TIMEOUT_S = 20.0  # platform routers time out after 30 s, and delivery needs time too
_log = structlog.get_logger("gateway.resolving")


class Resolver(Protocol):
    """Makes a source; each call may be slow or cost money."""

    def resolve(self, task_id: str, url: str) -> Source:
        """Make a source.

        Raises:
            GatewayError: there is no source.
        """


@dataclass(frozen=True, slots=True)
class _Cached:
    """A source, and the Unix seconds until which it is fresh."""

    source: Source
    fresh_until: float


class CachingResolver:
    """Caches sources until they expire, and failures for a few seconds.

    Replaces a source before it expires. If that fails temporarily, uses the old source until its end.

    Args:
        resolver: makes the sources.
        min_life_s: replace a source with less life left, in seconds, if possible.
        clock: Unix seconds.
        max_age_s: replace a source older than this too, in seconds, because another process may have changed the file.
        metrics: counts hits and misses.
    """

    def __init__(
        self,
        resolver: Resolver,
        min_life_s: float,
        clock: Callable[[], float] = time.time,
        *,
        max_age_s: float = math.inf,
        metrics: Metrics | None = None,
    ) -> None:
        self._resolver = resolver
        self._min_life_s = min_life_s
        self._max_age_s = max_age_s
        self._clock = clock
        self._metrics = metrics or Metrics()
        self._sources: MemoryCache[_Cached] = MemoryCache(MAX_SOURCES, clock, max_bytes=MAX_SOURCES_BYTES)
        self._failures: MemoryCache[GatewayError] = MemoryCache(MAX_FAILURES, clock)
        self._renewals: MemoryCache[tuple[int, float]] = MemoryCache(MAX_SOURCES, clock)
        self._single_flight: SingleFlight[Source] = SingleFlight()

    def resolve(self, task_id: str, url: str, *, required_life_s: float = 0) -> Source:
        """The source of an image of a task; a cached one only if it has ``required_life_s`` left.

        Raises:
            ProviderError, OriginError: there is no source.
            StillPreparing: timeout; the resolver continues.
        """
        key = (task_id, url)
        cached = self._sources.get(key)
        if cached is not None and self._is_fresh(cached, required_life_s):
            self._metrics.resolved("hit")
            return cached.source
        try:
            return self._miss(key, required_life_s)
        except GatewayError as error:
            if cached is None or required_life_s or self._life_s(cached) < MIN_STALE_LIFE_S:
                raise
            if not (error.retry or error.server_fault):
                raise
            self._metrics.resolved("stale")
            return cached.source

    def renew(self, task_id: str, url: str, dead: Source, reason: GatewayError, timeout_s: float = TIMEOUT_S) -> Source:
        """Replace a source that no longer works; concurrent callers share one call of the resolver.

        Raises:
            GatewayError: ``reason``, if the file was renewed too often, or if ``dead`` is an object that never expires;
                otherwise why there is no source.
            StillPreparing: timeout; the resolver continues.
        """
        if dead.expires_at == math.inf:
            raise reason
        key = (task_id, url)
        return self._single_flight.do(key, lambda: self._renew(key, dead, reason), timeout_s)

    def invalidate(self, task_id: str, *urls: str) -> None:
        """Remove images of a task from the cache, because they changed."""
        for url in urls:
            self._sources.delete((task_id, url))
            self._failures.delete((task_id, url))

    def _renew(self, key: tuple[str, str], dead: Source, reason: GatewayError) -> Source:
        cached = self._sources.get(key)
        if cached is not None and cached.source is not dead:
            return cached.source
        count, until = self._renewals.get(key) or (0, self._clock() + RENEWAL_WINDOW_S)
        if count >= MAX_RENEWALS:
            raise reason
        self._renewals.put(key, (count + 1, until), until)
        self._sources.delete(key)
        return self._resolve(key, 0)

    def _life_s(self, cached: _Cached) -> float:
        return cached.source.expires_at - self._clock()

    def _is_fresh(self, cached: _Cached, required_life_s: float) -> bool:
        life_s = self._life_s(cached)
        return life_s > self._min_life_s and life_s >= required_life_s and self._clock() < cached.fresh_until

    def _miss(self, key: tuple[str, str], required_life_s: float) -> Source:
        if error := self._failures.get(key):
            self._metrics.resolved("failure")
            raise copy.copy(error)
        self._metrics.resolved("miss")
        return self._single_flight.do(key, lambda: self._resolve(key, required_life_s), TIMEOUT_S)

    def _resolve(self, key: tuple[str, str], required_life_s: float) -> Source:
        cached = self._sources.get(key)
        if cached is not None and self._is_fresh(cached, required_life_s):
            return cached.source  # another call ended between the lookup and this one
        if error := self._failures.get(key):
            raise copy.copy(error)
        try:
            source = self._resolver.resolve(*key)
        except GatewayError as error:
            retry_after_s = error.retry_after_s if isinstance(error, RetryLater) else FAILURE_TTL_S
            ttl_s = max(1, min(retry_after_s, MAX_FAILURE_TTL_S))
            # The copy has no traceback, which would keep the stack frames in memory.
            self._failures.put(key, copy.copy(error), self._clock() + ttl_s)
            raise
        life_s = source.expires_at - self._clock()
        if life_s < self._min_life_s:
            # Used anyway, as it is new. Usually one of the clocks is wrong.
            _log.warning("short_lived_source", task_id=key[0], life_s=round(life_s))
        cached = _Cached(source, self._clock() + self._max_age_s)
        self._sources.put(key, cached, source.expires_at, getsizeof(cached) + getsizeof(source))
        return source
