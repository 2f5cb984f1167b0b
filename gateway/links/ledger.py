"""What is remembered of links by their id: which were revoked, how many downloads are left."""

from typing import Protocol


class Ledger(Protocol):
    """Revocations and download counts. Links without an id are not in it."""

    def is_revoked(self, link_id: str) -> bool:
        """Tell whether the link was withdrawn."""

    def is_used_up(self, link_id: str, visitor: str) -> bool:
        """Tell whether no downloads are left on the link, for anybody but those who were counted."""

    def revoke(self, link_id: str) -> None:
        """Withdraw the link for good."""

    def count(self, link_id: str, visitor: str) -> None:
        """Note one completed download; a visitor counts once for a link, however often the browser comes back."""
