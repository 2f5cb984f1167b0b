"""Reading from an origin's connection with deadlines and a bounded receive buffer."""

import io
import socket
import ssl
import time
from sys import maxsize
from typing import TYPE_CHECKING, Any

from gateway.egress import recv_buffer
from gateway.egress.deadline import deadline

if TYPE_CHECKING:
    from collections.abc import Callable

HEADER_DEADLINE_S = 10.0
STALL_TIMEOUT_S = 20.0
MAX_TURN_S = 0.001
FIRST_READ = 3 * 1024  # a head, and the beginning of a body
LARGE_READ = 2**20  # bytes per read of clients with 100 MB/s
_TLS_RECORD = 16 * 1024  # maximum size (RFC 8446 section 5.1)
_MAX_TLS_READ = 2**20  # fits into the processor's cache until it is sent
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class BufferedSocketReader:
    """The receiving side of a connection. The deadline for the response head begins at construction.

    Args:
        sock: connected; the reader sets its timeout.

    Attributes:
        until: deadline of the next read, in monotonic seconds; 0 for the stall timeout, from when the read waits.
        is_truncated: whether TLS ended without close_notify, so that an attacker may have ended it (RFC 9112 9.8).
    """

    __slots__ = (
        "_buffer_for",
        "_receive_now",
        "_sock",
        "_yielded_at",
        "is_truncated",
        "until",
    )

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer_for = FIRST_READ
        self.is_truncated = False
        self._yielded_at = time.monotonic()
        self.until = self._yielded_at + HEADER_DEADLINE_S
        sock.settimeout(0)
        self._receive_now: Callable[[int], bytes] = sock.recv

    @property
    def is_clean(self) -> bool:
        """Whether the receive buffer still has its bounded size, so that the connection can be reused."""
        return self._buffer_for < maxsize

    def read_available(self, amount: int) -> bytes:
        """Read at most ``amount`` bytes that have arrived; wait only when there are none. Empty at the end.

        Raises:
            OSError: the connection broke, or the deadline passed.
        """
        if time.monotonic() - self._yielded_at > MAX_TURN_S:
            self._yield_to_hub()
        if amount > self._buffer_for:
            self._widen(amount)
        return self._receive(amount)

    def _widen(self, amount: int) -> None:
        if amount < LARGE_READ:
            self._buffer_for = LARGE_READ - 1
            recv_buffer.widen(self._sock)
        else:
            self._buffer_for = maxsize
            recv_buffer.widen_for_fast_readers(self._sock)

    def _yield_to_hub(self) -> None:
        """Let other greenlets run: gevent's sockets switch only when they block, which a fast origin prevents."""
        time.sleep(0)
        self._yielded_at = time.monotonic()

    def _receive(self, amount: int) -> bytes:
        try:
            part = self._receive_now(amount)
        except _WOULD_BLOCK:
            part = None  # wait outside the handler: the traceback would hold some KB meanwhile
        if part is None:
            part = self._wait_and_receive(amount)
            self._yielded_at = time.monotonic()
        return part

    def _wait_and_receive(self, amount: int) -> bytes:
        now = time.monotonic()
        self.until = self.until or now + STALL_TIMEOUT_S
        if self.until <= now:
            raise TimeoutError("the deadline passed")
        self._sock.settimeout(self.until - now)
        try:
            return self._sock.recv(amount)
        finally:
            self._sock.settimeout(0)


class BufferedTlsReader(BufferedSocketReader):
    """The same over TLS; several records of 16 KB are read together."""

    __slots__ = ("_records",)

    def __init__(self, sock: ssl.SSLSocket) -> None:
        super().__init__(sock)
        self._records = _Records(sock)
        read = io.BufferedReader(self._records, 1).read1  # allocates the bytes, and buffers none
        self._receive_now = lambda amount: read(min(amount, _MAX_TLS_READ))

    @property
    def is_clean(self) -> bool:
        """The same, and the TLS library holds no unread bytes."""
        return super().is_clean and self._records.failed is None and not self._records.sock.pending()

    def _receive(self, amount: int) -> bytes:
        try:
            return super()._receive(amount)
        except ssl.SSLEOFError:
            self.is_truncated = True
            return b""

    def _wait_and_receive(self, amount: int) -> bytes:
        """Wait for a record; the socket's own timeout would start again with each byte of it."""
        with deadline(max(0, self.until - time.monotonic()) if self.until else STALL_TIMEOUT_S):
            first = super()._wait_and_receive(min(amount, _TLS_RECORD))
        if not first or len(first) == amount:
            return first
        try:
            return first + self._receive_now(amount - len(first))
        except _WOULD_BLOCK:
            return first
        except OSError as failed:
            self._records.failed = failed.with_traceback(None)
            return first


class _Records(io.RawIOBase):
    """Reads as many TLS records as have arrived and fit into the buffer.

    Attributes:
        sock: the connection.
        failed: an error after the first record; raised by the next read.
    """

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.sock = sock
        self.failed: OSError | None = None  # without its traceback, which refers to this object
        # Takes half the time of the socket's own method (docs/private-apis.md).
        ssl_object = getattr(sock, "_sslobj", None)
        self._read_record: Callable[[int, memoryview], int] = ssl_object.read if ssl_object else self._read_by_socket

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 (any writable buffer)
        if self.failed is not None:
            raise self._pop_error()
        room = memoryview(buffer)
        count = self.sock.recv_into(room)
        left = len(room) - count
        read = self._read_record
        try:
            while count and left:
                count = read(left, room[-left:])
                left -= count
        except (*_WOULD_BLOCK, ssl.SSLEOFError):
            pass  # the next recv_into reports an end
        except OSError as failed:
            self.failed = failed.with_traceback(None)
        return len(room) - left

    def _read_by_socket(self, amount: int, buffer: memoryview) -> int:
        return self.sock.recv_into(buffer, amount)

    def _pop_error(self) -> OSError:
        failed, self.failed = self.failed or OSError(), None
        return failed
