"""gunicorn's gevent worker, with visitors' connections bounded in time, in the kernel's buffers, and in number."""

import errno
import socket
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import gevent
import gevent.socket
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker

UNSENT_BYTES = 16 * 1024  # a kernel asks for more when half is sent, so this is also how slow a visitor may be
_TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)
_SHARE_IN_RESERVE = 0.05

gevent.config.track_greenlet_tree = False  # where each greenlet came from is 1 KB that nobody reads


class VisitorSocket(gevent.socket.socket):  # type: ignore[misc]  # gevent has no types
    """A visitor's socket: it waits so long for the visitor to accept a byte, and holds little that is not sent."""

    def __init__(self, accepted: Any, patience_s: float) -> None:  # noqa: ANN401 (gevent's socket)
        family, kind, protocol = accepted.family, accepted.type, accepted.proto
        super().__init__(family, kind, protocol, fileno=accepted.detach())
        self.settimeout(patience_s)
        try:
            self.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        except OSError:  # not TCP, or a kernel without it
            self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * UNSENT_BYTES)

    def sendall(self, data: Any, flags: int = 0) -> None:  # noqa: ANN401 (bytes or the like)
        """Send everything. gevent's own has one timeout for all of it, and would cut who is merely slow.

        Raises:
            ConnectionResetError: nothing was accepted for the whole timeout; gunicorn takes it for a visitor who left.
        """
        left = memoryview(data)
        while left:
            try:
                left = left[self.send(left, flags, timeout=0.0) :]
                continue
            except BlockingIOError:
                pass  # waited for out here, as a traceback would hold 5 KB for as long
            try:
                gevent.socket.wait_write(self.fileno(), timeout=self.timeout)
            except TimeoutError:
                raise ConnectionResetError(errno.ECONNRESET, "the visitor accepted nothing") from None


class Worker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """A worker that lets go of the connection that has waited longest, when connections become scarce.

    What waits has sent no complete request: an idle connection, or one of thousands that send their headers byte by
    byte. gunicorn ends each after ``keepalive`` seconds, and would let nobody in before. Requests are never touched.

    Class attributes:
        patience_s: a visitor that accepts nothing for so long is cut.
    """

    patience_s: float = 30

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (gunicorn's own)
        super().__init__(*args, **kwargs)
        self._sockets: dict[Any, VisitorSocket] = {}
        self._waiting: OrderedDict[Any, VisitorSocket] = OrderedDict()
        self._most = int(self.worker_connections * (1 - _SHARE_IN_RESERVE))

    def handle(self, listener: Any, client: Any, addr: Any) -> None:  # noqa: ANN401 (gunicorn's own)
        """Serve one connection."""
        visitor, greenlet = VisitorSocket(client, self.patience_s), gevent.getcurrent()
        self._sockets[greenlet] = visitor
        if len(self._sockets) > self._most and self._waiting:
            self._let_go(self._waiting.popitem(last=False)[1])
        try:
            AsyncWorker.handle(self, listener, visitor, addr)  # gevent's worker would take the timeout away
        finally:
            del self._sockets[greenlet]

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Bound the time in which the next request must come; meanwhile the connection is one that waits."""
        greenlet = gevent.getcurrent()
        self._waiting[greenlet] = self._sockets[greenlet]
        try:
            with super().timeout_ctx():
                yield
        finally:
            self._waiting.pop(greenlet, None)

    @staticmethod
    def _let_go(visitor: VisitorSocket) -> None:
        """End what the visitor may say, as if it had: one whose request has just come is answered all the same."""
        with suppress(OSError):
            visitor.shutdown(socket.SHUT_RD)
