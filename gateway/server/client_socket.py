"""A visitor's socket: bounded in time, and in what the kernel holds for it."""

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

from gateway.server.connections import Connections
from gateway.server.request_head import MOST_HEAD_BYTES, HeadBuffer

LEAST_RATE = 4096  # of a body, in bytes a second
UNSENT_BYTES = 16 * 1024  # a kernel asks for more when half of it is sent
_LARGE_HALF = 48 * 1024  # larger ones are of pieces for the fast, whom a small bound would stop amid each
_SENT_AT_ONCE = 2**20
LONGEST_TURN_S = 0.001
_HEAD_AT_MOST = 4096  # after a response's head its body is sent in the same turn
_TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)
_poll = get_original("select", "poll")  # gevent's goes through its loop, even for a look


class VisitorTimedOut(ConnectionResetError, TimeoutError):
    """The visitor accepted nothing for too long, sends next to nothing, or had to make room for others.

    gunicorn takes it for one who left; the log calls it cut.
    """


class _Phase(Enum):
    HEAD, REQUEST, STREAM = range(3)


class VisitorSocket(gevent.socket.socket):  # type: ignore[misc]  # gevent has no types
    """A visitor's socket: what is waited for is bounded in time, and little is held that is not sent.

    A request may make the gateway wait for its body and for its answer to be read: ``patience_s`` in all, and a second
    more for each 4 KiB of the body. A stream may take as long as its visitor accepts anything within ``patience_s``.

    Args:
        accepted: the accepted connection, which this takes over.
        patience_s: in seconds.
        connections: those of the worker.

    Attributes:
        client: whose request it is, as limits count clients.
        ended: whether the worker has ended the connection, to make room.
    """

    __slots__ = (
        "_connections",
        "_head",
        "_patience_s",
        "_phase",
        "_received",
        "_unsent",
        "_waited_s",
        "_yielded_at",
        "client",
        "ended",
    )

    def __init__(self, accepted: Any, patience_s: float, connections: Connections) -> None:  # noqa: ANN401 (gevent's)
        family, kind, protocol = accepted.family, accepted.type, accepted.proto
        super().__init__(family, kind, protocol, fileno=accepted.detach())
        self.settimeout(patience_s)
        self.client, self.ended = "", False
        self._connections = connections
        self._patience_s = patience_s
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
    def refused_head(self) -> bytes:
        """The beginning of a head that could not be parsed."""
        return self._head.latest

    def begin_request(self, client: str) -> None:
        """A request has come: what is received from now on is its body, and what is sent its answer."""
        self.client = client
        self._phase = _Phase.REQUEST
        self._head.latest = b""
        self._waited_s, self._received = 0.0, 0

    def begin_stream(self) -> None:
        """The answer is a stream: however long it is, it takes as long as its visitor needs."""
        self._phase = _Phase.STREAM

    def end_request(self) -> None:
        """The request is answered: what is received from now on is the head of the next."""
        self._phase = _Phase.HEAD
        self._head.begin()

    def recv(self, amount: int, flags: int = 0) -> bytes:
        """Receive a request's whole head, or a part of its body; empty at the end.

        Raises:
            LimitRequestHeaders: the head is too large.
            VisitorTimedOut: the body takes too long, or the worker has ended the connection.
        """
        if self._phase is _Phase.HEAD:
            return self._receive_head(amount)
        part = self._receive(amount, flags)
        self._received += len(part)
        self._head.skip(part)
        return part

    def _receive_head(self, amount: int) -> bytes:
        if self._head.is_full:
            raise LimitRequestHeaders(f"the head of the request is larger than {MOST_HEAD_BYTES} bytes")
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
                pass  # waited for out here, as a traceback would hold some KB for as long
            if self._phase is _Phase.HEAD:
                gevent.socket.wait_read(self.fileno())  # the worker bounds this time
            else:
                self._wait_for_client(gevent.socket.wait_read)
            self._yielded_at = time.monotonic()

    def _wait_for_client(self, wait: Callable[..., None]) -> None:
        """Wait for the body to go on, or for the answer to be read; meanwhile, the connection can be ended."""
        allowed_s = self._patience_s + self._received / LEAST_RATE
        began_at = time.monotonic()
        try:
            with self._connections.held(self):
                wait(self.fileno(), timeout=max(0, allowed_s - self._waited_s))
        except TimeoutError:
            raise VisitorTimedOut(errno.ECONNRESET, "the request or its answer takes the visitor too long") from None
        finally:
            self._waited_s += time.monotonic() - began_at
        if self.ended:
            raise VisitorTimedOut(errno.ECONNRESET, "ended, as connections are scarce")

    def yield_when_due(self) -> None:
        """Let other greenlets run when this one has had its turn.

        gevent switches only where a socket would block. A client that sends without pause never makes it block, and
        would keep the event loop for itself.
        """
        if time.monotonic() - self._yielded_at > LONGEST_TURN_S:
            gevent.sleep(0)
            self._yielded_at = time.monotonic()

    def sendall(self, data: Any, flags: int = 0) -> None:  # noqa: ANN401 (bytes or the like)
        """Send everything. gevent's own has one timeout for all of it, and would cut who is merely slow.

        Raises:
            VisitorTimedOut: nothing was accepted for the whole timeout.
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
                pass  # waited for out here, as a traceback would hold 5 KB for as long
            self.wait_for_room()
        if len(data) > _HEAD_AT_MOST:
            self.yield_when_due()

    def _allow_unsent(self, amount: int) -> None:
        """Bound what the kernel holds unsent; where it cannot be told, its buffer as a whole is small."""
        self._unsent = amount
        with suppress(OSError):
            self.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, amount)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:  # noqa: ANN401 (gunicorn's)
        """Have the kernel send a part of a file by itself: nothing of it is held here, however slow the visitor is.

        gunicorn calls this for ``wsgi.file_wrapper`` (PEP 3333). The file's ``passed`` is told what was taken; where
        there is none, the file is another application's, and gevent sends it.

        Raises:
            VisitorTimedOut: nothing was accepted for the whole timeout.
        """
        if not hasattr(file, "passed") or count is None:
            return int(super().sendfile(file, offset, count))
        sent = 0
        while sent < count:
            try:
                taken = os.sendfile(self.fileno(), file.fileno(), offset + sent, min(count - sent, _SENT_AT_ONCE))
            except BlockingIOError:
                self.wait_for_room()
                continue
            except OSError as error:
                if error.errno != errno.EIO:  # of the visitor's socket
                    raise
                taken = 0
            file.passed(taken)
            sent += taken
        return sent

    def has_room(self) -> bool:
        """Whether the kernel takes more at once."""
        look = _poll()
        look.register(self._sock, select.POLLOUT)  # gevent's own is a call more
        return bool(look.poll(0))

    def wait_for_room(self) -> None:
        """Wait until the kernel takes more, as long as the visitor accepts anything of what the kernel has.

        Raises:
            VisitorTimedOut: the visitor accepted nothing for the whole timeout; or, where this is no stream, the
                answer takes too long, or the worker has ended the connection.
        """
        if self._phase is not _Phase.STREAM:
            self._wait_for_client(gevent.socket.wait_write)
            return
        before = self._in_kernel()
        while True:
            try:
                gevent.socket.wait_write(self.fileno(), timeout=self.timeout)
            except TimeoutError:
                after = self._in_kernel()
                if after >= before:
                    raise VisitorTimedOut(errno.ECONNRESET, "the visitor accepted nothing") from None
                before = after
            else:
                return

    def _in_kernel(self) -> int:
        """How many bytes the visitor's kernel has not accepted yet (tcp(7), SIOCOUTQ); 0 where ours does not say."""
        try:
            return int.from_bytes(fcntl.ioctl(self.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        except OSError:
            return 0
