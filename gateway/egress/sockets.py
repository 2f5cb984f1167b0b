"""What every connection of ours obeys: a deadline for the headers, a stall timeout, a cap on interim responses."""

import http.client
import io
import re
import select
import socket
import ssl
import time
from contextlib import suppress
from email.errors import FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect
from typing import Any, cast

from gevent.monkey import get_original
from ssrfguard import Policy
from ssrfguard.requests import SafeAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection

from gateway.egress.names import Lookup

CONNECT_TIMEOUT_S = 3.0
HEADER_DEADLINE_S = 10.0
STALL_TIMEOUT_S = 20.0
MOST_INTERIM_RESPONSES = 8
MOST_TRAILER_LINES = 100
LONGEST_LINE = 65536
LONGEST_TURN_S = 0.001
MOST_AHEAD = 352 * 1024  # what an origin may send before we read it
MOST_AHEAD_EARNED = 6 * 2**20  # and when so much was read; the kernel lets it grow only for those who read fast
EARNED_AFTER = 4 * 2**20
_SO_BUF_LOCK = 72  # Linux 5.14: at 0, a buffer that was fixed may grow again
POOLS = 64  # of origins, the last asked ones, each with as many connections that wait
HEADER_BUFFER = 1024  # each open stream has one, and bodies pass it by
# The parser takes such a line, and all that follows, for no headers: what frames the body may be among them.
_LOST_HEADERS = (MissingHeaderBodySeparatorDefect, FirstHeaderLineIsContinuationDefect)
_poll = get_original("select", "poll")  # gevent's goes through its loop, even for a look
_DIGITS = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r?\n")


class _PacedFile(io.RawIOBase):
    """The receiving side of a socket, under a deadline until the headers are in and a stall timeout from then on."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw: io.RawIOBase = sock.makefile("rb", buffering=0)
        self._cut = self._bounded = False
        self._received, self._most_ahead = 0, MOST_AHEAD
        self._in_records = isinstance(sock, ssl.SSLSocket)
        self._failed: OSError | None = None
        self._yielded_at = time.monotonic()
        self._deadline: float | None = self._yielded_at + HEADER_DEADLINE_S

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 (any writable buffer)
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the headers took too long")
            self._sock.settimeout(left)
        if self._failed is not None:
            raise self._failed
        count = self._taking_turns(buffer)
        if self._deadline is not None:
            self._cut = self._cut or count == 0
        elif count and self._in_records:
            count += self._what_is_there(memoryview(buffer)[count:])
        self._bound_what_is_ahead(count or 0)
        return count

    def _what_is_there(self, room: memoryview) -> int:
        """Fill the room without waiting: TLS gives a record of 16 KB at a time, and each on its own is a long way up.

        What goes wrong is raised at the next read, after the bytes that came before it.
        """
        taken = 0
        self._sock.settimeout(0)
        try:
            while taken < len(room) and (count := self._sock.recv_into(room[taken:])):
                taken += count
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        except OSError as failed:
            self._failed = failed
        finally:
            self._sock.settimeout(STALL_TIMEOUT_S)
        return taken

    def _taking_turns(self, buffer: Any) -> int | None:  # noqa: ANN401 (any writable buffer)
        """Give way now and then: gevent's sockets do so only when they wait, and a flood never makes them wait."""
        began = time.monotonic()
        if began - self._yielded_at > LONGEST_TURN_S:
            time.sleep(0)
            began = self._yielded_at = time.monotonic()
        count = self._raw.readinto(buffer)
        now = time.monotonic()
        if now - began > LONGEST_TURN_S:  # it waited, and others ran
            self._yielded_at = now
        return count

    def _bound_what_is_ahead(self, count: int) -> None:
        """Stop the kernel's buffer growing: it begins small, and grows with the speed of the reader to many MiB.

        Bounding the window (``TCP_WINDOW_CLAMP``) is not enough: a full one is promised anew while the buffer has room.
        """
        self._received += count
        if self._received > EARNED_AFTER and self._most_ahead == MOST_AHEAD:
            self._most_ahead = MOST_AHEAD_EARNED
            with suppress(OSError):  # an older kernel, in which it stays as small
                self._sock.setsockopt(socket.SOL_SOCKET, _SO_BUF_LOCK, 0)
                self._bounded = False
        size = 0 if self._bounded else self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        if size > self._most_ahead:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._most_ahead // 2)  # Linux doubles it
            self._bounded = True

    def headers_are_in(self) -> None:
        if self._cut:
            raise http.client.HTTPException("the headers were cut")
        self._deadline = None
        self._sock.settimeout(STALL_TIMEOUT_S)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Paced:
    """What :class:`http.client.HTTPResponse` wants of a socket: only ``makefile``."""

    def __init__(self, sock: socket.socket) -> None:
        self.file = _PacedFile(sock)

    def makefile(self, _mode: str, _buffering: int = -1) -> io.BufferedReader:
        return io.BufferedReader(self.file, HEADER_BUFFER)


