"""A link that is stored in the database, as those in e-mails are."""

from dataclasses import dataclass
from typing import Literal

from gateway.links.link import Link, Mode

State = Literal["active", "expired", "revoked", "used_up"]


@dataclass(frozen=True, slots=True)
class StoredLink:
    """A stored link. Times are Unix milliseconds.

    Attributes:
        id: 12 characters.
        link: the file, its name and its mode.
        created_at, expires_at: when it was created, and when it expires.
        max_downloads: how many downloads may complete; None for no limit.
        downloads: how many have completed.
        reserved: how many are running, or about to begin.
        revoked_at: None when it is not revoked.
    """

    id: str
    link: Link
    created_at: int
    expires_at: int
    max_downloads: int | None = None
    downloads: int = 0
    reserved: int = 0
    revoked_at: int | None = None

    @property
    def downloads_left(self) -> int | None:
        """How many more downloads may complete; None for no limit."""
        return None if self.max_downloads is None else max(0, self.max_downloads - self.downloads)

    def state(self, now_ms: int) -> State:
        """Whether the link permits a download now, and if not, why."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at <= now_ms:
            return "expired"
        return "used_up" if self.downloads_left == 0 else "active"


def mode_of(text: str | None) -> Mode | None:
    """A mode as the database holds it; ``Link`` validates it."""
    return text  # type: ignore[return-value]
