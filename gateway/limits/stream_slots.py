"""How many streams run at once: in all, for one file, and for one visitor."""

from collections import Counter
from collections.abc import Callable
from functools import partial

from gateway.errors import GatewayBusy, TooManyStreams
from gateway.links.link import Link

PARTS = 32  # of one file, for one visitor: twice what download managers open, as a part that was left ends later
RETRY_AFTER_S = 5


class SlotLimiter:
    """The places of one worker. One file takes at most half of them, so that no link that went round takes all.

    Args:
        most: how many there are.
        per_visitor: how many of them one visitor takes; 0 for as many as there are.
    """

    def __init__(self, most: int, per_visitor: int = 0) -> None:
        self._most = most
        self._per_file = max(1, most // 2)
        self._per_visitor = per_visitor
        self._taken: Counter[tuple[str, ...]] = Counter()

    def acquire(self, visitor: str, link: Link) -> Callable[[], None]:
        """Take a place; gives what gives it back, to be called once.

        A file is one by whatever link: a page that is loaded again has another link for it.

        Raises:
            GatewayBusy: none is left, or none for this file.
            TooManyStreams: the visitor has as many as one may have, in all or of this file.
        """
        file = (link.task_id, link.url)
        everything, of_file, of_visitor, parts = (), ("file", *file), ("visitor", visitor), ("parts", visitor, *file)
        if self._per_visitor and self._taken[of_visitor] >= self._per_visitor:
            raise TooManyStreams(f"{visitor} has {self._per_visitor} streams", RETRY_AFTER_S)
        if self._per_visitor and self._taken[parts] >= PARTS:
            raise TooManyStreams(f"{visitor} has {PARTS} streams of one file", RETRY_AFTER_S)
        if self._taken[everything] >= self._most:
            raise GatewayBusy("all places for streams are taken")
        if self._taken[of_file] >= self._per_file:
            raise GatewayBusy("half of the places are taken by one file")
        counted = (everything, of_file, of_visitor, parts)
        self._taken.update(counted)
        return partial(self._release, counted)

    def _release(self, counted: tuple[tuple[str, ...], ...]) -> None:
        for key in counted:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]

    def counted(self) -> int:
        """How many counts are kept: none when nothing runs."""
        return len(self._taken)
