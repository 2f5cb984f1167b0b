"""An origin's HTTP/1.1 response (RFC 9112), parsed by ``httptools`` (llhttp)."""

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from typing import Any, NamedTuple

import httptools

from gateway.egress.buffered_reader import FIRST_READ, BufferedSocketReader, BufferedTlsReader

MAX_INTERIM_RESPONSES = 8
MAX_HEADERS = 100
MAX_LENGTH_DIGITS = 20  # of a Content-Length
MAX_HEAD_BYTES = 64 * 1024
MAX_FRAMING_BYTES = 64 * 1024  # consecutive bytes of chunk sizes and trailers
_SWITCHING_PROTOCOLS = 101
_BODILESS = {_SWITCHING_PROTOCOLS, 204, 304}
OnEnd = Callable[[bool], None]


class ResponseHead(NamedTuple):
    """The status line and the headers of a response.

    Attributes:
        minor: the minor version of HTTP/1.
        status: 200 to 999, or 101.
        fields: the headers by lower-case names; repeated ones are joined with commas (RFC 9110 section 5.2).
    """

    minor: int
    status: int
    fields: dict[str, str]


def make_reader(sock: socket.socket) -> BufferedSocketReader:
    """The reader for a connection, plain or TLS."""
    return BufferedTlsReader(sock) if isinstance(sock, ssl.SSLSocket) else BufferedSocketReader(sock)


class ResponseParser:
    """Parses a response, and collects its head and the parts of its body.

    llhttp calls the ``on_…`` methods; an exception in them ends the parsing.
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
        """A status line begins; a second final response is surplus."""
        self.surplus = self.complete

    def on_status(self, reason: bytes) -> None:
        """The reason phrase, which llhttp does not check."""
        if b"\0" in reason:
            raise HTTPException("NUL in the reason phrase")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a field of the trailer section, which is ignored."""
        if self.head is not None:
            return
        self.lines += 1
        if self.lines > MAX_HEADERS:
            raise HTTPException("too many headers")
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")
        self.fields[key] = f"{self.fields[key]}, {text}" if key in self.fields else text

    def on_headers_complete(self) -> None:
        """The head is complete; interim responses are dropped (RFC 9110 section 15.2)."""
        status = self._parser.get_status_code()
        if status < 200 and status != _SWITCHING_PROTOCOLS:
            self.interim += 1
            if self.interim > MAX_INTERIM_RESPONSES:
                raise HTTPException("too many interim responses")
            self.fields, self.lines = {}, 0
        elif not self.complete:
            self.head = ResponseHead(int(self._parser.get_http_version()[-1]), status, self.fields)

    def on_body(self, part: bytes) -> None:
        """A part of the decoded body."""
        if not self.complete:
            self.parts.append(part)

    def on_message_complete(self) -> None:
        """The body is complete."""
        self.complete = self.head is not None

    def feed(self, data: bytes) -> None:
        """Parse received bytes.

        Raises:
            HTTPException: malformed.
        """
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.complete = True
        except httptools.HttpParserError as malformed:
            self.close()
            if not self.complete:  # errors after a complete message are surplus bytes
                self.error = HTTPException(type(malformed).__name__)
                raise self.error from malformed
            self.surplus = True

    def close(self) -> None:
        """Break the reference cycle with llhttp's parser."""
        self._parser = None


def read_response(incoming: BufferedSocketReader, on_end: OnEnd) -> tuple[ResponseHead, "HttpResponse"]:
    """Read the head of the final response.

    Args:
        incoming: the connection on which the request was sent.
        on_end: called once at the end, with whether the connection can be reused.

    Raises:
        RemoteDisconnected: the connection was closed before the first byte.
        HTTPException: the head is malformed, incomplete, or larger than 64 KiB.
        OSError: the connection broke, or the deadline passed.
    """
    parser, received = ResponseParser(), 0
    while parser.head is None:
        data = incoming.read_available(FIRST_READ)
        if not data:
            raise HTTPException("closed within the headers") if received else RemoteDisconnected("closed")
        received += len(data)
        if received > MAX_HEAD_BYTES:
            raise HTTPException("the headers are too long")
        with suppress(HTTPException):  # errors in the body are raised by read(), after the parts before them
            parser.feed(data)
        if parser.error is not None and parser.head is None:
            raise parser.error
    return parser.head, HttpResponse(incoming, parser, parser.head, on_end)


