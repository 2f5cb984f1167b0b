"""What comes in over a connection: read under a deadline, in turns with others, and little of it ahead."""

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
LONGEST_TURN_S = 0.001
FIRST_READ = 3 * 1024  # a head, and the beginning of a body
VERY_MUCH = 2**20  # at a time: for those who take 100 MB/s
_RECORD = 16 * 1024  # of TLS, at most (RFC 8446 section 5.1)
_TOGETHER = 2**20  # so much stays in the processor's cache until it is sent on
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class BufferedSocketReader:
    """The receiving side of a connection. A deadline holds for the headers, from the beginning on.

    Args:
        sock: connected; its timeout is set here.

    Attributes:
        until: monotonic seconds, by which what is asked for has to come; 0 for so long after the wait for it begins.
        is_truncated: whether TLS ended without close_notify, so that the end may be anybody's (RFC 9112 9.8).
    """

    __slots__ = (
        "_receive_now",
        "_sock",
        "_widened",
        "_yielded_at",
        "is_truncated",
        "until",
    )

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._widened = FIRST_READ
        self.is_truncated = False
        self._yielded_at = time.monotonic()
        self.until = self._yielded_at + HEADER_DEADLINE_S
        sock.settimeout(0)
        self._receive_now: Callable[[int], bytes] = sock.recv

    @property
    def is_clean(self) -> bool:
        """Whether the connection is as it was before: its origin cannot send more ahead."""
        return self._widened < maxsize

    def read_available(self, amount: int) -> bytes:
        """Read what is there, at most ``amount`` bytes; wait only when nothing is. Empty at the end.

        Raises:
            OSError: the connection broke, or was silent for too long.
        """
        if time.monotonic() - self._yielded_at > LONGEST_TURN_S:
            self._yield_to_hub()
        if amount > self._widened:
            self._widen(amount)
        return self._receive(amount)

    def _widen(self, amount: int) -> None:
        if amount < VERY_MUCH:
            self._widened = VERY_MUCH - 1
            recv_buffer.widen(self._sock)
        else:
            self._widened = maxsize
            recv_buffer.widen_for_fast_readers(self._sock)

    def _yield_to_hub(self) -> None:
        """Let others run: gevent's sockets do so only when they wait, and a flood never makes them wait."""
        time.sleep(0)
        self._yielded_at = time.monotonic()

    def _receive(self, amount: int) -> bytes:
        try:
            part = self._receive_now(amount)
        except _NOT_NOW:
            part = None  # waited for out here, as a traceback would hold some KB for as long
        if part is None:
            part = self._wait_and_receive(amount)
            self._yielded_at = time.monotonic()
        return part

    def _wait_and_receive(self, amount: int) -> bytes:
        now = time.monotonic()
        self.until = self.until or now + STALL_TIMEOUT_S
        if self.until <= now:
            raise TimeoutError("nothing came in time")
        self._sock.settimeout(self.until - now)
        try:
            return self._sock.recv(amount)
        finally:
            self._sock.settimeout(0)


class BufferedTlsReader(BufferedSocketReader):
    """The same over TLS, of which a record of 16 KB is read at a time: they are taken up together."""

    __slots__ = ("_records",)

    def __init__(self, sock: ssl.SSLSocket) -> None:
        super().__init__(sock)
        self._records = _Records(sock)
        read = io.BufferedReader(self._records, 1).read1  # makes room for the bytes, and keeps none
        self._receive_now = lambda amount: read(min(amount, _TOGETHER))

    @property
    def is_clean(self) -> bool:
        """The same; of what was not asked for, the library may have a part."""
        return super().is_clean and self._records.failed is None and not self._records.sock.pending()

    def _receive(self, amount: int) -> bytes:
        try:
            return super()._receive(amount)
        except ssl.SSLEOFError:
            self.is_truncated = True
            return b""

    def _wait_and_receive(self, amount: int) -> bytes:
        """Wait for a record, of which every byte would begin the wait of the socket itself anew."""
        with deadline(max(0, self.until - time.monotonic()) if self.until else STALL_TIMEOUT_S):
            first = super()._wait_and_receive(min(amount, _RECORD))
        if not first or len(first) == amount:
            return first
        try:
            return first + self._receive_now(amount - len(first))
        except _NOT_NOW:
            return first
        except OSError as failed:
            self._records.failed = failed.with_traceback(None)
            return first


class _Records(io.RawIOBase):
    """Reads as many records as there are and find room.

    Attributes:
        sock: where they come from.
        failed: what went wrong after the first; it is raised at the next read.
    """

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.sock = sock
        self.failed: OSError | None = None  # without its traceback, which would hold this
        # The object below the socket takes half the time of the socket's own method; docs/private-apis.md.
        below = getattr(sock, "_sslobj", None)
        self._read_record: Callable[[int, memoryview], int] = below.read if below else self._read_by_socket

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 (any writable buffer)
        if self.failed is not None:
            raise self._forgotten()
        room = memoryview(buffer)
        count = self.sock.recv_into(room)
        left = len(room) - count
        read = self._read_record
        try:
            while count and left:
                count = read(left, room[-left:])
                left -= count
        except (*_NOT_NOW, ssl.SSLEOFError):
            pass  # the socket itself tells whether that is an end
        except OSError as failed:
            self.failed = failed.with_traceback(None)
        return len(room) - left

    def _read_by_socket(self, amount: int, buffer: memoryview) -> int:
        return self.sock.recv_into(buffer, amount)

    def _forgotten(self) -> OSError:
        failed, self.failed = self.failed or OSError(), None
        return failed
