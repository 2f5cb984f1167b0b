"""Connections to origins: each opened to an address that its policy permits, and kept for the next request."""

import select
import ssl
from contextlib import suppress
from functools import partial
from socket import IPPROTO_TCP, TCP_NODELAY, socket
from weakref import finalize

from gevent.monkey import get_original
from ssrfguard import Policy, connect, resolve

from gateway.egress import recv_buffer
from gateway.egress.dns_lookup import Lookup
from gateway.egress.response import HttpResponse, ResponseHead, read_response, reader_of
from gateway.errors import OriginTimeout, OriginUnreachable

CONNECT_TIMEOUT_S = 3.0
SEND_TIMEOUT_S = 20.0
POOLS = 64  # of origins, the last used ones
MOST_IDLE = 64  # connections of one pool
_poll = get_original("select", "poll")  # gevent's goes through its loop, even to look once


class ConnectionPool:
    """The connections to one origin; the one used last is used next.

    Args:
        policy: which addresses may be connected to.
        lookup: resolves the host.
        origin: scheme, host (an A-label or an address, without brackets) and port.
        tls: for https.
    """

    def __init__(self, policy: Policy, lookup: Lookup, origin: tuple[str, str, int], tls: ssl.SSLContext) -> None:
        self._policy = policy
        self._lookup = lookup
        self._scheme, self._host, self._port = origin
        self._tls = tls
        self._idle: list[socket] = []
        finalize(self, _close_all, self._idle)

    def get(self, request: bytes) -> tuple[ResponseHead, HttpResponse]:
        """Send a request over an idle connection, or a new one, and read the head of the response.

        Raises:
            SSRFGuardError: the policy permits no address of the host.
            OriginUnreachable, OriginTimeout: no connection.
            http.client.HTTPException, OSError: the connection broke, or the response is malformed.
        """
        sock = self._take_idle() or self._connect()
        try:
            sock.settimeout(SEND_TIMEOUT_S)
            with suppress(BrokenPipeError, ConnectionResetError):  # the response may have come before
                sock.sendall(request)
            return read_response(reader_of(sock), partial(self._give_back, sock))
        except BaseException:
            sock.close()
            raise

    def _take_idle(self) -> socket | None:
        while self._idle:
            sock = self._idle.pop()
            if _is_quiet(sock):
                return sock
            sock.close()
        return None

    def _give_back(self, sock: socket, is_reusable: bool) -> None:  # noqa: FBT001 (by position, from a response)
        if is_reusable and len(self._idle) < MOST_IDLE:
            self._idle.append(sock)
        else:
            sock.close()

    def _connect(self) -> socket:
        host = f"[{self._host}]" if ":" in self._host else self._host
        target = self._policy.check_url(f"{self._scheme}://{host}:{self._port}/")
        try:
            addresses = resolve(target, policy=self._policy, resolver=self._lookup)
            sock = connect(addresses, policy=self._policy, timeout=CONNECT_TIMEOUT_S)
        except TimeoutError as late:
            raise OriginTimeout(type(late).__name__) from late
        except OSError as refused:
            raise OriginUnreachable(type(refused).__name__) from refused
        try:
            sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
            if self._scheme == "https":
                sock = self._handshake(sock)
            recv_buffer.lock_size(sock)
        except BaseException:
            sock.close()
            raise
        return sock

    def _handshake(self, sock: socket) -> ssl.SSLSocket:
        try:
            # Without close_notify the end of the body may be an attacker's (RFC 9112 section 9.8): raise SSLEOFError.
            return self._tls.wrap_socket(sock, server_hostname=self._host, suppress_ragged_eofs=False)
        except ssl.SSLError as refused:
            raise OriginUnreachable(type(refused).__name__) from refused


def _close_all(idle: list[socket]) -> None:
    while idle:
        idle.pop().close()


def _is_quiet(sock: socket) -> bool:
    """Whether an idle connection can be used: its origin neither closed it nor sent anything unasked."""
    look = _poll()
    look.register(sock.fileno(), select.POLLIN)
    return not look.poll(0)
