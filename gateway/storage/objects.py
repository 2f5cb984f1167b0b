"""Where the bytes of images are kept: the contract of the stores, and what both share."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from gateway.errors import StorageFull

HEAD_BYTES = 64
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class Stored:
    """An object: the SHA-256 of its bytes in hexadecimal, its length, and its first bytes."""

    digest: str
    length: int
    head: bytes


class Reading(Protocol):
    """An open object."""

    def read(self, amount: int, /) -> bytes:
        """Read at most ``amount`` bytes; empty at the end."""

    def close(self) -> None:
        """Let go of it."""


class Objects(Protocol):
    """Keeps objects by their digest. An object is there whole, or not at all."""

    def receiving(self) -> AbstractContextManager["Incoming"]:
        """A place to write bytes to; what is not kept when the block ends is dropped."""

    def keep(self, incoming: "Incoming") -> Stored:
        """Make an object of what was written.

        Raises:
            StorageFull, StorageDown: it was not kept.
        """

    def has(self, stored: Stored) -> bool:
        """Tell whether the object is there, and note that it is used."""

    def open(self, stored: Stored, first: int, last: int) -> Reading:
        """Open a span of an object, both positions inclusive."""

    def delete(self, digest: str) -> None:
        """Drop an object; one that is not there is no fault."""


class Incoming:
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
            os.fsync(self.file.fileno())

    @property
    def stored(self) -> Stored:
        """What was taken in."""
        return Stored(self._hash.hexdigest(), self.length, self.head)


@contextmanager
def disk_errors() -> Iterator[None]:
    """Tell a full disk by its name."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFull("no room on the disk") from error
        raise
