"""Visitors' connections, bounded in time and in number."""

import socket
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import gevent
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker

from gateway.worker.visitor import VisitorSocket

_SHARE_IN_RESERVE = 0.05

gevent.config.track_greenlet_tree = False  # where each greenlet came from is 1 KB that nobody reads


class BoundedWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
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

    def init_process(self) -> None:
        """Begin. What is set stays so until this worker ends, and is asked for twenty times a request."""
        self.cfg.__dict__.update({name: setting.get() for name, setting in self.cfg.settings.items()})
        super().init_process()

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

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:  # noqa: ANN401 (gunicorn's own)
        """Serve one request of a connection."""
        sock.expect_body()
        try:
            super().handle_request(listener_name, req, sock, addr)
        finally:
            sock.expect_nothing()

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Bound the time in which the next request must come; meanwhile the connection is one that waits."""
        greenlet = gevent.getcurrent()
        visitor = self._waiting[greenlet] = self._sockets[greenlet]
        visitor.yield_when_due()  # the next request may be here already
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
