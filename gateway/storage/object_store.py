"""Where the bytes of images are kept: the contract of the stores, and what they share."""

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
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object: the SHA-256 of its bytes in hexadecimal, its length, and its first bytes."""

    digest: str
    length: int
    head: bytes


class ObjectReader(Protocol):
    """An open object."""

    def read(self, amount: int, /) -> bytes:
        """Read at most ``amount`` bytes; empty at the end.

        Raises:
            StorageDown: the store broke off.
        """

    def close(self) -> None:
        """Let go of it."""


class ObjectStore(Protocol):
    """Keeps objects of at least one byte by their digest. An object is there whole, or not at all.

    Every method but ``prepare`` and ``answers`` raises StorageDown when the store does not answer or refuses access.
    """

    def new_upload(self) -> AbstractContextManager["Upload"]:
        """A place on this machine to write bytes to; what is not kept when the block ends is dropped."""

    def put(self, upload: "Upload") -> StoredObject:
        """Make an object of what was written; the same bytes again are the same object.

        Raises:
            StorageFull, StorageDown: it was not kept.
        """

    def exists(self, stored: StoredObject) -> bool:
        """Tell whether the object is there, and note that it is used where that is counted."""

    def open(self, stored: StoredObject, first: int, last: int) -> ObjectReader:
        """Open a span of an object; both positions are inclusive, and lie in it.

        Raises:
            FileNotFoundError: the object is not there.
        """

    def delete(self, digest: str) -> None:
        """Drop an object; one that is not there is no fault."""

    def list_unused_since(self, time_s: float) -> Iterator[Sequence[str]]:
        """The digests of the objects that were stored, or used, last before a time in Unix seconds; in any order."""

    def warm_up(self) -> None:
        """Prepare, before any request, what the first use would block on. Opens no connection; raises nothing."""

    def is_available(self) -> bool:
        """Tell whether the store can be used, at the price of nothing: it is asked again and again."""


class Upload:
    """Bytes on their way in: hashed and counted as they are written.

    Args:
        file: a temporary file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self._hash = hashlib.sha256()
        self.length = 0
        self.head = b""

    def write(self, part: bytes) -> None:
        """Take in some bytes.

        Raises:
            StorageFull: the disk is.
            StorageDown: the disk fails.
        """
        with disk_errors():
            self.file.write(part)
        self._hash.update(part)
        self.length += len(part)
        if len(self.head) < HEAD_BYTES:
            self.head = (self.head + part)[:HEAD_BYTES]

    def sync(self) -> None:
        """Bring everything to the disk."""
        with disk_errors():
            self.file.flush()
            run_in_thread(partial(os.fsync, self.file.fileno()))

    @property
    def stored(self) -> StoredObject:
        """What was taken in."""
        return StoredObject(self._hash.hexdigest(), self.length, self.head)


@contextmanager
def disk_errors(*but: type[OSError]) -> Iterator[None]:
    """Turn what the system raises into our errors, ``but`` these, which mean something to the caller."""
    try:
        yield
    except but:
        raise
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFull("no room on the disk") from error
        raise StorageDown(errno.errorcode.get(error.errno or 0, "the disk fails")) from error
