"""The interface of sources (location and expiry of a file), and open files."""

import time
from collections.abc import Callable
from typing import Protocol

from gateway.errors import OriginFailed, OriginTimeout
from gateway.files.byte_range import ByteRange
from gateway.files.file_info import FileInfo

THROUGHPUT_WINDOW_S = 30.0
MIN_THROUGHPUT = 8 * 1024  # bytes per second


class Body(Protocol):
    """A readable body that must be closed."""

    def read(self, amount: int, /) -> bytes:
        """Read at most ``amount`` bytes, without waiting for all of them; empty at the end."""

    def close(self) -> None:
        """Close it."""


class OpenFile:
    """A file, or one range of it, open for reading. It must be closed.

    An origin that sends less than 8 KiB/s fails. Time between reads does not count, as the client may be slow.

    Args:
        info: the file's metadata.
        byte_range: the range that the body holds; None for the whole file.
        body: the bytes that were not read yet.
        begun: the bytes that were read already.
        clock: monotonic seconds.
    """

    __slots__ = ("_begun", "_body", "_clock", "_left", "_received", "_waited_s", "byte_range", "info")

    def __init__(
        self,
        info: FileInfo,
        byte_range: ByteRange | None,
        body: Body,
        begun: bytes = b"",
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.info = info
        self.byte_range = byte_range
        self._body = body
        self._begun = begun
        self._clock = clock
        self._received, self._waited_s = 0, 0.0
        self._left = len(byte_range) if byte_range else None
        if byte_range is None and info.length == 0:
            self._left = 0  # the body of a 416 is a message, not the file

    @property
    def descriptor(self) -> int | None:
        """The descriptor of a local file, positioned at the range; None for a remote file."""
        descriptor: int | None = getattr(self._body, "descriptor", None)
        return descriptor

    def read(self, amount: int) -> bytes:
        """Read at most ``amount`` bytes, without waiting for all of them; empty at the end.

        Raises:
            OriginError: the origin broke off, or sent less than the range.
            OriginTimeout: less than 8 KiB/s came during the last 30 s of waiting.
        """
        left = self._left
        if left is not None and left < amount:
            amount = left
        if amount == 0:
            return b""
        if self._begun:
            part, self._begun = self._begun[:amount], self._begun[amount:]
            self._received += len(part)
        else:
            part = self._read_body(amount)
        if left is not None:
            if not part:
                raise OriginFailed("fewer bytes than the range")
            self._left = left - len(part)
        return part

    def close(self) -> None:
        """Close the body."""
        self._body.close()

    def _read_body(self, amount: int) -> bytes:
        started_at = self._clock()
        part = self._body.read(amount)
        self._waited_s += self._clock() - started_at
        self._received += len(part)
        if self._waited_s >= THROUGHPUT_WINDOW_S:
            if self._received < THROUGHPUT_WINDOW_S * MIN_THROUGHPUT:
                raise OriginTimeout("the origin is slower than 8 KiB/s")
            self._received, self._waited_s = 0, 0.0
        return part


class Source(Protocol):
    """One file, at an origin or in our own storage.

    Attributes:
        made_at: monotonic seconds.
        expires_at: Unix seconds until which the source can be used.
        info: the file's metadata; None before they are known.
        sets_filename: whether a browser that is redirected there saves the file under the link's name.
    """

    made_at: float
    expires_at: float
    info: FileInfo | None
    sets_filename: bool

    @property
    def redirect_blocker(self) -> str:
        """Why a browser cannot be redirected there, in one word; empty when it can."""

    def probe(self) -> FileInfo:
        """Get the file's metadata without fetching the file, and keep them.

        Raises:
            GatewayError: the file is not available.
        """

    def open(self, byte_range: ByteRange | None = None, known: FileInfo | None = None) -> OpenFile:
        """Open the whole file, or one range of it.

        The origin may ignore the range and answer with the whole file: see ``OpenFile.byte_range``. Call :meth:`probe`
        before a range is requested, as the media type is detected from the first bytes.

        Args:
            byte_range: the range to open; None opens the whole file.
            known: metadata of the file that the range must belong to; the origin gets its entity tag as ``If-Range``.

        Raises:
            GatewayError: the file is not available.
            RangeNotSatisfiable: the file is shorter than the range's first position.
        """

    def forget(self, seen: FileInfo | None) -> None:
        """Drop the metadata, unless they have changed since ``seen``."""

    def direct_url(self, disposition: str, content_type: str) -> str:
        """The direct URL. The two header values are signed into it where the storage can send them.

        Raises:
            OriginUnsafe: the URL leads to an address that the guard refuses.
        """