class HttpResponse:
    """A response whose body is still to be read.

    Attributes:
        length: the body's length in bytes; None when unknown.

    Raises:
        HTTPException: a framing field is malformed (RFC 9112 section 6.3).
    """

    __slots__ = ("_buffered", "_incoming", "_left", "_on_end", "_parser", "_reusable", "length")

    def __init__(
        self, incoming: BufferedSocketReader, parser: ResponseParser, head: ResponseHead, on_end: OnEnd
    ) -> None:
        self._on_end: OnEnd | None = None
        self._left: int | None = None
        self._parser: ResponseParser | None = None
        self._incoming = incoming
        coding, stated = head.fields.get("transfer-encoding"), head.fields.get("content-length")
        if coding is not None and coding.lower() != "chunked":
            raise HTTPException("an unsupported transfer coding")
        length = None if stated is None else _length(stated)
        # Not reusable: with both fields, with neither (the body ends with the connection), and chunks in HTTP/1.0.
        is_clear = length is not None if coding is None else stated is None and head.minor > 0
        if head.status in _BODILESS:
            coding, length, is_clear = None, 0, True
        self.length = self._left = length if coding is None else None
        self._reusable = is_clear and _is_persistent(head) and not parser.surplus
        self._buffered = b"".join(parser.parts)
        if coding is None:
            parser.close()  # the parser is needed only for chunks
        else:
            self._parser = parser
        parser.parts = []
        self._on_end = on_end

    def read(self, amount: int) -> bytes:
        """Read at most ``amount`` bytes that have arrived; wait only when there are none. Empty at the end.

        Raises:
            HTTPException: the body is shorter than its length, or its framing is malformed.
            OSError: the connection broke, or no byte arrived for the stall timeout.
        """
        if self._on_end is None or not amount:
            return b""
        self._incoming.until = 0.0
        if self._buffered:
            part, self._buffered = self._buffered[:amount], self._buffered[amount:]
        elif self._parser is not None:
            part = self._read_chunks(self._parser, amount)
        else:
            part = self._read_plain(amount)
        if self._left is not None:
            self._left -= len(part)
            if not self._left:
                self._finish()
        return part

    def close(self) -> None:
        """Stop reading. The connection is reused only when the body was read completely."""
        if self._left == 0:
            self._finish()
        self._end(is_reusable=False)

    def __del__(self) -> None:
        """Close a response that the caller did not close."""
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

    def _read_chunks(self, parser: ResponseParser, amount: int) -> bytes:
        received = 0
        while not (parser.parts or parser.complete):
            if parser.error is not None:
                raise parser.error
            data = self._incoming.read_available(amount)
            if not data or received > MAX_FRAMING_BYTES:
                raise IncompleteRead(b"")
            received += len(data)
            with suppress(HTTPException):  # raised by the next read, after the parts before the error
                parser.feed(data)
        part, parser.parts = b"".join(parser.parts), []
        if not part:
            self._reusable = self._reusable and not parser.surplus
            self._finish()
        return part

    def _finish(self) -> None:
        self._end(is_reusable=self._reusable and self._incoming.is_clean)

    def _end(self, *, is_reusable: bool) -> None:
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(is_reusable)
        if self._parser is not None:
            self._parser.close()


def _length(value: str) -> int:
    """Parse a Content-Length (RFC 9110 section 8.6); llhttp refuses malformed and repeated ones.

    Raises:
        HTTPException: too many digits.
    """
    if len(value) > MAX_LENGTH_DIGITS:
        raise HTTPException("Content-Length is too long")
    return int(value)


def _is_persistent(head: ResponseHead) -> bool:
    """Whether the connection persists after the response (RFC 9112 section 9.3)."""
    options = {option.strip(" \t") for option in head.fields.get("connection", "").lower().split(",")}
    is_switched = head.status == _SWITCHING_PROTOCOLS
    return not is_switched and "close" not in options and (head.minor > 0 or "keep-alive" in options)
