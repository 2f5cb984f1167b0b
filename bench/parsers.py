"""Response parsers compared: the gateway's own, ``httptools`` (llhttp, C) and ``h11``, over the same bytes.

Run it with ``python -m bench.parsers``. It prints the time of one whole response of each parser, the ratio to the
gateway's, and which malformed responses each parser accepts as complete.
"""

from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import h11
import httptools

from bench.table import microseconds
from gateway.egress.buffered_reader import BufferedSocketReader
from gateway.egress.response import read_response

ROUNDS, CALLS = 15, 300
RECV_BYTES = 64 * 1024
_FIELDS = (
    b'Content-Type: image/png\r\nETag: "5f0c9c1e"\r\nAccept-Ranges: bytes\r\nServer: nginx\r\n'
    b"Date: Sat, 28 Nov 2026 06:00:00 GMT\r\nLast-Modified: Fri, 27 Nov 2026 06:00:00 GMT\r\n"
    b"Cache-Control: max-age=60\r\n"
)
_IMAGE = bytes(200_000)


def _chunked(body: bytes, size: int = 16 * 1024) -> bytes:
    parts = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


RESPONSES = {
    "200 KB with Content-Length": b"HTTP/1.1 200 OK\r\n%sContent-Length: 200000\r\n\r\n%s" % (_FIELDS, _IMAGE),
    "200 KB in chunks of 16 KiB": b"HTTP/1.1 200 OK\r\n%sTransfer-Encoding: chunked\r\n\r\n%s"
    % (_FIELDS, _chunked(_IMAGE)),
    "the head alone": b"HTTP/1.1 200 OK\r\n%sContent-Length: 0\r\n\r\n" % _FIELDS,
}
_OK = b"HTTP/1.1 200 OK\r\n"
MALFORMED = {
    "Content-Length: +5": _OK + b"Content-Length: +5\r\n\r\nhello",
    "Content-Length: 5x": _OK + b"Content-Length: 5x\r\n\r\nhello",
    "two different lengths": _OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "chunk size 0x5": _OK + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "bare LF after a chunk size": _OK + b"Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
    "NUL in a field value": _OK + b"ETag: a\x00b\r\nContent-Length: 5\r\n\r\nhello",
    "space before the colon": _OK + b"Content-Length : 5\r\n\r\nhello",
    "a line without a colon": _OK + b"Content-Length: 5\r\nnonsense\r\n\r\nhello",
    "a transfer coding nobody asked for": _OK + b"Transfer-Encoding: gzip\r\nConnection: close\r\n\r\nhello",
    "status line without a version": b"200 OK\r\nContent-Length: 5\r\n\r\nhello",
}


class _Recorded:
    """A socket whose peer sent everything already."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = memoryview(data), 0

    def recv(self, amount: int) -> bytes:
        """Receive at most ``amount`` bytes."""
        part = self._data[self._at : self._at + amount]
        self._at += len(part)
        return bytes(part)

    def settimeout(self, seconds: float) -> None:
        """Nothing waits."""

    def getsockopt(self, *_: int) -> int:
        """A receive buffer that is large enough."""
        return 2**30

    def setsockopt(self, *_: int) -> None:
        """Accepted."""


def ours(data: bytes) -> int:
    """Read a response as the gateway does, and return the number of its body's bytes."""
    incoming = BufferedSocketReader(_Recorded(data))  # type: ignore[arg-type]  # all that is used of a socket
    _, response = read_response(incoming, lambda _reusable: None)
    count = 0
    while part := response.read(RECV_BYTES):
        count += len(part)
    return count


class _Events:
    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.count, self.complete = 0, False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        self.count += len(part)

    def on_message_complete(self) -> None:
        self.complete = True


def llhttp(data: bytes) -> int:
    """The same by ``httptools``."""
    events, sock = _Events(), _Recorded(data)
    parser = httptools.HttpResponseParser(events)
    while not events.complete:
        if not (part := sock.recv(RECV_BYTES)):
            raise EOFError
        parser.feed_data(part)
    return events.count


def h11_events(data: bytes) -> int:
    """The same by ``h11``."""
    sock, connection, count = _Recorded(data), h11.Connection(h11.CLIENT), 0
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    while True:
        event: Any = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(sock.recv(RECV_BYTES))
        elif isinstance(event, h11.Data):
            count += len(event.data)
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            return count


PARSERS: dict[str, Callable[[bytes], int]] = {"the gateway's": ours, "httptools": llhttp, "h11": h11_events}


def run() -> None:
    """Measure, and print the tables."""
    print(f"{'':34}" + "".join(f"{name:>24}" for name in PARSERS))
    for name, data in RESPONSES.items():
        rounds = [[microseconds(partial(parse, data), CALLS) for parse in PARSERS.values()] for _ in range(ROUNDS)]
        medians = [median(figures) for figures in zip(*rounds, strict=True)]
        print(f"{name:34}" + "".join(f"{m:13,.1f} µs {m / medians[0]:6.2f} x" for m in medians))
    print("\nmalformed, and accepted by")
    for name, data in MALFORMED.items():
        print(f"{name:34}{', '.join(p for p, read in PARSERS.items() if _accepts(read, data)) or '-'}")


def _accepts(read: Callable[[bytes], int], data: bytes) -> bool:
    try:
        return read(data) == len(b"hello")
    except Exception:  # noqa: BLE001 (every parser has its own)
        return False


if __name__ == "__main__":
    run()
