"""The client for origins: GET requests over guarded, pooled connections; redirects are checked one by one."""

import http.client
import re
import socket
import ssl
from contextlib import suppress
from functools import cache, lru_cache
from types import TracebackType
from typing import NamedTuple

import certifi
from ssrfguard import SSRFGuardError, resolve

from gateway.egress.connection_pool import MAX_POOLS, ConnectionPool
from gateway.egress.dns_lookup import DnsLookup
from gateway.egress.guard import Guard, Zone
from gateway.egress.response import HttpResponse, ResponseHead
from gateway.egress.urls import request_target, resolve_reference, to_uri
from gateway.errors import OriginError, OriginFailed, OriginTimeout, OriginUnreachable, OriginUnsafe
from gateway.origins.allowlist import DEFAULT_PORTS, parse_origin

USER_AGENT = "download-gateway"
MAX_REDIRECTS = 5
CACHED_URLS = 256  # of at most 8 KB each
_REDIRECTS = {301, 302, 303, 307, 308}
_PRINTABLE = re.compile(r"[\t\x20-\x7e]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NOT_ASCII = re.compile(r"[\x80-\xff]")


class OriginResponse:
    """An open response: the head was read, the body is still to be read.

    Attributes:
        status: the final status; a redirect only when it has no usable ``Location``.
        length: the body's length in bytes; None when unknown.
        url: the URL after all redirects; empty after :meth:`drop_headers`.
    """

    __slots__ = ("_fields", "_response", "length", "status", "url")

    def __init__(self, head: ResponseHead, response: HttpResponse) -> None:
        self.status, self.length = head.status, response.length
        self._fields = head.fields
        self._response = response
        self.url = ""

    def header(self, name: str) -> str:
        """A header of printable ASCII; empty when it is missing or has other characters."""
        value = self._fields.get(name.lower(), "")
        return value if _PRINTABLE.fullmatch(value) else ""

    def header_type(self, name: str) -> str:
        """A header without its parameters, in lower case; the parameters may have any characters.

        Some origins send file names in raw UTF-8 or Latin-1 in ``Content-Disposition``, against RFC 6266.
        """
        value = self._fields.get(name.lower(), "").partition(";")[0].strip(" \t").lower()
        return value if _PRINTABLE.fullmatch(value) else ""

    @property
    def location(self) -> str:
        """The ``Location``, decoded as UTF-8; empty when it has a control character.

        Bytes that are not UTF-8 are percent-encoded.
        """
        value = self._fields.get("location", "")
        if _CONTROL.search(value):
            return ""
        try:
            return value.encode("latin-1").decode("utf-8")
        except UnicodeDecodeError:
            return _NOT_ASCII.sub(lambda byte: f"%{ord(byte[0]):02X}", value)

    def drop_headers(self) -> None:
        """Drop the headers to save memory per open stream."""
        self._fields, self.url = {}, ""

    def read(self, amount: int) -> bytes:
        """Read at most ``amount`` bytes that have arrived; wait only when there are none. Empty at the end.

        Raises:
            OriginFailed: the body ended before its length, or its framing is broken.
            OriginTimeout: no byte arrived for the stall timeout.
        """
        try:
            return self._response.read(amount)
        except (http.client.HTTPException, OSError) as raised:
            raise _map_exception(raised) from raised

    def close(self) -> None:
        """Return the connection to its pool when the body was read to its end, else close it."""
        self._response.close()


class Client:
    """Fetches URLs that the guard permits, under the network policy of each URL's zone.

    Args:
        guard: decides what may be reached.
        lookup: resolves host names.
        via: the pseudonym in the ``Via`` header, by which a request loop is recognised.
    """

    def __init__(self, guard: Guard, lookup: DnsLookup, *, via: str = USER_AGENT) -> None:
        self._guard = guard
        self._lookup = lookup
        self._check_fetch = lru_cache(maxsize=CACHED_URLS)(guard.check_fetch)
        self._pool = lru_cache(maxsize=MAX_POOLS)(self._new_pool)
        self._headers = f"Accept: */*\r\nAccept-Encoding: identity\r\nUser-Agent: {USER_AGENT}\r\nVia: 1.1 {via}\r\n"

    def check(self, url: str) -> None:
        """Resolve and check the addresses of a URL without connecting. A name without an address passes.

        Raises:
            OriginUnsafe: the zone's policy refuses an address.
        """
        policy = self._guard.policy(self._guard.check_fetch(url))
        with origin_errors(), suppress(socket.gaierror):
            resolve(policy.check_url(to_uri(url)), policy=policy, resolver=self._lookup)

    def get(self, url: str, *, byte_range: str = "", if_range: str = "", listed_only: bool = False) -> OriginResponse:
        """GET ``url`` and follow at most five redirects, each of which is checked.

        Args:
            url: an absolute URL.
            byte_range: the value of the ``Range`` header (RFC 9110 section 14.2); empty for none.
            if_range: the value of the ``If-Range`` header; empty for none.
            listed_only: refuse every hop that the allow-list does not cover.

        Raises:
            OriginUnsafe: the guard refused the URL, one of its addresses, or a redirect.
            OriginTimeout, OriginUnreachable, OriginFailed: the request failed.
        """
        redirected_from = None
        headers = self._headers
        for name, value in (("Range", byte_range), ("If-Range", if_range)):
            headers += f"{name}: {value}\r\n" if value else ""
        for _ in range(MAX_REDIRECTS + 1):
            zone = self._check_fetch(url, redirected_from=redirected_from, listed_only=listed_only)
            response = self._open(zone, url, headers)
            location = response.location if response.status in _REDIRECTS else ""
            if not location:
                response.url = url
                return response
            response.close()
            redirected_from, url = url, _next_url(url, location)
        raise OriginFailed("too many redirects")

    def _open(self, zone: Zone, url: str, headers: str) -> OriginResponse:
        try:
            return self._send(zone, url, headers)
        except OriginFailed as failed:
            # The origin closed a kept-alive connection; a GET can be repeated (RFC 9110 section 9.2.2).
            if not isinstance(failed.__cause__, ConnectionError):
                raise
        return self._send(zone, url, headers)

    def _send(self, zone: Zone, url: str, headers: str) -> OriginResponse:
        with origin_errors():
            target = _split_target(url)
            request = f"GET {target.path} HTTP/1.1\r\nHost: {target.authority}\r\n{headers}\r\n"
            pool = self._pool(zone, target.scheme, target.host, target.port)
            return OriginResponse(*pool.get(request.encode("latin-1")))

    def _new_pool(self, zone: Zone, scheme: str, host: str, port: int) -> ConnectionPool:
        return ConnectionPool(self._guard.policy(zone), self._lookup, (scheme, host, port), tls_context())


class _Target(NamedTuple):
    """The parts of a URL that a request needs; ``path`` includes the query."""

    scheme: str
    host: str
    port: int
    authority: str
    path: str


@lru_cache(maxsize=CACHED_URLS)
def _split_target(url: str) -> _Target:
    origin, path = parse_origin(url), request_target(to_uri(url))
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    authority = host if origin.port == DEFAULT_PORTS[origin.scheme] else f"{host}:{origin.port}"
    return _Target(origin.scheme, origin.host, origin.port, authority, path)


def _next_url(url: str, location: str) -> str:
    try:
        return resolve_reference(url, location)
    except ValueError:
        raise OriginFailed("a redirect leads to no URL") from None


@cache
def tls_context() -> ssl.SSLContext:
    """A verifying TLS context with the bundled root certificates and the system's (also ``SSL_CERT_FILE``)."""
    context = ssl.create_default_context()
    # Some builds of Python set this option, which hides an end without close_notify.
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    context.load_verify_locations(certifi.where())
    return context


class origin_errors:  # noqa: N801 (used like contextlib.suppress)
    """Convert exceptions of sockets and libraries in the block to ``OriginError``."""

    __slots__ = ()

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(
        self, _kind: type[BaseException] | None, raised: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """Convert the exception.

        Raises:
            OriginUnsafe, OriginUnreachable, OriginTimeout, OriginFailed: by the exception's type.
        """
        if isinstance(raised, _LIBRARY_ERRORS):
            raise _map_exception(raised) from raised


def _map_exception(raised: Exception) -> OriginError:
    error = next(error for kinds, error in _ERRORS if isinstance(raised, kinds))
    return error(type(raised).__name__)


_ERRORS: tuple[tuple[tuple[type[Exception], ...], type[OriginError]], ...] = (  # the first match counts
    ((SSRFGuardError,), OriginUnsafe),
    ((ssl.SSLError,), OriginUnreachable),
    ((TimeoutError,), OriginTimeout),
    ((http.client.HTTPException, OSError, ValueError), OriginFailed),
)
_LIBRARY_ERRORS = tuple(kind for kinds, _ in _ERRORS for kind in kinds)
