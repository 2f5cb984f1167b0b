"""Rate limit on downloads per visitor and minute."""

import time
from collections.abc import Callable
from typing import Protocol

from gateway.cache import MemoryCache
from gateway.errors import RateLimited
from gateway.limits.sliding_window import SlidingWindow
from gateway.links.link import Link

GRANT_LIFE_S = 600
MAX_GRANTS = 50_000
MAX_VISITORS = 50_000


class Request(Protocol):
    """The parts of a request that the limiter reads."""

    @property
    def method(self) -> str:
        """GET or HEAD."""

    @property
    def visitor(self) -> str:
        """The visitor's address, or the network of an IPv6 address."""


class DownloadRateLimiter:
    """Counts the downloads that each visitor begins.

    Repeated requests for the same link within ten minutes count once: a browser's retry, a resumed download, the
    parts of a download manager.

    Args:
        per_minute: the limit per visitor, of all workers together; 0 for no limit.
        workers: the number of workers among which the limit is divided.
        clock: Unix seconds.
    """

    def __init__(self, per_minute: int, workers: int = 1, clock: Callable[[], float] = time.time) -> None:
        self._per_minute = max(1, per_minute // workers) if per_minute else 0
        self._window = SlidingWindow(MAX_VISITORS, clock)
        self._grants: MemoryCache[bool] = MemoryCache(MAX_GRANTS, clock)
        self._clock = clock

    def spend(self, request: Request, link: Link) -> None:
        """Count one download; a HEAD request of a signed link is not counted.

        Raises:
            RateLimited: the visitor is over the limit; with the seconds until the next download is accepted.
        """
        if not self._per_minute or (request.method == "HEAD" and link.signed):
            return
        visitor, grant = request.visitor, (request.visitor, link.task_id, link.url, link.id or str(link.expires))
        if self._grants.get(grant):
            return
        hit = self._window.hit(visitor, self._per_minute)
        if not hit.accepted:
            raise RateLimited(f"{visitor} began too many downloads", hit.reset_s)
        self._grants.put(grant, True, self._clock() + GRANT_LIFE_S)  # noqa: FBT003 (a value, not a flag)
