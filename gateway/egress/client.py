"""How things are fetched: one GET at a time over guarded, pooled connections, redirects walked by hand."""

import http.client
import re
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from urllib.parse import urljoin

import certifi
from ssrfguard import SSRFGuardError, resolve
from urllib3 import BaseHTTPResponse, HTTPHeaderDict, PoolManager, Retry, Timeout
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from gateway.egress import sockets
from gateway.egress.deadline import within
from gateway.egress.guard import Guard, Zone
from gateway.egress.names import Lookup
from gateway.egress.sockets import guarded_adapter
from gateway.errors import OriginError, OriginFailed, OriginTimeout, OriginUnreachable, OriginUnsafe

USER_AGENT = "download-gateway"
MOST_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_NEVER = Retry(total=False, redirect=False)
_PRINTABLE = re.compile(r"[\t\x20-\x7e]*")


@dataclass(slots=True)
class Answer:
    """An open response: the headers are in, the body is still to be read.

    Attributes:
        status: the final status; a redirect only when it named no usable ``Location``.
        length: the body's length in bytes as parsed by the client; None when the origin did not say.
    """

    status: int
    length: int | None
    _headers: HTTPHeaderDict
    _raw: BaseHTTPResponse
    _left: int | None = None

    def __post_init__(self) -> None:
        """Whatever the framing, no more is read than the length says."""
        self._left = self.length

    def header(self, name: str) -> str:
        """One header as printable ASCII; empty when it is missing, or holds anything else."""
        value = self._headers.get(name, "")
        return value.strip() if _PRINTABLE.fullmatch(value) else ""

    def drop_headers(self) -> None:
        """Let go of the headers, which are some KB for each of thousands that stream; none is told any more."""
        self._headers = self._raw.headers = HTTPHeaderDict()
        if (response := getattr(self._raw, "_original_response", None)) is not None:
            response.headers = response.msg = None

    def read(self, amount: int) -> bytes:
        """Read what is there, at most ``amount`` bytes; wait only when nothing is. Empty at the end.

        Raises:
            OriginFailed: the body ended before its length, or its framing is broken.
            OriginTimeout: nothing came for the stall timeout.
        """
        if self._left is not None:
            amount = min(amount, self._left)
        if amount == 0:
            return b""
        with origin_errors(), within(sockets.STALL_TIMEOUT_S):
            part = self._raw.read1(amount, decode_content=False)
        if self._left is not None:
            self._left -= len(part)
        return part

    def close(self) -> None:
        """Give the connection back when the body was read to its end, else close it."""
        self._raw.close()


class Client:
    """Fetches from anywhere the guard lets it, under the policy of the URL's zone.

    Args:
        guard: decides what may be reached.
        lookup: resolves names.
        via: our pseudonym for the ``Via`` header, by which a request that comes round to us is known.
    """

    def __init__(self, guard: Guard, lookup: Lookup, *, via: str = USER_AGENT) -> None:
        self._guard = guard
        self._lookup = lookup
        roots = tls_roots()
        self._pools: dict[Zone, PoolManager] = {
            zone: guarded_adapter(guard.policy(zone), lookup, ssl_context=roots).poolmanager for zone in Zone
        }
        self._headers = {
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "User-Agent": USER_AGENT,
            "Via": f"1.1 {via}",
        }

    def check(self, url: str) -> None:
        """Look up where a URL leads, without going there. A name that has no address here leads nowhere, and passes.

        Raises:
            OriginUnsafe: to an address that its zone's policy refuses.
        """
        policy = self._guard.policy(self._guard.place(url))
        with origin_errors(), suppress(socket.gaierror):
            resolve(policy.check_url(url), policy=policy, resolver=self._lookup)

    def get(self, url: str, *, span: str = "", if_range: str = "", listed_only: bool = False) -> Answer:
        """Open ``url`` and follow at most five redirects, each checked anew.

        Args:
            url: an absolute URL.
            span: a ``Range`` header's value, sent as it is (RFC 9110 section 14.2).
            if_range: an ``If-Range`` header's value, sent as it is.
            listed_only: refuse every hop that the allow-list does not name.

        Raises:
            OriginUnsafe: the guard refused the URL, an address it resolved to, or a hop.
            OriginTimeout, OriginUnreachable, OriginFailed: what went wrong on the way.
        """
        came_from = None
        conditions = {name: value for name, value in (("Range", span), ("If-Range", if_range)) if value}
        for _ in range(MOST_REDIRECTS + 1):
            zone = self._guard.place(url, came_from=came_from, listed_only=listed_only)
            answer = self._open(zone, url, self._headers | conditions)
            target = answer.header("Location")
            if answer.status not in _REDIRECTS or not target:
                return answer
            answer.close()
            came_from, url = url, _joined(url, target)
        raise OriginFailed("too many redirects")

    def _open(self, zone: Zone, url: str, headers: dict[str, str]) -> Answer:
        try:
            raw = self._send(zone, url, headers)
        except OriginFailed as failed:
            # The origin was just closing a kept-alive connection; a GET may be sent again (RFC 9110 section 9.2.2).
            if not _was_closed(failed):
                raise
            raw = self._send(zone, url, headers)
        return Answer(raw.status, getattr(raw, "length_remaining", None), raw.headers, raw)

    def _send(self, zone: Zone, url: str, headers: dict[str, str]) -> BaseHTTPResponse:
        with origin_errors():
            return self._pools[zone].urlopen(
                "GET",
                url,
                headers=headers,
                redirect=False,
                retries=_NEVER,
                preload_content=False,
                decode_content=False,
                timeout=Timeout(connect=sockets.CONNECT_TIMEOUT_S, read=sockets.STALL_TIMEOUT_S),
            )


def _joined(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError:
        raise OriginFailed("a redirect leads to no URL") from None


def _was_closed(failed: OriginFailed) -> bool:
    cause = failed.__cause__
    return isinstance(cause, ProtocolError) and any(isinstance(part, ConnectionError) for part in cause.args)


@cache
def tls_roots() -> ssl.SSLContext:
    """A verifying TLS context: the bundled roots beside the system's own (``SSL_CERT_FILE`` counts)."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


class origin_errors:  # noqa: N801 (reads like a word of the language)
    """Turn what the HTTP library raises in the block into our errors; the one place that knows its exceptions."""

    __slots__ = ()

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self, _kind: type[BaseException] | None, raised: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """Raise one of ours.

        Raises:
            OriginUnsafe, OriginUnreachable, OriginTimeout, OriginFailed: what it means.
        """
        if raised is None:
            return
        for kinds, ours in _MEANINGS:
            if isinstance(raised, kinds):
                raise ours(type(raised).__name__) from raised


_MEANINGS: tuple[tuple[tuple[type[Exception], ...], type[OriginError]], ...] = (  # the first that fits
    ((SSRFGuardError,), OriginUnsafe),
    ((NameResolutionError, NewConnectionError, SSLError), OriginUnreachable),
    ((ConnectTimeoutError, ReadTimeoutError, TimeoutError), OriginTimeout),
    ((ProtocolError, HTTPError, http.client.HTTPException, OSError, ValueError), OriginFailed),
)
