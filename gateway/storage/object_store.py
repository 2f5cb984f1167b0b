"""The interface of object stores, and the code that they share."""

import errno
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Protocol

from gateway.errors import StorageDown, StorageFull
from gateway.storage.thread_pool import run_in_thread

HEAD_BYTES = 64
DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object: the SHA-256 of its bytes in hexadecimal, its length, and its first 64 bytes."""

    digest: str
    length: int
    head: bytes


class ObjectReader(Protocol):
    """An object, or a range of one, open for reading."""

    def read(self, amount: int, /) -> bytes:
        """Read at most ``amount`` bytes; empty at the end.

        Raises:
            StorageDown: reading failed.
        """

    def close(self) -> None:
        """Release the file or connection."""


class ObjectStore(Protocol):
    """Stores objects of at least one byte by their digest. Writes are atomic.

    Every method except ``warm_up`` and ``is_available`` raises StorageDown if the store does not respond or denies
    access.
    """

    def new_upload(self) -> AbstractContextManager["Upload"]:
        """A temporary local file to write to; deleted at the end of the block."""

    def put(self, upload: "Upload") -> StoredObject:
        """Store an upload as an object; the same bytes give the same object.

        Raises:
            StorageFull, StorageDown: the object was not stored.
        """

    def exists(self, stored: StoredObject) -> bool:
        """Whether the object exists. A store that evicts by last use records the use."""

    def open(self, stored: StoredObject, first: int, last: int) -> ObjectReader:
        """Open a range of an object; both positions are inclusive and within the object.

        Raises:
            FileNotFoundError: the object does not exist.
        """

    def delete(self, digest: str) -> None:
        """Delete an object if it exists."""

    def list_unused_since(self, time_s: float) -> Iterator[Sequence[str]]:
        """Pages of digests of the objects last stored, or used, before a time in Unix seconds; in any order."""

    def warm_up(self) -> None:
        """Do the slow initialization of the first use. Opens no connection, raises nothing."""

    def is_available(self) -> bool:
        """Whether the store can be used; cheap enough for frequent health checks."""


class Upload:
    """Hashes and counts bytes as they are written to a temporary file."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self._hash = hashlib.sha256()
        self.length = 0
        self.head = b""

    def write(self, part: bytes) -> None:
        """Append bytes.

        Raises:
            StorageFull: the disk is full.
            StorageDown: another disk error.
        """
        with disk_errors():
            self.file.write(part)
        self._hash.update(part)
        self.length += len(part)
        if len(self.head) < HEAD_BYTES:
            self.head = (self.head + part)[:HEAD_BYTES]

    def sync(self) -> None:
        """Flush and sync the file to the disk."""
        with disk_errors():
            self.file.flush()
            run_in_thread(partial(os.fsync, self.file.fileno()))

    @property
    def stored(self) -> StoredObject:
        """The object that the bytes so far make."""
        return StoredObject(self._hash.hexdigest(), self.length, self.head)


@contextmanager
def disk_errors(*allowed: type[OSError]) -> Iterator[None]:
    """Convert OSError to StorageFull or StorageDown, except the ``allowed`` classes."""
    try:
        yield
    except allowed:
        raise
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise StorageFull("the disk is full") from error
        raise StorageDown(errno.errorcode.get(error.errno or 0, "disk error")) from error