class BoundedResponse(http.client.HTTPResponse):
    """A response whose headers come in time, after at most eight interim responses, and with few trailers.

    CPython before the fix of gh-150743 reads interim responses (RFC 9110 section 15.2) and trailers for ever.
    """

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (http.client's own)
        paced = _Paced(sock)
        super().__init__(paced, *args, **kwargs)  # type: ignore[arg-type]  # it calls makefile and nothing else
        self._paced_file = paced.file
        self._interim = 0
        self._lent: tuple[BoundedPool, HTTPConnection] | None = None

    def begin(self) -> None:
        """Read the headers, under the deadline."""
        super().begin()
        self._paced_file.headers_are_in()
        if any(isinstance(defect, _LOST_HEADERS) for defect in self.headers.defects):
            raise http.client.HTTPException("a line among the headers that is none")
        if self.headers.get("Transfer-Encoding", "chunked").strip().lower() != "chunked":
            raise http.client.HTTPException("a transfer coding that was not asked for")
        lengths = self._lengths()
        if len(lengths) > 1:  # urllib3 refuses them later, when nobody closes the connection
            raise http.client.HTTPException("lengths that differ")
        if self.length is None and not self.chunked and _DIGITS.fullmatch(length := lengths.pop()):
            self.length = int(length)  # the same one told twice

    def lend(self, pool: "BoundedPool", connection: HTTPConnection) -> None:
        """Come over this connection, which goes back to the pool when the body was read to its end."""
        self._lent = pool, connection

    def give_back(self) -> None:
        """Let the next request have the connection: the body was read to its end."""
        lent, self._lent = self._lent, None
        if lent is not None:
            super().close()
            lent[0].take_back(lent[1], closed=self.will_close)

    def close(self) -> None:
        """Close what is open: a connection with it that was not given back."""
        super().close()
        lent, self._lent = self._lent, None
        if lent is not None:
            lent[1].close()

    def _lengths(self) -> set[str]:
        """What the headers say of the length; a list is as many headers (RFC 9110 section 8.6)."""
        told = ",".join(self.headers.get_all("Content-Length", []))
        return {length.strip() for length in told.split(",")}

    def _get_chunk_left(self) -> int | None:
        if self.chunk_left == 0:
            if self._safe_read(2) != b"\r\n":  # type: ignore[attr-defined]
                raise http.client.IncompleteRead(b"")
            self.chunk_left = None
        return super()._get_chunk_left()  # type: ignore[misc,no-any-return]

    def _read_next_chunk_size(self) -> int:
        """Take hexadecimal digits alone for a size; CPython also takes signs, prefixes and underscores."""
        line = self.fp.readline(LONGEST_LINE)
        match = _CHUNK_SIZE.fullmatch(line)
        if not match:
            raise http.client.IncompleteRead(b"")
        return int(match[1], 16)

    def _read_and_discard_trailer(self) -> None:
        for _ in range(MOST_TRAILER_LINES):
            if self.fp.readline(LONGEST_LINE) in {b"\r\n", b"\n", b""}:
                return
        raise http.client.HTTPException("too many trailers")

    def _read_status(self) -> tuple[str, int, str]:
        """Read the final status, or a 100, which the caller skips; other interim responses are skipped here."""
        while True:
            self._interim += 1
            if self._interim > MOST_INTERIM_RESPONSES + 1:  # and the final one
                raise http.client.HTTPException("too many interim responses")
            version, status, reason = super()._read_status()  # type: ignore[misc]  # typeshed has no private methods
            if not 100 < status < 200 or status == 101:
                return version, status, reason
            http.client.parse_headers(self.fp)


class BoundedPool(HTTPConnectionPool):
    """The connections to one origin. It asks over them with less ado than the library: it is a GET each time."""

    def get(self, request: bytes) -> BoundedResponse:
        """Send a request over a connection that waits, or a new one, and read the headers of the answer.

        Raises:
            SSRFGuardError, HTTPError, http.client.HTTPException, OSError: what went wrong on the way.
        """
        connection = cast("HTTPConnection", self._get_conn())
        try:
            response = _answer(connection, request)
        except BaseException:
            connection.close()
            raise
        response.lend(self, connection)
        return response

    def take_back(self, connection: HTTPConnection, *, closed: bool) -> None:
        """Keep a connection for the next request, unless its origin closes it."""
        if closed:
            connection.close()
        else:
            self._put_conn(connection)


def _is_open_and_quiet(connection: HTTPConnection) -> bool:
    """Whether a connection that waits can be used: its origin neither closed it nor said anything unasked."""
    if connection.sock is None:
        return False
    look = _poll()
    look.register(connection.sock.fileno(), select.POLLIN)
    return not look.poll(0)


def _answer(connection: HTTPConnection, request: bytes) -> BoundedResponse:
    if connection.sock is None:
        connection.timeout = CONNECT_TIMEOUT_S
        connection.connect()
    connection.sock.settimeout(STALL_TIMEOUT_S)
    with suppress(BrokenPipeError, ConnectionResetError):  # the answer may have come before
        connection.sock.sendall(request)
    response = BoundedResponse(connection.sock, method="GET")
    try:
        response.begin()
    except BaseException:
        response.close()
        raise
    return response


def guarded_adapter(policy: Policy, lookup: Lookup, *, pool_size: int = POOLS, **pool_options: Any) -> SafeAdapter:  # noqa: ANN401
    """Build the transport adapter for one policy: every address checked at connect time, every response bounded.

    The connection classes are made per adapter, so that urllib3's own stay as they are.
    """
    adapter = SafeAdapter(policy=policy, resolver=lookup, pool_connections=pool_size, pool_maxsize=pool_size)
    adapter.init_poolmanager(pool_size, pool_size, **pool_options)
    pools = adapter.poolmanager.pool_classes_by_scheme
    for scheme, pool in pools.items():
        pool.ConnectionCls.response_class = BoundedResponse
        pool.ConnectionCls.is_connected = property(_is_open_and_quiet)
        pools[scheme] = type(pool.__name__, (BoundedPool, pool), {})
    return adapter
