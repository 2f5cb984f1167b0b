"""The gunicorn worker: gevent's, with bounds per client and a graceful stop that breaks no transfer needlessly."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import SimpleNamespace
from typing import Any

import gevent
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
from gevent.socket import SHUT_RD, SHUT_WR
from gunicorn.glogging import Logger
from gunicorn.http import wsgi
from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import ParseException
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker

from gateway.server.client_socket import ClientSocket
from gateway.server.connections import ConnectionLimiter
from gateway.server.error_response import EXTENSION, RejectedRequest, check_host, describe_error
from gateway.server.request_head import MAX_HEAD_BYTES

HEARTBEAT_S = 1.0
DRAIN_POLL_S = 0.1
CLOSE_BEFORE_KILL_S = 2.0  # the master kills the worker at the end of graceful_timeout, before it could log
_CHUNK, _LARGE_CHUNK = 8192, 2**16
_LINGER_S = 1.0
_MAX_ADDRESS_LENGTH = 128  # of an address in X-Forwarded-For; longer ones would fill the cache

gevent.config.track_greenlet_tree = False  # saves 1 KB per greenlet


class NoAccessLog(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's logger without its access log, which contains signatures; ``gateway.web`` logs requests."""

    access_log_enabled = False


class GatewayWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """A gevent worker with bounds on the time and the connections of each client, and its own graceful stop.

    gunicorn bounds only the time to receive a request's head (``keepalive``). This worker also bounds the time to
    receive a request body and to send a response that is not a stream.

    At SIGTERM gunicorn resets connections in the backlog, waits for idle ones, and is killed before it aborts what is
    left. This worker serves established connections, closes idle ones, lets running downloads finish, and aborts the
    rest shortly before ``graceful_timeout``, so that each transfer is logged.
    """

    _client_timeout_s: float = 30
    _trusted_proxies: int = 0
    _normalize_address: Callable[[str], str] = str

    @classmethod
    def configure(
        cls, *, client_timeout_s: float, trusted_proxies: int, normalize_address: Callable[[str], str]
    ) -> None:
        """Set what gunicorn's own settings do not have; to be called before workers start.

        Args:
            client_timeout_s: how long a client may make the worker wait, in seconds.
            trusted_proxies: the number of proxies in front that append to ``X-Forwarded-For``.
            normalize_address: maps an address to the client that limits count.
        """
        cls._client_timeout_s, cls._trusted_proxies = client_timeout_s, trusted_proxies
        cls._normalize_address = staticmethod(normalize_address)

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (gunicorn's)
        super().__init__(*args, **kwargs)
        self._sockets: dict[Any, ClientSocket] = {}  # by the greenlet that serves it
        self._between_requests: set[ClientSocket] = set()
        self._connections = ConnectionLimiter(self.worker_connections)
        self._stop = Event()
        self._stopped_at: float | None = None

    def init_process(self) -> None:
        """Start the worker. Copying the settings saves 21 calls of ``__getattr__`` per request (private-apis.md)."""
        self.cfg.__dict__.update({name: setting.get() for name, setting in self.cfg.settings.items()})
        super().init_process()

    def run(self) -> None:
        """Serve until SIGTERM, then drain."""
        servers = [self._serve(listener) for listener in self.sockets]
        while self.alive:
            self.notify()
            self._stop.wait(HEARTBEAT_S)
        self._drain(servers)

    def handle_exit(self, sig: int, frame: Any) -> None:  # noqa: ANN401 (gunicorn's)
        """Begin the graceful stop (SIGTERM), and close connections that are idle between two requests."""
        super().handle_exit(sig, frame)
        self._stopped_at = time.monotonic()
        self._stop.set()
        gevent.spawn(self._close_idle)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:  # noqa: ANN401 (gunicorn's)
        """Serve one connection."""
        greenlet = gevent.getcurrent()
        sock = self._sockets[greenlet] = ClientSocket(client, self._client_timeout_s, self._connections)
        self._connections.opened()
        try:
            AsyncWorker.handle(self, listener, sock, addr)  # GeventWorker.handle would remove the timeout
        finally:
            self._connections.closed()
            self._between_requests.discard(sock)
            del self._sockets[greenlet]

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:  # noqa: ANN401 (gunicorn's)
        """Serve one request; during the graceful stop, the connection's last."""
        self._between_requests.discard(sock)
        check_host(req)
        if isinstance(req.body.reader, ChunkedReader):
            req.body.reader.limit_trailer_section = MAX_HEAD_BYTES
        sock.begin_request(self._client_of(req, addr))
        try:
            super().handle_request(listener_name, req, sock, addr)
            self._discard_body(req)
        except StopIteration:  # gunicorn closes the connection
            if getattr(req.body.reader, "length", None) != 0:
                self._linger(sock)
            raise
        finally:
            sock.end_request()
        if not self.alive:
            raise StopIteration
        self._between_requests.add(sock)

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Bound the wait for the next request; the connection is idle meanwhile."""
        sock = self._sockets[gevent.getcurrent()]
        self._connections.begin_idle(sock)
        sock.yield_when_due()  # the next request may have arrived already
        try:
            with super().timeout_ctx():
                yield
        finally:
            self._connections.end_idle(sock)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:  # noqa: ANN401 (gunicorn's)
        """Send the application's error response for a request that failed before or around the application."""
        respond = getattr(self.wsgi, "extensions", {}).get(EXTENSION)
        if not isinstance(exc, Exception):
            return  # the worker exits
        if respond is None:
            super().handle_error(req, client, addr, exc)
            return
        status, problem = describe_error(exc) or (500, "the server failed around the application")
        if status == 500:
            self.log.error("Error handling request", exc_info=exc)
        exc.with_traceback(None)  # its frames hold up to some hundred KB while the connection lingers
        rejected = RejectedRequest(client.rejected_head)
        client.begin_request(self._client_of(rejected, addr))
        try:
            self._reject(rejected, client, addr, partial(respond, status=status, problem=problem))
        except OSError:
            self.log.debug("The client closed the connection before the error response was sent")

    def _reject(self, request: RejectedRequest, client: ClientSocket, addr: Any, respond: Callable[..., Any]) -> None:  # noqa: ANN401 (of any family)
        response, environ = wsgi.create(request, client, addr, client.getsockname(), self.cfg)
        body = respond(environ, response.start_response)
        try:
            for part in body:
                response.write(part)
            response.close()
        finally:
            body.close()
        self._linger(client)

    def _discard_body(self, req: Any) -> None:  # noqa: ANN401 (gunicorn's request)
        """Read the rest of a request body, after which the next request begins.

        Raises:
            StopIteration: the body does not end in time, or its framing is malformed: gunicorn closes the connection.
        """
        if getattr(req.body.reader, "length", None) == 0:
            return
        at_end = False
        try:
            with self.timeout_ctx():
                while req.body.read(_CHUNK):
                    pass
                at_end = not req.body.failed
        except ParseException:
            pass
        if not at_end:
            raise StopIteration

    def _client_of(self, req: Any, addr: Any) -> str:  # noqa: ANN401 (gunicorn's request, an address of any family)
        """The client of a request: the address that the outermost trusted proxy saw, else that of the connection."""
        address = addr[0] if isinstance(addr, tuple) else ""
        if self._trusted_proxies:
            forwarded = ",".join(value for name, value in req.headers if name == "X-FORWARDED-FOR").split(",")
            if len(forwarded) >= self._trusted_proxies:
                address = forwarded[-self._trusted_proxies].strip()
        return self._normalize_address(address[:_MAX_ADDRESS_LENGTH])

    def _linger(self, client: ClientSocket) -> None:
        """Read for a moment after the response: closing with unread input resets and may lose the response."""
        with self._connections.lingering() as allowed:
            if not allowed:
                return
            with suppress(OSError), gevent.Timeout(_LINGER_S, exception=False):
                client.shutdown(SHUT_WR)
                while client.recv(_LARGE_CHUNK):
                    pass

    def _serve(self, listener: Any) -> StreamServer:  # noqa: ANN401 (gevent's socket)
        listener.setblocking(1)
        address = listener.getsockname()  # gunicorn asks for it per connection, also when the listener is closed
        handle = partial(self.handle, SimpleNamespace(getsockname=lambda: address))
        server = StreamServer(listener, handle=handle, spawn=Pool(self.worker_connections))
        if self.cfg.workers > 1:
            server.max_accept = 1  # spreads connections over the workers
        server.start()
        return server

    def _close_idle(self) -> None:
        for sock in list(self._between_requests):
            with suppress(OSError):
                sock.shutdown(SHUT_RD)  # a request that has arrived is still read

    def _drain(self, servers: list[StreamServer]) -> None:
        grace_s = self.cfg.graceful_timeout
        stopped_at = time.monotonic() if self._stopped_at is None else self._stopped_at  # None: no SIGTERM
        until = stopped_at + max(grace_s - CLOSE_BEFORE_KILL_S, grace_s / 2)
        for server in servers:
            _accept_backlog(server)
            server.close()
        while any(len(server.pool) for server in servers) and time.monotonic() < until:
            self.notify()
            gevent.sleep(DRAIN_POLL_S)
        for server in servers:
            server.stop(timeout=0)


def _accept_backlog(server: StreamServer) -> None:
    """Accept the connections in the backlog, which closing the listener would reset."""
    while not server.full() and (connection := server.do_read()):
        server.do_handle(*connection)
