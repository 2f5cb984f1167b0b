"""Take in an image: no larger than allowed, an image by its first bytes, and kept whole or not at all."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from gateway.errors import DatabaseDown, FileTooLarge, NotAnImage, StorageDown, UploadBroken
from gateway.files.media_types import IMAGES, detect_media_type
from gateway.storage.object_deleter import DeletionInProgressError, ObjectDeleter
from gateway.storage.object_store import ObjectStore, StoredObject, Upload
from gateway.storage.thread_pool import run_in_thread

_CHUNK = 256 * 1024
_TELLING_BYTES = 16
_NOTE_AGAIN_AFTER_S = 0.05
DELETION_TIMEOUT_S = 10.0
Noted = TypeVar("Noted")


class Ingest:
    """Brings bytes into the store.

    Args:
        objects: the store.
        deletions: deletes what was replaced, and what could not be noted.
        max_bytes: the largest image that is kept.
    """

    def __init__(self, objects: ObjectStore, deletions: ObjectDeleter, max_bytes: int) -> None:
        self._objects = objects
        self._deletions = deletions
        self._max_bytes = max_bytes

    def store(
        self, read: Callable[[int], bytes], length: int | None, note: Callable[[StoredObject], tuple[Noted, str | None]]
    ) -> tuple[StoredObject, Noted]:
        """Keep what ``read`` gives, and have it noted where it belongs.

        Args:
            read: reads at most so many bytes; empty at the end.
            length: what was announced, in bytes; None when nothing was.
            note: writes down which object it became; gives anything, and the digest of the object that it replaces.

        Returns:
            The object, and the first of what ``note`` gave.

        Raises:
            NotAnImage, FileTooLarge, UploadBroken: it is not kept.
            StorageFull, StorageDown: it could not be.
        """
        with self._objects.new_upload() as upload:
            self._copy(read, upload, length)
            stored = self._objects.put(upload)
            try:
                noted, replaced = _noted(note, stored)
            except BaseException:
                self._delete(stored.digest)
                raise
            if not self._objects.exists(stored):  # it was deleted before the note; from now on it will not be
                self._objects.put(upload)
        if replaced is not None:
            self._delete(replaced)
        return stored, noted

    def _delete(self, digest: str) -> None:
        """Delete an object unless an image holds it. What fails is done by the reconciliation of the sweep."""
        with suppress(StorageDown, DatabaseDown):
            self._deletions.delete([digest])

    def _copy(self, read: Callable[[int], bytes], upload: Upload, length: int | None) -> None:
        if (length or 0) > self._max_bytes:
            raise FileTooLarge(f"{length} bytes")
        checked = False
        while part := read(_CHUNK):
            run_in_thread(partial(upload.write, part))  # hashing and writing a large file blocks the event loop
            if upload.length > self._max_bytes:
                raise FileTooLarge("more than is kept")
            if not checked and len(upload.head) >= _TELLING_BYTES:
                checked = _checked(upload)
        if length is not None and upload.length < length:  # a server need not say that its visitor left
            raise UploadBroken(f"{upload.length} of {length} bytes")
        if not checked:
            _checked(upload)


def _noted(
    note: Callable[[StoredObject], tuple[Noted, str | None]],
    stored: StoredObject,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Noted, str | None]:
    """Have an object noted. While another worker deletes the same bytes, wait for it."""
    until = time.monotonic() + DELETION_TIMEOUT_S
    while True:
        try:
            return note(stored)
        except DeletionInProgressError:
            if time.monotonic() > until:
                raise StorageDown("the same bytes are being deleted; try again in a moment") from None
            sleep(_NOTE_AGAIN_AFTER_S)


def _checked(upload: Upload) -> bool:
    if detect_media_type(upload.head) not in IMAGES:
        raise NotAnImage("its first bytes are no image's" if upload.length else "it is empty")
    return True
