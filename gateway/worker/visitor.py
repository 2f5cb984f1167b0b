"""A visitor's socket: bounded in time, and in what the kernel holds for it."""

import errno
import fcntl
import os
import select
import socket
import sys
import termios
import time
from contextlib import suppress
from typing import Any

import gevent
import gevent.socket
from gevent.monkey import get_original

LEAST_RATE = 1024  # of a body, in bytes a second
UNSENT_BYTES = 16 * 1024  # a kernel asks for more when half of it is sent
_LARGE_HALF = 48 * 1024  # larger ones are of pieces for the fast, whom a small bound would stop amid each
_SENT_AT_ONCE = 2**20
LONGEST_TURN_S = 0.001
_HEAD_AT_MOST = 4096  # after a response's head its body is sent in the same turn
_TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)
_poll = get_original("select", "poll")  # gevent's goes through its loop, even for a look


class VisitorTimedOut(ConnectionResetError, TimeoutError):
    """The visitor accepted nothing for too long, or sends next to nothing.

    gunicorn takes it for one who left; the log calls it cut.
    """


class VisitorSocket(gevent.socket.socket):  # type: ignore[misc]  # gevent has no types
    """A visitor's socket: it waits so long for the visitor to accept a byte, and holds little that is not sent."""

    __slots__ = ("_asked_at", "_patience_s", "_received", "_unsent", "_yielded_at")

    def __init__(self, accepted: Any, patience_s: float) -> None:  # noqa: ANN401 (gevent's socket)
        family, kind, protocol = accepted.family, accepted.type, accepted.proto
        super().__init__(family, kind, protocol, fileno=accepted.detach())
        self.settimeout(patience_s)
        self._patience_s = patience_s
        self._asked_at: float | None = None
        self._received = 0
        self._unsent = UNSENT_BYTES
        self._yielded_at = time.monotonic()
        try:
            self.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        except OSError:  # not TCP, or a kernel without it
            self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * UNSENT_BYTES)

    def expect_body(self) -> None:
        """Hold what is received from now on to the least rate."""
        self._asked_at, self._received = time.monotonic(), 0

    def expect_nothing(self) -> None:
        """Let what is received come when it comes."""
        self._asked_at = None

    def recv(self, *args: Any) -> Any:  # noqa: ANN401 (gevent's)
        """Receive what is there. A body must come at 1 KiB a second, after a start of its own.

        Raises:
            VisitorTimedOut: it drips.
        """
        self.yield_when_due()
        received = super().recv(*args)
        self._received += len(received)
        if self._asked_at is not None:
            allowed_s = self._patience_s + self._received / LEAST_RATE
            if time.monotonic() - self._asked_at > allowed_s:
                raise VisitorTimedOut(errno.ECONNRESET, "the visitor sends too slowly")
        return received

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
            VisitorTimedOut: the visitor accepted nothing for the whole timeout.
        """
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
