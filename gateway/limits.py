"""How much one visitor may do in a minute."""

import ipaddress
import time
from collections.abc import Callable

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from gateway.delivery.ask import Ask
from gateway.errors import RateLimited
from gateway.links.link import Link
from gateway.storage.memory import MemoryCache

GRANT_LIFE_S = 600
MOST_GRANTS = 50_000
_IPV6_SUBSCRIBER = 64  # a subscriber has at least a /64; counting addresses would count nothing


class DownloadLimit:
    """Counts the downloads that each visitor begins.

    A visitor who comes back with the same link within ten minutes (a browser's own retry, a resumed download, a
    download manager's sixteen parts) goes on with the download begun before, and spends nothing.

    Build it after the worker was forked: the library's storage has a timer.

    Args:
        per_minute: for all workers together; 0 for no limit.
        workers: how many share it; each counts for itself.
    """

    def __init__(self, per_minute: int, workers: int = 1, clock: Callable[[], float] = time.time) -> None:
        self._item = RateLimitItemPerMinute(max(1, per_minute // workers)) if per_minute else None
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage()) if per_minute else None
        self._grants: MemoryCache[bool] = MemoryCache(MOST_GRANTS, clock)
        self._clock = clock

    def spend(self, ask: Ask, link: Link) -> None:
        """Take one download from the visitor's minute; a HEAD takes none.

        Raises:
            RateLimited: none is left; says after how many seconds one will be.
        """
        if self._limiter is None or self._item is None or (ask.method == "HEAD" and link.signed):
            return
        visitor, grant = ask.visitor, (ask.visitor, link.task_id, link.url, link.id or str(link.expires))
        if self._grants.get(grant):
            return
        if self._limiter.hit(self._item, visitor):
            self._grants.put(grant, True, self._clock() + GRANT_LIFE_S)  # noqa: FBT003 (a value, not a flag)
            return
        reset_at = self._limiter.get_window_stats(self._item, visitor).reset_time
        raise RateLimited(
            f"{visitor} began too many downloads", retry_after_s=max(1, min(60, round(reset_at - self._clock())))
        )


def visitor_of(address: str) -> str:
    """What stands for one visitor: the IPv4 address, or the first half of the IPv6 address."""
    try:
        parsed = ipaddress.ip_address(_without_port(address))
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, _IPV6_SUBSCRIBER), strict=False).network_address)


def _without_port(address: str) -> str:
    """Some proxies write ``address:port`` into X-Forwarded-For."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address
