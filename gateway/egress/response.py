"""A response of an origin, parsed by ``httptools`` (llhttp) as RFC 9112 frames it."""

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from typing import Any, NamedTuple

import httptools

from gateway.egress.buffered_reader import FIRST_READ, BufferedSocketReader, BufferedTlsReader

MOST_INTERIM_RESPONSES = 8
MOST_FIELDS = 100
MOST_DIGITS = 20  # of a Content-Length
MOST_HEAD_BYTES = 64 * 1024
MOST_FRAMING_BYTES = 64 * 1024  # of chunk sizes and trailers in a row
_SWITCHING_PROTOCOLS = 101
_BODILESS = {_SWITCHING_PROTOCOLS, 204, 304}
OnEnd = Callable[[bool], None]


class ResponseHead(NamedTuple):
    """The status line and the headers of a response.

    Attributes:
        minor: of the version, HTTP/1.``minor``.
        status: 200 to 999, or 101.
        fields: the headers by their names in lower case; a repeated one as a list (RFC 9110 section 5.2).
    """

    minor: int
    status: int
    fields: dict[str, str]


def reader_of(sock: socket.socket) -> BufferedSocketReader:
    """The reader of a connection, plain or TLS."""
    return BufferedTlsReader(sock) if isinstance(sock, ssl.SSLSocket) else BufferedSocketReader(sock)


