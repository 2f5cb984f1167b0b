"""State of one worker: gone when it ends, not seen by other workers."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from sys import getsizeof
from typing import Any, Generic, TypeVar
from weakref import WeakSet

MOST_BYTES = 16 * 2**20
ENTRY_BYTES = 300  # the tuples and numbers of an entry, and its place in the table
EXPIRE_EVERY_S = 10.0
_Key = tuple[Hashable, ...]
Value = TypeVar("Value")


class MemoryCache(Generic[Value]):
    """Values by key until a time, bounded in number and in bytes; the least recently used are evicted first.

    Expired values are dropped when they are asked for, every ten seconds while values are put, and by
    :func:`drop_expired`.

    Args:
        most: how many values are kept.
        clock: Unix seconds.
        most_bytes: how much memory keys and values take, as far as their sizes are told.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.time, *, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._clock = clock
        self._values: OrderedDict[_Key, tuple[float, Value, int]] = OrderedDict()
        self._bytes = 0
        self._expire_at = 0.0
        self._lock = threading.Lock()
        _caches.add(self)

    def get(self, key: _Key) -> Value | None:
        """The value, or None when there is none or its time is over."""
        with self._lock:
            until, value, _ = self._values.get(key, _NOTHING)
            if value is None:
                return None
            if until <= self._clock():
                self._drop(key)
                return None
            self._values.move_to_end(key)
            return value

    def put(self, key: _Key, value: Value, until: float, size: int | None = None) -> None:
        """Keep a value until a time in Unix seconds; one that is larger than the whole cache is not kept.

        Args:
            key: names the value.
            value: what is kept.
            until: when it expires.
            size: the value's size in bytes; None asks :func:`sys.getsizeof`, which leaves out what a value refers to.
        """
        size = ENTRY_BYTES + sum(map(getsizeof, key)) + (getsizeof(value) if size is None else size)
        with self._lock:
            if self._clock() >= self._expire_at:
                self._drop_expired()
            self._drop(key)
            if size > self._most_bytes:
                return
            self._values[key] = (until, value, size)
            self._bytes += size
            while len(self._values) > self._most or self._bytes > self._most_bytes:
                self._bytes -= self._values.popitem(last=False)[1][2]

    def forget(self, key: _Key) -> None:
        """Drop a value, if it is there."""
        with self._lock:
            self._drop(key)

    def drop_expired(self) -> None:
        """Drop every value whose time is over."""
        with self._lock:
            self._drop_expired()

    def _drop_expired(self) -> None:
        now = self._clock()
        self._expire_at = now + EXPIRE_EVERY_S
        for key in [key for key, (until, _, _) in self._values.items() if until <= now]:
            self._drop(key)

    def _drop(self, key: _Key) -> None:
        if dropped := self._values.pop(key, None):
            self._bytes -= dropped[2]


_NOTHING = (0.0, None, 0)
_caches: WeakSet[MemoryCache[Any]] = WeakSet()


def drop_expired() -> None:
    """Drop the expired values of every cache of this process, also of caches that are not written to."""
    for cache in list(_caches):
        cache.drop_expired()


class MemoryLedger:
    """Revocations and download counts of one worker (the port is ``gateway.links.ledger.Ledger``)."""

    def __init__(self) -> None:
        self._revoked: set[str] = set()
        self._most: dict[str, int] = {}
        self._visitors: dict[str, set[str]] = {}

    def limit(self, link_id: str, most_downloads: int) -> None:
        """Let a link be used for so many downloads."""
        self._most[link_id] = most_downloads

    def is_revoked(self, link_id: str) -> bool:
        """Tell whether the link was withdrawn."""
        return link_id in self._revoked

    def is_used_up(self, link_id: str, visitor: str) -> bool:
        """Tell whether no downloads are left on the link, for anybody but those who were counted."""
        counted = self._visitors.get(link_id, set())
        return link_id in self._most and len(counted) >= self._most[link_id] and visitor not in counted

    def revoke(self, link_id: str) -> None:
        """Withdraw the link for good."""
        self._revoked.add(link_id)

    def count(self, link_id: str, visitor: str) -> None:
        """Note one completed download; only links with a limit are counted."""
        if link_id in self._most:
            self._visitors.setdefault(link_id, set()).add(visitor)
