"""A source in our own keeping: an object of the store."""

import time

from gateway.errors import OriginNotFound
from gateway.files.byte_range import ByteRange
from gateway.files.file_info import FileInfo
from gateway.sources.base import OpenFile
from gateway.sources.public_urls import PublicUrl
from gateway.storage.objects import Objects, Stored


class StoredSource:
    """One object. Everything is known of it, so that looking asks nobody.

    Args:
        objects: where it is.
        stored: which it is.
        door: how others get at it.
        expires_at: Unix seconds until which it is handed out without asking again whether it is still there.
    """

    def __init__(self, objects: Objects, stored: Stored, public_url: PublicUrl, expires_at: float) -> None:
        self._objects = objects
        self._door = public_url
        self.stored = stored
        self.made_at = time.monotonic()
        self.expires_at = expires_at
        self.sets_filename = True
        self.info: FileInfo | None = FileInfo(
            length=stored.length,
            head=stored.head,
            validator=f'"{stored.digest}"',
            ranges=True,
            attachment=True,  # every door says so
        )

    @property
    def redirect_blocker(self) -> str:
        """Why a browser is not sent to it."""
        return self._door.redirect_blocker(self.stored)

    def probe(self) -> FileInfo:
        """Say what is known."""
        if self.info is None:
            raise AssertionError("an object never changes")
        return self.info

    def open(self, byte_range: ByteRange | None = None, known: FileInfo | None = None) -> OpenFile:  # noqa: ARG002 (it never changes)
        """Open the object, or one span of it.

        Raises:
            OriginNotFound: it was dropped meanwhile.
            StorageDown: the store does not answer.
        """
        first, last = (byte_range.first, byte_range.last) if byte_range else (0, self.stored.length - 1)
        try:
            body = self._objects.open(self.stored, first, last)
        except FileNotFoundError:
            raise OriginNotFound("the object was dropped") from None
        return OpenFile(self.probe(), byte_range, body)

    def forget(self, seen: FileInfo | None) -> None:
        """Nothing to forget: an object never changes."""

    def direct_url(self, disposition: str, content_type: str) -> str:
        """A fresh URL under this name, good for 1200 s; it is remembered nowhere.

        Raises:
            StorageDown: there is no key to sign it with.
        """
        return self._door.url(self.stored, disposition, content_type)
