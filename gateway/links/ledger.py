"""The interface to revocations and download counts of links."""

from typing import Protocol


class Ledger(Protocol):
    """Revocations and downloads of links that have an id."""

    def is_revoked(self, link_id: str) -> bool:
        """Whether the link is revoked."""

    def refresh(self) -> None:
        """Read revocations now; without it they take effect within a second."""

    def is_used_up(self, link_id: str, visitor: str) -> bool:
        """Whether the link permits no more downloads to this visitor."""

    def begin(self, link_id: str) -> None:
        """Note that a download begins."""

    def count(self, link_id: str, visitor: str) -> None:
        """Count a completed download; repeated downloads of one visitor count once."""

    def end(self, link_id: str) -> None:
        """Note that a download has ended, completed or not."""
