"""Visitors' connections, bounded in time, in size and in number."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import gevent
from gevent.socket import SHUT_WR
from gunicorn.http import wsgi
from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import ParseException
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker

from gateway.server.client_socket import VisitorSocket
from gateway.server.connections import Connections
from gateway.server.error_response import EXTENSION, RefusedRequest, check_host, describe
from gateway.server.request_head import MOST_HEAD_BYTES

_PIECE, _LARGE_PIECE = 8192, 2**16
_LINGER_S = 1.0
_LONGEST_ADDRESS = 128  # letters of one as a proxy writes it; more would make a large cache of them

gevent.config.track_greenlet_tree = False  # where each greenlet came from is 1 KB that nobody reads


class BoundedWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """A worker with bounds on each client: its waiting time, and its share of the connections.

    gunicorn closes a connection without a complete request after ``keepalive`` seconds, and accepts no other before.
    It does not bound how long a request body, or the reading of a response, takes.

    Class attributes:
        patience_s: how long a client may make the worker wait, in seconds.
        trusted_proxies: how many proxies in front add to ``X-Forwarded-For``.
        client_of: maps an address to the client that it is counted as; the address itself unless set.
    """

    patience_s: float = 30
    trusted_proxies: int = 0
    client_of: Callable[[str], str] = str

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (gunicorn's own)
        super().__init__(*args, **kwargs)
        self._sockets: dict[Any, VisitorSocket] = {}  # by the greenlet that serves it
        self._connections = Connections(self.worker_connections)

    def init_process(self) -> None:
        """Begin. What is set stays so until this worker ends, and is asked for twenty times a request."""
        self.cfg.__dict__.update({name: setting.get() for name, setting in self.cfg.settings.items()})
        super().init_process()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:  # noqa: ANN401 (gunicorn's own)
        """Serve one connection."""
        greenlet = gevent.getcurrent()
        visitor = self._sockets[greenlet] = VisitorSocket(client, self.patience_s, self._connections)
        self._connections.opened()
        try:
            AsyncWorker.handle(self, listener, visitor, addr)  # gevent's worker would take the timeout away
        finally:
            self._connections.closed()
            del self._sockets[greenlet]

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:  # noqa: ANN401 (gunicorn's own)
        """Serve one request of a connection."""
        check_host(req)
        if isinstance(req.body.reader, ChunkedReader):
            req.body.reader.limit_trailer_section = MOST_HEAD_BYTES
        sock.begin_request(self._client(req, addr))
        try:
            super().handle_request(listener_name, req, sock, addr)
            self._discard_body(req)
        except StopIteration:  # the connection is closed
            if getattr(req.body.reader, "length", None) != 0:
                self._linger(sock)
            raise
        finally:
            sock.end_request()

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Bound the time in which the next request must come; meanwhile the connection is an idle one."""
        visitor = self._sockets[gevent.getcurrent()]
        self._connections.begin_idle(visitor)
        visitor.yield_when_due()  # the next request may be here already
        try:
            with super().timeout_ctx():
                yield
        finally:
            self._connections.end_idle(visitor)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:  # noqa: ANN401 (gunicorn's own)
        """Send the application's error response for a request that failed before or around the application."""
        refuse = getattr(self.wsgi, "extensions", {}).get(EXTENSION)
        if not isinstance(exc, Exception):
            return  # the worker ends
        if refuse is None:
            super().handle_error(req, client, addr, exc)
            return
        status, problem = describe(exc) or (500, "the server failed around the application")
        if status == 500:
            self.log.error("Error handling request", exc_info=exc)
        exc.with_traceback(None)  # its frames hold some hundred KB of a large head, for as long as the client lingers
        refused = RefusedRequest(client.refused_head)
        client.begin_request(self._client(refused, addr))
        try:
            self._refuse(refused, client, addr, partial(refuse, status=status, problem=problem))
        except OSError:
            self.log.debug("The client closed the connection before the error response was sent")

    def _refuse(self, refused: RefusedRequest, client: VisitorSocket, addr: Any, tell: Callable[..., Any]) -> None:  # noqa: ANN401 (of any family)
        response, environ = wsgi.create(refused, client, addr, client.getsockname(), self.cfg)
        body = tell(environ, response.start_response)
        try:
            for part in body:
                response.write(part)
            response.close()
        finally:
            body.close()
        self._linger(client)

    def _discard_body(self, req: Any) -> None:  # noqa: ANN401 (gunicorn's request)
        """Read what the application left of a body, as the next request begins behind it.

        Raises:
            StopIteration: it does not end in time, or its framing is broken: the connection is closed.
        """
        if getattr(req.body.reader, "length", None) == 0:
            return
        at_end = False
        try:
            with self.timeout_ctx():
                while req.body.read(_PIECE):
                    pass
                at_end = not req.body.failed
        except ParseException:
            pass
        if not at_end:
            raise StopIteration

    def _client(self, req: Any, addr: Any) -> str:  # noqa: ANN401 (gunicorn's request, an address of any family)
        """Whose request it is: by the address that the trusted proxies tell, or by that of the connection."""
        address = addr[0] if isinstance(addr, tuple) else ""
        if self.trusted_proxies:
            forwarded = ",".join(value for name, value in req.headers if name == "X-FORWARDED-FOR").split(",")
            if len(forwarded) >= self.trusted_proxies:
                address = forwarded[-self.trusted_proxies].strip()
        return self.client_of(address[:_LONGEST_ADDRESS])

    def _linger(self, client: VisitorSocket) -> None:
        """Read for a moment after the response: closing with unread input resets and may lose the response."""
        with self._connections.reading_on() as allowed:
            if not allowed:
                return
            with suppress(OSError), gevent.Timeout(_LINGER_S, exception=False):
                client.shutdown(SHUT_WR)
                while client.recv(_LARGE_PIECE):
                    pass
