"""Persistent connections to origins, each opened to an address that its network policy permits."""

import select
import ssl
from contextlib import suppress
from functools import partial
from socket import IPPROTO_TCP, TCP_NODELAY, socket
from weakref import finalize

from gevent.monkey import get_original
from ssrfguard import Policy, connect, resolve

from gateway.egress import recv_buffer
from gateway.egress.dns_lookup import DnsLookup
from gateway.egress.response import HttpResponse, ResponseHead, make_reader, read_response
from gateway.errors import OriginTimeout, OriginUnreachable

CONNECT_TIMEOUT_S = 3.0
SEND_TIMEOUT_S = 20.0
MAX_POOLS = 64  # one per origin; the least recently used are dropped
MAX_IDLE = 64  # connections per pool
_poll = get_original("select", "poll")  # gevent's uses the event loop, also with timeout 0


class ConnectionPool:
    """The connections to one origin; the one used last is reused first.

    Args:
        policy: permits or refuses addresses.
        lookup: resolves the host.
        origin: scheme, host (an A-label or an address, without brackets) and port.
        tls: the TLS context for https.
    """

    def __init__(self, policy: Policy, lookup: DnsLookup, origin: tuple[str, str, int], tls: ssl.SSLContext) -> None:
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
            with suppress(BrokenPipeError, ConnectionResetError):  # the response may have arrived before
                sock.sendall(request)
            return read_response(make_reader(sock), partial(self._release, sock))
        except BaseException:
            sock.close()
            raise

    def _take_idle(self) -> socket | None:
        while self._idle:
            sock = self._idle.pop()
            if _is_usable(sock):
                return sock
            sock.close()
        return None

    def _release(self, sock: socket, is_reusable: bool) -> None:  # noqa: FBT001 (by position, from a response)
        if is_reusable and len(self._idle) < MAX_IDLE:
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
            # Raise SSLEOFError without close_notify, as an attacker may have ended the body (RFC 9112 section 9.8).
            return self._tls.wrap_socket(sock, server_hostname=self._host, suppress_ragged_eofs=False)
        except ssl.SSLError as refused:
            raise OriginUnreachable(type(refused).__name__) from refused


def _close_all(idle: list[socket]) -> None:
    while idle:
        idle.pop().close()


def _is_usable(sock: socket) -> bool:
    """Whether an idle connection can be reused: the origin neither closed it nor sent unexpected bytes."""
    poll = _poll()
    poll.register(sock.fileno(), select.POLLIN)
    return not poll.poll(0)
