"""The rate limit on downloads: how many each visitor may begin in a minute."""

import time
from collections.abc import Callable
from typing import Protocol

from gateway.cache import MemoryCache
from gateway.errors import RateLimited
from gateway.limits.sliding_window import SlidingWindow
from gateway.links.link import Link

GRANT_LIFE_S = 600
MOST_GRANTS = 50_000
MOST_VISITORS = 50_000


class Request(Protocol):
    """A request, as far as the limit reads it."""

    @property
    def method(self) -> str:
        """GET or HEAD."""

    @property
    def visitor(self) -> str:
        """The visitor's address, or the network of an IPv6 address."""


class DownloadLimit:
    """Counts the downloads that each visitor begins.

    A visitor who comes back with the same link within ten minutes (a browser's own retry, a resumed download, a
    download manager's sixteen parts) goes on with the download begun before, and spends nothing.

    Args:
        per_minute: for all workers together; 0 for no limit.
        workers: how many share it; each counts for itself.
    """

    def __init__(self, per_minute: int, workers: int = 1, clock: Callable[[], float] = time.time) -> None:
        self._per_minute = max(1, per_minute // workers) if per_minute else 0
        self._window = SlidingWindow(MOST_VISITORS, clock)
        self._grants: MemoryCache[bool] = MemoryCache(MOST_GRANTS, clock)
        self._clock = clock

    def spend(self, request: Request, link: Link) -> None:
        """Take one download from the visitor's minute; a HEAD takes none.

        Raises:
            RateLimited: none is left; says after how many seconds one will be.
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
