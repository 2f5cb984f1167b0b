"""A response of an origin: its body as its head frames it (RFC 9112 sections 6 and 7), read strictly."""

import re
import socket
import ssl
from collections.abc import Callable
from http.client import HTTPException, IncompleteRead

from gateway.egress.head import Head, is_field_line
from gateway.egress.incoming import Incoming, IncomingRecords

MOST_TRAILER_LINES = 100
_LENGTH = re.compile(r"[0-9]{1,4000}")  # int() takes no more than 4,300 digits
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n")  # RFC 9112 section 7.1
_SWITCHED = 101  # to another protocol
_BODILESS = {_SWITCHED, 204, 304}
Over = Callable[[bool], None]


def incoming_of(sock: socket.socket) -> Incoming:
    """What comes in over a connection, plain or TLS."""
    return IncomingRecords(sock) if isinstance(sock, ssl.SSLSocket) else Incoming(sock)


class Response:
    """A response whose head is in, and whose body is still to be read.

    Args:
        incoming: where the body comes from.
        head: what came before.
        over: called once, when nothing more will be read; with whether the connection is good for another request.
        bodiless: whether it is the answer to a request of which no answer has a body.

    Attributes:
        length: the body's in bytes; None when it is not told.
        keeps: whether the connection is kept when the body was read.

    Raises:
        HTTPException: the head contradicts itself, or a framing field is malformed (RFC 9112 section 6.3).
    """

    __slots__ = ("_chunk", "_in_chunks", "_incoming", "_left", "_over", "keeps", "length")

    def __init__(self, incoming: Incoming, head: Head, over: Over, *, bodiless: bool = False) -> None:
        self._over: Over | None = None
        self._left: int | None = None  # bytes of the body, where its length is told
        self._incoming = incoming
        coding, told = head.fields.get("transfer-encoding"), head.fields.get("content-length")
        if coding is not None and coding.lower() != "chunked":
            raise HTTPException("a transfer coding that was not asked for")
        length = None if told is None else _length(told)
        # With both told, one of them lies; with none, the connection's end is the body's; and 1.0 knew no chunks.
        clear = length is not None if coding is None else told is None and head.minor > 0
        if bodiless or head.status in _BODILESS:
            coding, length, clear = None, 0, True
        self.length = self._left = length if coding is None else None
        self.keeps = clear and _keeps(head)
        self._in_chunks = coding is not None
        self._chunk = -1  # bytes left of this one; -1 before the first
        self._over = over

    def read(self, amount: int) -> bytes:
        """Read what is there of the body, at most ``amount`` bytes; wait only when nothing is. Empty at the end.

        Raises:
            HTTPException: it ended before its length, or its framing is broken.
            OSError: the connection broke, or nothing came for the stall timeout.
        """
        if self._over is None or not amount:
            return b""
        self._incoming.until = 0.0
        if self._in_chunks:
            return self._read_chunk(amount)
        left = self._left
        if left is None:
            if not (part := self._incoming.take(amount)):
                self._end_with_connection()
            return part
        part = self._incoming.take(min(amount, left)) if left else b""
        if left and not part:
            raise IncompleteRead(b"", left)
        self._left = left = left - len(part)
        if not left:
            self._finish()
        return part

    def close(self) -> None:
        """Read no more of it. The connection is only good for another request when nothing was left."""
        if self._left == 0:
            self._finish()
        over, self._over = self._over, None
        if over is not None:
            over(False)  # noqa: FBT003 (what it is told is said where it is made)

    def __del__(self) -> None:
        """Let go of the connection of one that nobody closed."""
        self.close()

    def _finish(self) -> None:
        over, self._over = self._over, None
        if over is not None:
            over(self.keeps and self._incoming.is_clean)

    def _end_with_connection(self) -> None:
        if self._incoming.is_truncated:  # RFC 9112 section 9.8
            raise IncompleteRead(b"")
        self._finish()

    def _read_chunk(self, amount: int) -> bytes:
        if self._chunk <= 0:
            if self._chunk == 0 and self._incoming.line() != b"\r\n":
                raise IncompleteRead(b"")
            self._chunk = self._next_chunk()
            if not self._chunk:
                self._skip_trailers()
                self._finish()
                return b""
        part = self._incoming.take(min(amount, self._chunk))
        if not part:
            raise IncompleteRead(b"")
        self._chunk -= len(part)
        return part

    def _next_chunk(self) -> int:
        if not (match := _CHUNK_SIZE.fullmatch(self._incoming.line())):
            raise IncompleteRead(b"")
        return int(match[1], 16)

    def _skip_trailers(self) -> None:
        for _ in range(MOST_TRAILER_LINES):
            line = self._incoming.line()
            if line == b"\r\n":
                return
            if not is_field_line(line):
                raise HTTPException("a malformed trailer")
        raise HTTPException("too many trailers")


def _length(value: str) -> int:
    """Parse a Content-Length; a list that repeats one number is that number (RFC 9110 section 8.6).

    Raises:
        HTTPException: it is no number, or several that differ. Never taken for a missing field.
    """
    lengths = {length.strip(" \t") for length in value.split(",")}
    length = lengths.pop()
    if lengths or not _LENGTH.fullmatch(length):
        raise HTTPException("a malformed Content-Length")
    return int(length)


def _keeps(head: Head) -> bool:
    """Whether the connection is kept (RFC 9112 section 9.3)."""
    options = {option.strip(" \t") for option in head.fields.get("connection", "").lower().split(",")}
    return head.status != _SWITCHED and "close" not in options and (head.minor > 0 or "keep-alive" in options)
