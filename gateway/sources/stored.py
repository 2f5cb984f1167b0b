"""A file in our own storage."""

import time

from gateway.errors import OriginNotFound
from gateway.files.byte_range import ByteRange
from gateway.files.file_info import FileInfo
from gateway.sources.base import OpenFile
from gateway.sources.public_urls import PublicUrl
from gateway.storage.object_store import ObjectStore, StoredObject


class StoredSource:
    """One object. Its metadata are known from the database.

    Args:
        objects: the storage.
        stored: the object.
        public_url: makes its direct URL.
        expires_at: Unix seconds until which it is used without a new look-up.
    """

    def __init__(self, objects: ObjectStore, stored: StoredObject, public_url: PublicUrl, expires_at: float) -> None:
        self._objects = objects
        self._public_url = public_url
        self.stored = stored
        self.made_at = time.monotonic()
        self.expires_at = expires_at
        self.sets_filename = True
        self.info: FileInfo | None = FileInfo(
            length=stored.length,
            head=stored.head,
            validator=f'"{stored.digest}"',
            ranges=True,
            attachment=True,  # every direct URL of an object sends it
        )

    @property
    def redirect_blocker(self) -> str:
        """Why a browser cannot be redirected to it, in one word; empty when it can."""
        return self._public_url.redirect_blocker(self.stored)

    def probe(self) -> FileInfo:
        """The metadata."""
        if self.info is None:
            raise AssertionError("an object never changes")
        return self.info

    def open(self, byte_range: ByteRange | None = None, known: FileInfo | None = None) -> OpenFile:  # noqa: ARG002 (an object never changes)
        """Open the object, or one range of it.

        Raises:
            OriginNotFound: the object was deleted.
            StorageDown: the storage does not answer.
        """
        first, last = (byte_range.first, byte_range.last) if byte_range else (0, self.stored.length - 1)
        try:
            body = self._objects.open(self.stored, first, last)
        except FileNotFoundError:
            raise OriginNotFound("the object was deleted") from None
        return OpenFile(self.probe(), byte_range, body)

    def forget(self, seen: FileInfo | None) -> None:
        """Do nothing: an object never changes."""

    def direct_url(self, disposition: str, content_type: str) -> str:
        """A new URL that is valid for 1200 s and sends these two headers.

        Raises:
            StorageDown: the bucket has no credentials to sign with.
        """
        return self._public_url.url(self.stored, disposition, content_type)
