"""The end of a worker, which breaks nothing that need not break."""

import time
from contextlib import suppress
from functools import partial
from typing import Any

import gevent
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
from gevent.socket import SHUT_RD
from gunicorn.sock import ssl_context

from gateway.server.request_reader import BoundedWorker

TICK_S = 1.0
DRAIN_TICK_S = 0.1
CUT_BEFORE_S = 2.0  # the master kills at the end of the grace, and who is killed says nothing


class DrainingWorker(BoundedWorker):
    """Told to end, it serves who is there already, closes what is idle, and lets running downloads finish.

    What still runs shortly before ``graceful_timeout`` is cut, so that the visitor sees a broken transfer and the log
    has its line. Gunicorn's own end resets who waits to be accepted, waits for idle connections, and is killed first.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (gunicorn's)
        super().__init__(*args, **kwargs)
        self._idle: dict[Any, Any] = {}  # by the greenlet that serves it
        self._told_at: float | None = None
        self._ended = Event()

    def run(self) -> None:
        """Serve until told to end."""
        servers = [self._serve(listener) for listener in self.sockets]
        while self.alive:
            self.notify()
            self._ended.wait(TICK_S)
        self._drain(servers)

    def handle_exit(self, sig: int, frame: Any) -> None:  # noqa: ANN401 (gunicorn's)
        """Begin to end (SIGTERM): close what is idle between two requests, as a proxy keeps it."""
        super().handle_exit(sig, frame)
        self._told_at = time.monotonic()
        self._ended.set()
        gevent.spawn(self._close_idle)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:  # noqa: ANN401 (gunicorn's)
        """Serve one connection."""
        try:
            super().handle(listener, client, addr)
        finally:
            self._idle.pop(gevent.getcurrent(), None)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:  # noqa: ANN401 (gunicorn's)
        """Serve one request of a connection; at the end of the worker, its last."""
        self._idle.pop(gevent.getcurrent(), None)
        super().handle_request(listener_name, req, sock, addr)
        if not self.alive:
            raise StopIteration
        self._idle[gevent.getcurrent()] = sock

    def _serve(self, listener: Any) -> StreamServer:  # noqa: ANN401 (gevent's socket)
        listener.setblocking(1)
        options = {"ssl_context": ssl_context(self.cfg)} if self.cfg.is_ssl else {}
        handle = partial(self.handle, _Named(listener.getsockname()))
        server = StreamServer(listener, handle=handle, spawn=Pool(self.worker_connections), **options)
        if self.cfg.workers > 1:
            server.max_accept = 1  # so that connections are spread over the workers
        server.start()
        return server

    def _close_idle(self) -> None:
        for sock in list(self._idle.values()):
            with suppress(OSError):
                sock.shutdown(SHUT_RD)  # a request that is here already is still read

    def _drain(self, servers: list[StreamServer]) -> None:
        grace_s = self.cfg.graceful_timeout
        told_at = time.monotonic() if self._told_at is None else self._told_at  # or it ends by itself
        until = told_at + max(grace_s - CUT_BEFORE_S, grace_s / 2)
        for server in servers:
            _accept_all(server)
            server.close()
        while any(len(server.pool) for server in servers) and time.monotonic() < until:
            self.notify()
            gevent.sleep(DRAIN_TICK_S)
        for server in servers:
            server.stop(timeout=0)


class _Named:
    """What gunicorn asks of a listener for each connection, and cannot when it is closed."""

    def __init__(self, name: Any) -> None:  # noqa: ANN401 (of any family)
        self._name = name

    def getsockname(self) -> Any:  # noqa: ANN401 (of any family)
        """Give its address."""
        return self._name


def _accept_all(server: StreamServer) -> None:
    """Take those who have connected and wait: closing the listener would reset them."""
    while not server.full() and (connection := server.do_read()):
        server.do_handle(*connection)
