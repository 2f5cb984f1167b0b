"""State of one worker: gone when it ends, not seen by other workers."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class MemoryCache(Generic[Value]):
    """Values by key until a time; the least recently used go first when it is full.

    Args:
        most: how many values are kept.
        clock: Unix seconds.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.time) -> None:
        self._most = most
        self._clock = clock
        self._values: OrderedDict[tuple[Hashable, ...], tuple[float, Value]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[Hashable, ...]) -> Value | None:
        """The value, or None when there is none or its time is over."""
        with self._lock:
            until, value = self._values.get(key, (0.0, None))
            if value is None:
                return None
            if until <= self._clock():
                del self._values[key]
                return None
            self._values.move_to_end(key)
            return value

    def put(self, key: tuple[Hashable, ...], value: Value, until: float) -> None:
        """Keep a value until a time in Unix seconds."""
        with self._lock:
            self._values[key] = (until, value)
            self._values.move_to_end(key)
            if len(self._values) > self._most:
                self._values.popitem(last=False)

    def forget(self, key: tuple[Hashable, ...]) -> None:
        """Drop a value, if it is there."""
        with self._lock:
            self._values.pop(key, None)


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
