"""The connections to origins: guarded, kept in pools, and asked with little ado."""

import select
from contextlib import suppress
from functools import partial
from http.client import HTTPMessage
from socket import SHUT_RDWR, socket
from typing import Any

from gevent.monkey import get_original
from gevent.queue import LifoQueue
from ssrfguard import Policy
from ssrfguard.requests import SafeAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection

from gateway.egress import ahead
from gateway.egress.head import Head, read_head
from gateway.egress.names import Lookup
from gateway.egress.response import Response, incoming_of

CONNECT_TIMEOUT_S = 3.0
SEND_TIMEOUT_S = 20.0
POOLS = 64  # of origins, the last asked ones, each with as many connections that wait
_poll = get_original("select", "poll")  # gevent's goes through its loop, even for a look


class BoundedPool(HTTPConnectionPool):
    """The connections to one origin. It asks over them with less ado than the library: it is a GET each time."""

    QueueCls = LifoQueue  # of one thread; the library's takes three locks

    def get(self, request: bytes) -> tuple[Head, Response]:
        """Send a request over a connection that waits, or a new one, and read the headers of the answer.

        Raises:
            SSRFGuardError, HTTPError, http.client.HTTPException, OSError: what went wrong on the way.
        """
        connection: HTTPConnection = self._get_conn()  # type: ignore[assignment]  # which the library makes so
        try:
            incoming = incoming_of(_asked(connection, request))
            head = read_head(incoming)
            return head, Response(incoming, head, partial(self._take_back, connection))
        except BaseException:
            connection.close()
            raise

    def _take_back(self, connection: HTTPConnection, good: bool) -> None:  # noqa: FBT001 (by position, from within)
        if good:
            self._put_conn(connection)
        else:
            connection.close()


def _asked(connection: HTTPConnection, request: bytes) -> socket:
    """The connection's socket, with the request sent."""
    is_new = connection.sock is None
    if is_new:
        connection.timeout = CONNECT_TIMEOUT_S
        connection.connect()
    sock: socket = connection.sock
    if is_new:
        ahead.hold(sock)
    sock.settimeout(SEND_TIMEOUT_S)
    with suppress(BrokenPipeError, ConnectionResetError):  # the answer may have come before
        sock.sendall(request)
    return sock


class LibraryResponse:
    """A response as urllib3 wants them of :mod:`http.client`: ``requests`` calls the provider's API so."""

    def __init__(self, sock: socket, _debuglevel: int = 0, method: str | None = None) -> None:
        self._sock, self._incoming = sock, incoming_of(sock)
        self._file = sock.makefile("rb", buffering=0)  # the library closes the socket before it reads the body
        self._bodiless = method == "HEAD"
        self._response: Response | None = None
        self.closed = False

    def begin(self) -> None:
        """Read the headers."""
        head = read_head(self._incoming)
        self._response = Response(self._incoming, head, self._over, bodiless=self._bodiless)
        self.will_close = not self._response.keeps
        self.status, self.reason, self.version = head.status, head.reason, 10 + min(head.minor, 1)
        self.headers = self.msg = HTTPMessage()
        for name, value in head.fields.items():
            self.msg[name] = value

    def read1(self, amount: int) -> bytes:
        """Read what is there, at most ``amount`` bytes."""
        return b"" if self._response is None else self._response.read(amount)

    read = read1

    def isclosed(self) -> bool:
        """Whether nothing more will be read."""
        return self.closed

    def close(self) -> None:
        """Read no more."""
        if self._response is not None:
            self._response.close()
        self._let_go()

    def _over(self, good: bool) -> None:  # noqa: FBT001 (by position, from within)
        if not good:  # the library would use the connection again
            with suppress(OSError):
                self._sock.shutdown(SHUT_RDWR)
        self._let_go()

    def _let_go(self) -> None:
        self.closed = True
        self._file.close()


def _is_open_and_quiet(connection: HTTPConnection) -> bool:
    """Whether a connection that waits can be used: its origin neither closed it nor said anything unasked."""
    if connection.sock is None:
        return False
    look = _poll()
    look.register(connection.sock.fileno(), select.POLLIN)
    return not look.poll(0)


def guarded_adapter(policy: Policy, lookup: Lookup, *, pool_size: int = POOLS, **pool_options: Any) -> SafeAdapter:  # noqa: ANN401
    """Build the transport adapter for one policy: every address checked at connect time, every response bounded.

    The connection classes are made per adapter, so that urllib3's own stay as they are.
    """
    adapter = SafeAdapter(policy=policy, resolver=lookup, pool_connections=pool_size, pool_maxsize=pool_size)
    adapter.init_poolmanager(pool_size, pool_size, **pool_options)
    pools = adapter.poolmanager.pool_classes_by_scheme
    for scheme, pool in pools.items():
        pool.ConnectionCls.response_class = LibraryResponse
        pool.ConnectionCls.is_connected = property(_is_open_and_quiet)
        pools[scheme] = type(pool.__name__, (BoundedPool, pool), {})
    return adapter
