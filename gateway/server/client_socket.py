"""The socket of a client connection, with bounds on waiting time and kernel buffers."""

import errno
import fcntl
import os
import select
import socket
import sys
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Any

import gevent
import gevent.socket
from gevent.monkey import get_original
from gunicorn.http.errors import LimitRequestHeaders

from gateway.server.connections import ConnectionLimiter
from gateway.server.request_head import MAX_HEAD_BYTES, HeadBuffer

MIN_BODY_RATE = 4096  # bytes per second
UNSENT_BYTES = 16 * 1024  # the socket becomes writable when half of it is sent
_LARGE_HALF = 48 * 1024  # half of a chunk for fast clients, which a small bound would interrupt
_SENDFILE_BYTES = 2**20
MAX_TURN_S = 0.001
_MAX_RESPONSE_HEAD = 4096  # the body is sent in the same turn as the head
_TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)
_poll = get_original("select", "poll")  # gevent's uses the event loop, also with timeout 0


class ClientTimeout(ConnectionResetError, TimeoutError):
    """The client was too slow, or the worker reset the connection because connections are scarce.

    gunicorn handles it as a disconnect; the request log has the outcome ``cut``.
    """


class _Phase(Enum):
    HEAD, REQUEST, STREAM = range(3)


class ClientSocket(gevent.socket.socket):  # type: ignore[misc]  # gevent has no types
    """A client connection with bounds on waiting time and on unsent bytes in the kernel.

    A request may wait for its client, to send the body and to read the response, for ``timeout_s`` in all and one more
    second per 4 KiB of the body. A stream may take any time, as long as the client accepts bytes every ``timeout_s``.

    Args:
        accepted: the accepted connection; this object takes over its descriptor.
        timeout_s: in seconds.
        connections: the connections of the worker.

    Attributes:
        client: the client of the current request, as limits count clients.
        is_reset: whether the worker has reset the connection because connections are scarce.
    """

    __slots__ = (
        "_connections",
        "_head",
        "_phase",
        "_received",
        "_timeout_s",
        "_unsent",
        "_waited_s",
        "_yielded_at",
        "client",
        "is_reset",
    )

    def __init__(self, accepted: Any, timeout_s: float, connections: ConnectionLimiter) -> None:  # noqa: ANN401 (gevent's)
        family, kind, protocol = accepted.family, accepted.type, accepted.proto
        super().__init__(family, kind, protocol, fileno=accepted.detach())
        self.settimeout(timeout_s)
        self.client, self.is_reset = "", False
        self._connections = connections
        self._timeout_s = timeout_s
        self._head = HeadBuffer()
        self._phase = _Phase.HEAD
        self._waited_s, self._received = 0.0, 0
        self._unsent = UNSENT_BYTES
        self._yielded_at = time.monotonic()
        try:
            self.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        except OSError:  # not TCP, or a kernel without it
            self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * UNSENT_BYTES)

    @property
    def rejected_head(self) -> bytes:
        """The beginning of a head that could not be parsed."""
        return self._head.latest

    def begin_request(self, client: str) -> None:
        """Note that a head was parsed: bytes received from now on are the body."""
        self.client = client
        self._phase = _Phase.REQUEST
        self._head.latest = b""
        self._waited_s, self._received = 0.0, 0

    def begin_stream(self) -> None:
        """Note that the response is a stream, which has no total time limit."""
        self._phase = _Phase.STREAM

    def end_request(self) -> None:
        """Note that the request is answered: bytes received from now on are the next head."""
        self._phase = _Phase.HEAD
        self._head.begin()

    def recv(self, amount: int, flags: int = 0) -> bytes:
        """Receive the complete head of a request, or a part of its body; empty at the end of input.

        Raises:
            LimitRequestHeaders: the head is too large.
            ClientTimeout: the body takes too long, or the worker has reset the connection.
        """
        if self._phase is _Phase.HEAD:
            return self._receive_head(amount)
        part = self._receive(amount, flags)
        self._received += len(part)
        self._head.skip(part)
        return part

    def _receive_head(self, amount: int) -> bytes:
        if self._head.is_full:
            raise LimitRequestHeaders(f"the head of the request is larger than {MAX_HEAD_BYTES} bytes")
        while True:
            part = self._receive(amount)
            if self._head.add(part) or not part:
                return self._head.take()

    def _receive(self, amount: int, flags: int = 0) -> bytes:
        self.yield_when_due()
        while True:
            try:
                return bytes(self._sock.recv(amount, flags))
            except BlockingIOError:
                pass  # wait outside the handler: the traceback would hold some KB meanwhile
            if self._phase is _Phase.HEAD:
                gevent.socket.wait_read(self.fileno())  # timeout_ctx bounds this time
            else:
                self._wait_for_client(gevent.socket.wait_read)
            self._yielded_at = time.monotonic()

    def _wait_for_client(self, wait: Callable[..., None]) -> None:
        """Wait for input, or for room to send; meanwhile the worker may reset the connection."""
        allowed_s = self._timeout_s + self._received / MIN_BODY_RATE
        began_at = time.monotonic()
        try:
            with self._connections.waiting(self):
                wait(self.fileno(), timeout=max(0, allowed_s - self._waited_s))
        except TimeoutError:
            raise ClientTimeout(errno.ECONNRESET, "the client is too slow") from None
        finally:
            self._waited_s += time.monotonic() - began_at
        if self.is_reset:
            raise ClientTimeout(errno.ECONNRESET, "reset because connections are scarce")

    def yield_when_due(self) -> None:
        """Let other greenlets run when this one has run for a millisecond.

        gevent switches only where a socket would block, which a client that sends without pause prevents.
        """
        if time.monotonic() - self._yielded_at > MAX_TURN_S:
            gevent.sleep(0)
            self._yielded_at = time.monotonic()

    def sendall(self, data: Any, flags: int = 0) -> None:  # noqa: ANN401 (bytes or the like)
        """Send everything. gevent's ``sendall`` has one timeout for all bytes, which aborts slow clients.

        Raises:
            ClientTimeout: the client accepted nothing for the whole timeout.
        """
        half = len(data) // 2
        if half > max(self._unsent, _LARGE_HALF) or 0 < half < UNSENT_BYTES < self._unsent:
            self._allow_unsent(max(UNSENT_BYTES, half))
        left = memoryview(data)
        while left:
            try:
                left = left[self.send(left, flags, timeout=0.0) :]
                continue
            except BlockingIOError:
                pass  # wait outside the handler: the traceback would hold 5 KB meanwhile
            self.wait_for_room()
        if len(data) > _MAX_RESPONSE_HEAD:
            self.yield_when_due()

    def _allow_unsent(self, amount: int) -> None:
        """Bound the unsent bytes in the kernel; without TCP_NOTSENT_LOWAT, its send buffer is small instead."""
        self._unsent = amount
        with suppress(OSError):
            self.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, amount)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:  # noqa: ANN401 (gunicorn's)
        """Send a part of a file with ``os.sendfile``, so that no bytes are buffered in this process.

        gunicorn calls this for ``wsgi.file_wrapper`` (PEP 3333). The byte counts are passed to the file's ``passed``
        method; a file without one belongs to another application, and gevent sends it.

        Raises:
            ClientTimeout: the client accepted nothing for the whole timeout.
        """
        if not hasattr(file, "passed") or count is None:
            return int(super().sendfile(file, offset, count))
        sent = 0
        while sent < count:
            try:
                written = os.sendfile(self.fileno(), file.fileno(), offset + sent, min(count - sent, _SENDFILE_BYTES))
            except BlockingIOError:
                self.wait_for_room()
                continue
            except OSError as error:
                if error.errno != errno.EIO:  # EIO is of the file, other errors are of the socket
                    raise
                written = 0
            file.passed(written)
            sent += written
        return sent

    def has_room(self) -> bool:
        """Whether the kernel accepts more bytes now."""
        poll = _poll()
        poll.register(self._sock, select.POLLOUT)  # one call less than with self (docs/private-apis.md)
        return bool(poll.poll(0))

    def wait_for_room(self) -> None:
        """Wait until the kernel accepts more bytes, as long as the client acknowledges bytes within the timeout.

        Raises:
            ClientTimeout: the client acknowledged nothing for the whole timeout; or the response is not a stream and
                takes too long, or the worker has reset the connection.
        """
        if self._phase is not _Phase.STREAM:
            self._wait_for_client(gevent.socket.wait_write)
            return
        before = self._unacknowledged()
        while True:
            try:
                gevent.socket.wait_write(self.fileno(), timeout=self.timeout)
            except TimeoutError:
                after = self._unacknowledged()
                if after >= before:
                    raise ClientTimeout(errno.ECONNRESET, "the client accepted nothing") from None
                before = after
            else:
                return

    def _unacknowledged(self) -> int:
        """Bytes that the client has not acknowledged (tcp(7), SIOCOUTQ); 0 where the platform has no such call."""
        try:
            return int.from_bytes(fcntl.ioctl(self.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        except OSError:
            return 0
