"""Where the bytes are, until when, and what is known of them; whoever holds them."""

from typing import Protocol

from gateway.errors import OriginFailed
from gateway.files.byte_range import ByteRange
from gateway.files.file_info import FileInfo


class Body(Protocol):
    """What can be read, and must be closed."""

    def read(self, amount: int, /) -> bytes:
        """Read what is there, at most ``amount`` bytes; empty at the end."""

    def close(self) -> None:
        """Let it go."""


class OpenFile:
    """A file, or one span of it, open for reading. Close it always."""

    __slots__ = ("_begun", "_body", "_left", "byte_range", "info")

    def __init__(self, info: FileInfo, byte_range: ByteRange | None, body: Body, begun: bytes = b"") -> None:
        self.info = info
        self.byte_range = byte_range
        self._body = body
        self._begun = begun
        self._left = (
            len(byte_range) if byte_range else 0 if info.length == 0 else None
        )  # a 416 has a text, which is no file

    @property
    def descriptor(self) -> int | None:
        """The descriptor of a file of our own, positioned where the span begins; None for what comes from elsewhere."""
        descriptor: int | None = getattr(self._body, "descriptor", None)
        return descriptor

    def read(self, amount: int) -> bytes:
        """Read what is there, at most ``amount`` bytes; empty at the end.

        Raises:
            OriginError: the origin broke off, or sent less than the span.
        """
        if self._left is not None:
            amount = min(amount, self._left)
        if amount == 0:
            return b""
        if self._begun:
            part, self._begun = self._begun[:amount], self._begun[amount:]
        else:
            part = self._body.read(amount)
        if self._left is not None:
            if not part:
                raise OriginFailed("less than the range it promised")
            self._left -= len(part)
        return part

    def close(self) -> None:
        """Let the origin go."""
        self._body.close()


class Source(Protocol):
    """One file, wherever it is.

    Attributes:
        made_at: monotonic seconds.
        expires_at: Unix seconds until which the source is good.
        facts: what is known of the file; None before anybody looked.
        names_itself: whether a browser that is sent there gets the name that was asked for.
    """

    made_at: float
    expires_at: float
    info: FileInfo | None
    sets_filename: bool

    @property
    def redirect_blocker(self) -> str:
        """Why a browser cannot be sent there, in one word; empty when it can."""

    def look(self) -> FileInfo:
        """Learn what the file is without fetching it, and remember.

        Raises:
            GatewayError: whoever holds it does not give it.
        """

    def open(self, byte_range: ByteRange | None = None, known: FileInfo | None = None) -> OpenFile:
        """Open the whole file, or one range of it.

        The origin may ignore the range and answer with the whole file: see ``OpenFile.byte_range``. Call ``look``
        before a range is asked for, as the media type is detected from the first bytes.

        Args:
            byte_range: the range to open; None opens the whole file.
            known: metadata of the file that a range must belong to; the origin is asked with ``If-Range``.

        Raises:
            GatewayError: whoever holds it does not give it.
            RangeNotSatisfiable: the file is shorter than the range's first position.
        """

    def forget(self, seen: FileInfo | None) -> None:
        """Look anew the next time, unless somebody else has since ``seen`` was learned."""

    def direct_url(self, disposition: str, content_type: str) -> str:
        """Where to send a browser, unless it is held back; the two headers are for whoever can be asked to say them.

        Raises:
            OriginUnsafe: its name leads to an address that nobody is sent to.
        """
