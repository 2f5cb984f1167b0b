"""A source in our own keeping: an object of the store."""

import time
from collections.abc import Callable
from urllib.parse import unquote

from gateway.errors import OriginNotFound
from gateway.resolving.source import Facts, Opened, Span
from gateway.storage.objects import Objects, Stored


class KeptSource:
    """One object. Everything is known of it, so that looking asks nobody.

    Args:
        objects: where it is.
        stored: which it is.
        expires_at: Unix seconds until which it is handed out without asking again whether it is still there.
        sign: makes the URL of an object, from its digest and a file name.
    """

    def __init__(
        self, objects: Objects, stored: Stored, expires_at: float, sign: Callable[[str, str], str] | None = None
    ) -> None:
        self._objects = objects
        self._sign = sign
        self.stored = stored
        self.made_at = time.monotonic()
        self.expires_at = expires_at
        self.held_back = "own-bytes"
        self.names_itself = False
        self.facts: Facts | None = Facts(
            length=stored.length,
            head=stored.head,
            validator=f'"{stored.digest}"',
            ranges=True,
            attachment=False,
        )

    def look(self) -> Facts:
        """Say what is known."""
        if self.facts is None:
            raise AssertionError("an object never changes")
        return self.facts

    def open(self, span: Span | None = None) -> Opened:
        """Open the object, or one span of it.

        Raises:
            OriginNotFound: it was dropped meanwhile.
            StorageDown: the store does not answer.
        """
        first, last = (span.first, span.last) if span else (0, self.stored.length - 1)
        try:
            body = self._objects.open(self.stored, first, last)
        except FileNotFoundError:
            raise OriginNotFound("the object was dropped") from None
        return Opened(self.look(), span, body)

    def forget(self, seen: Facts | None) -> None:
        """Nothing to forget: an object never changes."""

    def direct_url(self, disposition: str, content_type: str) -> str:  # noqa: ARG002 (the name is all that is signed)
        """Our own signed URL, for others: we never send a visitor of ours from one of our URLs to another."""
        if self._sign is None:
            raise NotImplementedError("held back")
        return self._sign(self.stored.digest, unquote(disposition.rpartition("''")[2]))
