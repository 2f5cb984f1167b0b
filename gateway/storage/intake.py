"""Take in an image: no larger than allowed, an image by its first bytes, and kept whole or not at all."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from gateway.errors import FileTooLarge, NotAnImage, UploadBroken
from gateway.media import IMAGES, media_of
from gateway.storage.disk import apart
from gateway.storage.objects import Incoming, Objects, Stored

_CHUNK = 256 * 1024
_TELLING_BYTES = 16
Noted = TypeVar("Noted")


class Intake:
    """Brings bytes into the store.

    Args:
        objects: the store.
        max_bytes: the largest image that is kept.
    """

    def __init__(self, objects: Objects, max_bytes: int) -> None:
        self._objects = objects
        self._max_bytes = max_bytes

    def take(
        self, read: Callable[[int], bytes], length: int | None, note: Callable[[Stored], Noted]
    ) -> tuple[Stored, Noted]:
        """Keep what ``read`` gives, and have it noted where it belongs.

        Args:
            read: reads at most so many bytes; empty at the end.
            length: what was announced, in bytes; None when nothing was.
            note: writes down which object it became.

        Returns:
            The object, and what ``note`` gave.

        Raises:
            NotAnImage, FileTooLarge, UploadBroken: it is not kept.
            StorageFull, StorageDown: it could not be.
        """
        with self._objects.receiving() as incoming:
            self._copy(read, incoming, length)
            stored = self._objects.keep(incoming)
            noted = note(stored)
            if not self._objects.has(stored):  # a sweep that did not know of the note has dropped the same bytes
                self._objects.keep(incoming)
        return stored, noted

    def _copy(self, read: Callable[[int], bytes], incoming: Incoming, length: int | None) -> None:
        if (length or 0) > self._max_bytes:
            raise FileTooLarge(f"{length} bytes")
        checked = False
        while part := read(_CHUNK):
            apart(partial(incoming.write, part))  # hashing and writing a large file would hold up everybody else
            if incoming.length > self._max_bytes:
                raise FileTooLarge("more than is kept")
            if not checked and len(incoming.head) >= _TELLING_BYTES:
                checked = _checked(incoming)
        if length is not None and incoming.length < length:  # a server need not say that its visitor left
            raise UploadBroken(f"{incoming.length} of {length} bytes")
        if not checked:
            _checked(incoming)


def _checked(incoming: Incoming) -> bool:
    if media_of(incoming.head) not in IMAGES:
        raise NotAnImage("its first bytes are no image's" if incoming.length else "it is empty")
    return True
