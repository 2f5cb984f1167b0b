"""A ledger in memory, for tests and benchmarks of what uses one."""


class MemoryLedger:
    """The ledger of one worker process."""

    def __init__(self) -> None:
        self._revoked: set[str] = set()
        self._max_downloads: dict[str, int] = {}
        self._visitors: dict[str, set[str]] = {}

    def limit(self, link_id: str, max_downloads: int) -> None:
        """Set how many visitors may download by the link."""
        self._max_downloads[link_id] = max_downloads

    def is_revoked(self, link_id: str) -> bool:
        """Whether the link was revoked."""
        return link_id in self._revoked

    def is_used_up(self, link_id: str, visitor: str) -> bool:
        """Whether the link has no downloads left; never for a visitor whose download was counted."""
        if link_id not in self._max_downloads:
            return False
        counted = self._visitors.get(link_id, set())
        return len(counted) >= self._max_downloads[link_id] and visitor not in counted

    def revoke(self, link_id: str) -> None:
        """Revoke the link."""
        self._revoked.add(link_id)

    def refresh(self) -> None:
        """Do nothing."""

    def begin(self, link_id: str) -> None:
        """Do nothing: nothing is reserved."""

    def end(self, link_id: str) -> None:
        """Do nothing."""

    def count(self, link_id: str, visitor: str) -> None:
        """Count one completed download of a link with a limit."""
        if link_id in self._max_downloads:
            self._visitors.setdefault(link_id, set()).add(visitor)