class Events:
    """What the parser finds: the head, parts of the body, and the end of the message.

    The parser calls these methods while it is fed; an exception of theirs ends the parsing.
    """

    __slots__ = ("_parser", "complete", "error", "fields", "head", "interim", "lines", "parts", "surplus")

    def __init__(self) -> None:
        self._parser: Any = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(lenient_chunked_length=True)  # both stated: the connection is not reused
        self.head: ResponseHead | None = None
        self.fields: dict[str, str] = {}
        self.parts: list[bytes] = []
        self.complete = self.surplus = False
        self.interim = self.lines = 0
        self.error: HTTPException | None = None

    def on_message_begin(self) -> None:
        """A status line begins; one after the final response was not asked for."""
        self.surplus = self.complete

    def on_status(self, reason: bytes) -> None:
        """The reason phrase, of which the parser checks no character."""
        if b"\0" in reason:
            raise HTTPException("NUL in the reason phrase")

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header line, or one line of the trailer section."""
        if self.head is not None:
            return
        self.lines += 1
        if self.lines > MOST_FIELDS:
            raise HTTPException("too many headers")
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")
        self.fields[key] = f"{self.fields[key]}, {text}" if key in self.fields else text

    def on_headers_complete(self) -> None:
        """The head is whole; an interim one is dropped (RFC 9110 section 15.2)."""
        status = self._parser.get_status_code()
        if status < 200 and status != _SWITCHING_PROTOCOLS:
            self.interim += 1
            if self.interim > MOST_INTERIM_RESPONSES:
                raise HTTPException("too many interim responses")
            self.fields, self.lines = {}, 0
        elif not self.complete:
            self.head = ResponseHead(int(self._parser.get_http_version()[-1]), status, self.fields)

    def on_body(self, part: bytes) -> None:
        """A part of the body, without its framing."""
        if not self.complete:
            self.parts.append(part)

    def on_message_complete(self) -> None:
        """The body is whole."""
        self.complete = self.head is not None

    def feed(self, data: bytes) -> None:
        """Parse.

        Raises:
            HTTPException: it is malformed.
        """
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.complete = True
        except httptools.HttpParserError as malformed:
            self.close()
            if not self.complete:  # what follows a complete message was not asked for
                self.error = HTTPException(type(malformed).__name__)
                raise self.error from malformed
            self.surplus = True

    def close(self) -> None:
        """Drop the parser, which refers to this object."""
        self._parser = None


def read_response(incoming: BufferedSocketReader, on_end: OnEnd) -> tuple[ResponseHead, "HttpResponse"]:
    """Read the head of the final response.

    Args:
        incoming: the connection, on which a request was sent.
        on_end: called once, when nothing more will be read; with whether the connection may carry another request.

    Raises:
        RemoteDisconnected: the connection was closed before anything came.
        HTTPException: the head is malformed, cut, or larger than 64 KiB, or a framing field is malformed.
        OSError: the connection broke, or the deadline passed.
    """
    events, received = Events(), 0
    while events.head is None:
        data = incoming.read_available(FIRST_READ)
        if not data:
            raise HTTPException("cut amid the headers") if received else RemoteDisconnected("closed without a word")
        received += len(data)
        if received > MOST_HEAD_BYTES:
            raise HTTPException("the headers are too long")
        with suppress(HTTPException):  # of the body: raised when it is read, after the part that came before it
            events.feed(data)
        if events.error is not None and events.head is None:
            raise events.error
    return events.head, HttpResponse(incoming, events, events.head, on_end)


class HttpResponse:
    """A response whose head is read, and whose body is still to be read.

    Attributes:
        length: of the body in bytes; None when the origin did not state it.

    Raises:
        HTTPException: a framing field is malformed (RFC 9112 section 6.3).
    """

    __slots__ = ("_begun", "_events", "_incoming", "_left", "_on_end", "_reusable", "length")

    def __init__(self, incoming: BufferedSocketReader, events: Events, head: ResponseHead, on_end: OnEnd) -> None:
        self._on_end: OnEnd | None = None
        self._left: int | None = None
        self._events: Events | None = None
        self._incoming = incoming
        coding, stated = head.fields.get("transfer-encoding"), head.fields.get("content-length")
        if coding is not None and coding.lower() != "chunked":
            raise HTTPException("a transfer coding that was not asked for")
        length = None if stated is None else _length(stated)
        # Where both are stated one is wrong, where none is the connection's end ends the body, and 1.0 has no chunks.
        is_clear = length is not None if coding is None else stated is None and head.minor > 0
        if head.status in _BODILESS:
            coding, length, is_clear = None, 0, True
        self.length = self._left = length if coding is None else None
        self._reusable = is_clear and _is_persistent(head) and not events.surplus
        self._begun = b"".join(events.parts)
        if coding is None:
            events.close()  # the parser is needed for chunks alone
        else:
            self._events = events
        events.parts = []
        self._on_end = on_end

    def read(self, amount: int) -> bytes:
        """Read what is there of the body, at most ``amount`` bytes; wait only when nothing is. Empty at the end.

        Raises:
            HTTPException: the body ended before its length, or its framing is malformed.
            OSError: the connection broke, or nothing came for the stall timeout.
        """
        if self._on_end is None or not amount:
            return b""
        self._incoming.until = 0.0
        if self._begun:
            part, self._begun = self._begun[:amount], self._begun[amount:]
        elif self._events is not None:
            part = self._read_chunks(self._events, amount)
        else:
            part = self._read_plain(amount)
        if self._left is not None:
            self._left -= len(part)
            if not self._left:
                self._finish()
        return part

    def close(self) -> None:
        """Read no more of it. The connection is only good for another request when nothing was left."""
        if self._left == 0:
            self._finish()
        self._end(is_reusable=False)

    def __del__(self) -> None:
        """Close the connection of a response that was not closed."""
        self.close()

    def _read_plain(self, amount: int) -> bytes:
        left = self._left
        part = self._incoming.read_available(amount if left is None else min(amount, left)) if left != 0 else b""
        if part:
            return part
        if left or (left is None and self._incoming.is_truncated):  # RFC 9112 sections 6.3 and 9.8
            raise IncompleteRead(b"", left)
        self._finish()
        return b""

    def _read_chunks(self, events: Events, amount: int) -> bytes:
        received = 0
        while not (events.parts or events.complete):
            if events.error is not None:
                raise events.error
            data = self._incoming.read_available(amount)
            if not data or received > MOST_FRAMING_BYTES:
                raise IncompleteRead(b"")
            received += len(data)
            with suppress(HTTPException):  # raised at the next read, after the part that came before it
                events.feed(data)
        part, events.parts = b"".join(events.parts), []
        if not part:
            self._reusable = self._reusable and not events.surplus
            self._finish()
        return part

    def _finish(self) -> None:
        self._end(is_reusable=self._reusable and self._incoming.is_clean)

    def _end(self, *, is_reusable: bool) -> None:
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(is_reusable)
        if self._events is not None:
            self._events.close()


def _length(value: str) -> int:
    """Parse a Content-Length (RFC 9110 section 8.6).

    Raises:
        HTTPException: it is longer than any file. The parser refuses what is no number, and two of them.
    """
    if len(value) > MOST_DIGITS:
        raise HTTPException("Content-Length is too long")
    return int(value)


def _is_persistent(head: ResponseHead) -> bool:
    """Whether the connection stays open after the response (RFC 9112 section 9.3)."""
    options = {option.strip(" \t") for option in head.fields.get("connection", "").lower().split(",")}
    is_switched = head.status == _SWITCHING_PROTOCOLS
    return not is_switched and "close" not in options and (head.minor > 0 or "keep-alive" in options)
