"""How many streams run at once in a worker: in all, per file, per visitor, and per file and visitor."""

from collections import Counter
from collections.abc import Callable
from functools import partial

from gateway.errors import GatewayBusy, TooManyStreams
from gateway.links.link import Link

MAX_STREAMS_OF_ONE_FILE = 32  # per visitor: twice what download managers open, as an aborted part ends later
RETRY_AFTER_S = 5
_Key = tuple[str, ...]


class SlotLimiter:
    """The stream slots of one worker. One file takes at most half of them, so that no popular link takes all.

    A file is identified by task and URL, whatever link names it: a reloaded page has new links for the same files.

    Args:
        capacity: the number of slots.
        per_visitor: the most slots of one visitor; 0 for no limit per visitor.
    """

    def __init__(self, capacity: int, per_visitor: int = 0) -> None:
        self._capacity = capacity
        self._per_file = max(1, capacity // 2)
        self._per_visitor = per_visitor
        self._used: Counter[_Key] = Counter()

    def check(self, visitor: str, link: Link) -> None:
        """Raise what :meth:`acquire` would raise; acquire nothing."""
        self._check(visitor, _keys(visitor, link))

    def acquire(self, visitor: str, link: Link) -> Callable[[], None]:
        """Acquire a slot; returns a one-shot release callback.

        Raises:
            GatewayBusy: no slot is free, or this file has its share.
            TooManyStreams: the visitor has the most slots allowed, in all or for this file.
        """
        keys = _keys(visitor, link)
        self._check(visitor, keys)
        self._used.update(keys)
        return partial(self._release, keys)

    def _check(self, visitor: str, keys: tuple[_Key, ...]) -> None:
        in_all, of_file, of_visitor, of_file_and_visitor = map(self._used.__getitem__, keys)
        if self._per_visitor and of_visitor >= self._per_visitor:
            raise TooManyStreams(f"{visitor} has {self._per_visitor} streams", RETRY_AFTER_S)
        if self._per_visitor and of_file_and_visitor >= MAX_STREAMS_OF_ONE_FILE:
            raise TooManyStreams(f"{visitor} has {MAX_STREAMS_OF_ONE_FILE} streams of one file", RETRY_AFTER_S)
        if in_all >= self._capacity:
            raise GatewayBusy("all stream slots are in use")
        if of_file >= self._per_file:
            raise GatewayBusy("one file uses half of the stream slots")

    def _release(self, keys: tuple[_Key, ...]) -> None:
        for key in keys:
            self._used[key] -= 1
            if not self._used[key]:
                del self._used[key]

    def counted(self) -> int:
        """The number of counters in memory; 0 when no stream runs."""
        return len(self._used)


def _keys(visitor: str, link: Link) -> tuple[_Key, ...]:
    file = (link.task_id, link.url)
    return (), ("file", *file), ("visitor", visitor), ("file and visitor", visitor, *file)
