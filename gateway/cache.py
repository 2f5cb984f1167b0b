"""An in-memory cache with expiry, bounded in entries and bytes."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from sys import getsizeof
from typing import Any, Generic, TypeVar
from weakref import WeakSet

MAX_BYTES = 16 * 2**20
ENTRY_BYTES = 300  # tuples, numbers and the dictionary slot of an entry
EXPIRE_EVERY_S = 10.0
_Key = tuple[Hashable, ...]
Value = TypeVar("Value")


class MemoryCache(Generic[Value]):
    """Values with an expiry; the least recently used are evicted first. Each worker process has its own.

    Expired values are dropped by :meth:`get`, by :meth:`put` every ten seconds, and by :func:`drop_expired`.

    Args:
        max_entries: the most values kept.
        clock: Unix seconds.
        max_bytes: the most memory of keys and values, by the sizes that :meth:`put` knows.
    """

    def __init__(self, max_entries: int, clock: Callable[[], float] = time.time, *, max_bytes: int = MAX_BYTES) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._values: OrderedDict[_Key, tuple[float, Value, int]] = OrderedDict()
        self._bytes = 0
        self._expire_at = 0.0
        self._lock = threading.Lock()
        _caches.add(self)

    def get(self, key: _Key) -> Value | None:
        """The value; None when it is missing or expired."""
        with self._lock:
            expires_at, value, _ = self._values.get(key, _MISSING)
            if value is None:
                return None
            if expires_at <= self._clock():
                self._drop(key)
                return None
            self._values.move_to_end(key)
            return value

    def put(self, key: _Key, value: Value, expires_at: float, size: int | None = None) -> None:
        """Store a value; one that is larger than the whole cache is not stored.

        Args:
            key: identifies the value.
            value: anything but None.
            expires_at: Unix seconds.
            size: the value's size in bytes; None for :func:`sys.getsizeof`, which does not follow references.
        """
        size = ENTRY_BYTES + sum(map(getsizeof, key)) + (getsizeof(value) if size is None else size)
        with self._lock:
            if self._clock() >= self._expire_at:
                self._drop_expired()
            self._drop(key)
            if size > self._max_bytes:
                return
            self._values[key] = (expires_at, value, size)
            self._bytes += size
            while len(self._values) > self._max_entries or self._bytes > self._max_bytes:
                self._bytes -= self._values.popitem(last=False)[1][2]

    def delete(self, key: _Key) -> None:
        """Delete a value, if it is there."""
        with self._lock:
            self._drop(key)

    def drop_expired(self) -> None:
        """Delete every expired value."""
        with self._lock:
            self._drop_expired()

    def _drop_expired(self) -> None:
        now = self._clock()
        self._expire_at = now + EXPIRE_EVERY_S
        for key in [key for key, (expires_at, _, _) in self._values.items() if expires_at <= now]:
            self._drop(key)

    def _drop(self, key: _Key) -> None:
        if dropped := self._values.pop(key, None):
            self._bytes -= dropped[2]


_MISSING = (0.0, None, 0)
_caches: WeakSet[MemoryCache[Any]] = WeakSet()


def drop_expired() -> None:
    """Delete the expired values of every cache of this process."""
    for cache in list(_caches):
        cache.drop_expired()
