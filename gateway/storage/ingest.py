"""Store an image: check its size and type while it is copied, then register the object with its image."""

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
_TYPE_BYTES = 16  # enough to detect the type
_RETRY_AFTER_S = 0.05
DELETION_TIMEOUT_S = 10.0
Result = TypeVar("Result")
Register = Callable[[StoredObject], tuple[Result, str | None]]


class Ingest:
    """Stores images.

    Args:
        objects: the store.
        deleter: deletes replaced objects, and objects that could not be registered.
        max_bytes: maximum size of an image.
    """

    def __init__(self, objects: ObjectStore, deleter: ObjectDeleter, max_bytes: int) -> None:
        self._objects = objects
        self._deleter = deleter
        self._max_bytes = max_bytes

    def store(
        self, read: Callable[[int], bytes], length: int | None, register: Register[Result]
    ) -> tuple[StoredObject, Result]:
        """Store an image, and register its object.

        Args:
            read: reads at most the given number of bytes; empty at the end.
            length: the declared length in bytes; None if unknown.
            register: references the object in the database; returns any result, and the digest of the object that it
                replaces.

        Returns:
            The object, and the result of ``register``.

        Raises:
            NotAnImage, FileTooLarge, UploadBroken: the image is not acceptable.
            StorageFull, StorageDown: the image could not be stored.
        """
        with self._objects.new_upload() as upload:
            self._copy(read, upload, length)
            stored = self._objects.put(upload)
            try:
                result, replaced = _register(register, stored)
            except BaseException:
                self._delete(stored.digest)
                raise
            if not self._objects.exists(stored):  # deleted before it was registered; from now on it is kept
                self._objects.put(upload)
        if replaced is not None:
            self._delete(replaced)
        return stored, result

    def _delete(self, digest: str) -> None:
        """Delete an object that no image references. On failure, ``Sweep.reconcile`` deletes it later."""
        with suppress(StorageDown, DatabaseDown):
            self._deleter.delete([digest])

    def _copy(self, read: Callable[[int], bytes], upload: Upload, length: int | None) -> None:
        if (length or 0) > self._max_bytes:
            raise FileTooLarge(f"{length} bytes")
        checked = False
        while part := read(_CHUNK):
            run_in_thread(partial(upload.write, part))  # hashing and writing a large file blocks the event loop
            if upload.length > self._max_bytes:
                raise FileTooLarge(f"more than {self._max_bytes} bytes")
            if not checked and len(upload.head) >= _TYPE_BYTES:
                _check_type(upload)
                checked = True
        if length is not None and upload.length < length:  # not every WSGI server reports a lost connection
            raise UploadBroken(f"{upload.length} of {length} bytes")
        if not checked:
            _check_type(upload)


def _register(register: Register[Result], stored: StoredObject) -> tuple[Result, str | None]:
    """Call ``register``; retry while another worker deletes the same object."""
    until = time.monotonic() + DELETION_TIMEOUT_S
    while True:
        try:
            return register(stored)
        except DeletionInProgressError:
            if time.monotonic() > until:
                raise StorageDown("the same object is being deleted; try again later") from None
            time.sleep(_RETRY_AFTER_S)


def _check_type(upload: Upload) -> None:
    if detect_media_type(upload.head) not in IMAGES:
        raise NotAnImage("its first bytes are not those of an image" if upload.length else "it is empty")
