"""How much one visitor may do in a minute."""

import ipaddress
import math
import time
from collections.abc import Callable
from functools import lru_cache

from gateway.cache import MemoryCache
from gateway.delivery.exchange import DownloadRequest
from gateway.errors import RateLimited
from gateway.links.link import Link

GRANT_LIFE_S = 600
MOST_GRANTS = 50_000
MOST_VISITORS = 50_000
LONGEST_ADDRESS = 128  # letters of one as a proxy writes it; more would make a large cache of them
_ROUNDING_S = 0.01  # what sums of seconds since 1970 may be off
_IPV6_SUBSCRIBER = 64  # a subscriber has at least a /64; counting addresses would count nothing


class DownloadLimit:
    """Counts the downloads that each visitor begins.

    A visitor who comes back with the same link within ten minutes (a browser's own retry, a resumed download, a
    download manager's sixteen parts) goes on with the download begun before, and spends nothing.

    The minute slides: of the minute before, as much counts as is still within sixty seconds. Only so many visitors are
    remembered, the latest ones, and each costs the same however many there are: an IPv6 network has addresses without
    end.

    Args:
        per_minute: for all workers together; 0 for no limit.
        workers: how many share it; each counts for itself.
    """

    def __init__(self, per_minute: int, workers: int = 1, clock: Callable[[], float] = time.time) -> None:
        self._per_minute = max(1, per_minute // workers) if per_minute else 0
        self._counts: MemoryCache[tuple[float, int, int]] = MemoryCache(MOST_VISITORS, clock)
        self._grants: MemoryCache[bool] = MemoryCache(MOST_GRANTS, clock)
        self._clock = clock

    def spend(self, request: DownloadRequest, link: Link) -> None:
        """Take one download from the visitor's minute; a HEAD takes none.

        Raises:
            RateLimited: none is left; says after how many seconds one will be.
        """
        if not self._per_minute or (request.method == "HEAD" and link.signed):
            return
        visitor, grant = request.visitor, (request.visitor, link.task_id, link.url, link.id or str(link.expires))
        if self._grants.get(grant):
            return
        if wait_s := self._wait_s(visitor):
            raise RateLimited(f"{visitor} began too many downloads", wait_s)
        self._grants.put(grant, True, self._clock() + GRANT_LIFE_S)  # noqa: FBT003 (a value, not a flag)

    def _wait_s(self, visitor: str) -> int:
        """Count one download, unless none is left: then tell after how many seconds one will be."""
        minute, passed_s = divmod(self._clock(), 60)
        counted_in, before, now = self._counts.get((visitor,)) or (minute, 0, 0)
        if counted_in != minute:
            before, now = now if counted_in == minute - 1 else 0, 0
        if int(before * (1 - passed_s / 60) + now) < self._per_minute:
            self._counts.put((visitor,), (minute, before, now + 1), (minute + 2) * 60)
            return 0
        free_at_s = 60 * (1 - (self._per_minute - now) / before) if now < self._per_minute else 60
        return max(1, math.floor(free_at_s - passed_s + _ROUNDING_S) + 1)


@lru_cache(maxsize=4096)
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
