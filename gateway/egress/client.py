"""How things are fetched: one GET at a time over guarded, pooled connections, redirects walked by hand."""

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

from gateway.egress.connection_pool import POOLS, ConnectionPool
from gateway.egress.dns_lookup import Lookup
from gateway.egress.guard import Guard, Zone
from gateway.egress.response import HttpResponse, ResponseHead
from gateway.egress.urls import request_target, resolve_reference, uri_of
from gateway.errors import OriginError, OriginFailed, OriginTimeout, OriginUnreachable, OriginUnsafe
from gateway.origins.allowlist import DEFAULT_PORTS, parse_origin

USER_AGENT = "download-gateway"
MOST_REDIRECTS = 5
REMEMBERED = 256  # URLs, of at most 8 KB, and what follows from them
_REDIRECTS = {301, 302, 303, 307, 308}
_PRINTABLE = re.compile(r"[\t\x20-\x7e]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NOT_ASCII = re.compile(r"[\x80-\xff]")


class OriginResponse:
    """An open response: the headers are in, the body is still to be read.

    Attributes:
        status: the final status; a redirect only when it named no usable ``Location``.
        length: the body's length in bytes; None when the origin did not say.
        url: what was answered, after every redirect; empty when the headers are dropped.
    """

    __slots__ = ("_fields", "_response", "length", "status", "url")

    def __init__(self, head: ResponseHead, response: HttpResponse) -> None:
        self.status, self.length = head.status, response.length
        self._fields = head.fields
        self._response = response
        self.url = ""

    def header(self, name: str) -> str:
        """One header as printable ASCII; empty when it is missing, or holds anything else."""
        value = self._fields.get(name.lower(), "")
        return value if _PRINTABLE.fullmatch(value) else ""

    def header_type(self, name: str) -> str:
        """The part of a header before its parameters, in lower case; the parameters may hold any letters.

        Origins send file names of raw UTF-8 or Latin-1 in ``Content-Disposition``, although RFC 6266 has ``filename*``.
        """
        value = self._fields.get(name.lower(), "").partition(";")[0].strip(" \t").lower()
        return value if _PRINTABLE.fullmatch(value) else ""

    @property
    def location(self) -> str:
        """The ``Location``, which may hold other letters than a header should; empty when it cannot be followed.

        Bytes that are no UTF-8 are percent-encoded as they are.
        """
        value = self._fields.get("location", "")
        if _CONTROL.search(value):
            return ""
        try:
            return value.encode("latin-1").decode("utf-8")
        except UnicodeDecodeError:
            return _NOT_ASCII.sub(lambda byte: f"%{ord(byte[0]):02X}", value)

    def drop_headers(self) -> None:
        """Let go of the headers, which are some KB for each of thousands that stream; none is told any more."""
        self._fields, self.url = {}, ""

    def read(self, amount: int) -> bytes:
        """Read what is there, at most ``amount`` bytes; wait only when nothing is. Empty at the end.

        Raises:
            OriginFailed: the body ended before its length, or its framing is broken.
            OriginTimeout: nothing came for the stall timeout.
        """
        try:
            return self._response.read(amount)
        except (http.client.HTTPException, OSError) as raised:
            raise _map_exception(raised) from raised

    def close(self) -> None:
        """Give the connection back when the body was read to its end, else close it."""
        self._response.close()


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
        self._place = lru_cache(maxsize=REMEMBERED)(guard.place)
        self._pool = lru_cache(maxsize=POOLS)(self._new_pool)
        self._headers = f"Accept: */*\r\nAccept-Encoding: identity\r\nUser-Agent: {USER_AGENT}\r\nVia: 1.1 {via}\r\n"

    def check(self, url: str) -> None:
        """Look up where a URL leads, without going there. A name that has no address here leads nowhere, and passes.

        Raises:
            OriginUnsafe: to an address that its zone's policy refuses.
        """
        policy = self._guard.policy(self._guard.place(url))
        with origin_errors(), suppress(socket.gaierror):
            resolve(policy.check_url(uri_of(url)), policy=policy, resolver=self._lookup)

    def get(self, url: str, *, byte_range: str = "", if_range: str = "", listed_only: bool = False) -> OriginResponse:
        """Open ``url`` and follow at most five redirects, each checked anew.

        Args:
            url: an absolute URL.
            byte_range: a ``Range`` header's value, sent as it is (RFC 9110 section 14.2).
            if_range: an ``If-Range`` header's value, sent as it is.
            listed_only: refuse every hop that the allow-list does not name.

        Raises:
            OriginUnsafe: the guard refused the URL, an address it resolved to, or a hop.
            OriginTimeout, OriginUnreachable, OriginFailed: what went wrong on the way.
        """
        came_from = None
        headers = self._headers
        for name, value in (("Range", byte_range), ("If-Range", if_range)):
            headers += f"{name}: {value}\r\n" if value else ""
        for _ in range(MOST_REDIRECTS + 1):
            zone = self._place(url, came_from=came_from, listed_only=listed_only)
            answer = self._open(zone, url, headers)
            location = answer.location if answer.status in _REDIRECTS else ""
            if not location:
                answer.url = url
                return answer
            answer.close()
            came_from, url = url, _next_url(url, location)
        raise OriginFailed("too many redirects")

    def _open(self, zone: Zone, url: str, headers: str) -> OriginResponse:
        try:
            return self._ask(zone, url, headers)
        except OriginFailed as failed:
            # The origin was just closing a kept-alive connection; a GET may be sent again (RFC 9110 section 9.2.2).
            if not isinstance(failed.__cause__, ConnectionError):
                raise
        return self._ask(zone, url, headers)

    def _ask(self, zone: Zone, url: str, headers: str) -> OriginResponse:
        with origin_errors():
            way = _split_target(url)
            request = f"GET {way.target} HTTP/1.1\r\nHost: {way.authority}\r\n{headers}\r\n"
            return OriginResponse(*self._pool(zone, way.scheme, way.host, way.port).get(request.encode("latin-1")))

    def _new_pool(self, zone: Zone, scheme: str, host: str, port: int) -> ConnectionPool:
        return ConnectionPool(self._guard.policy(zone), self._lookup, (scheme, host, port), tls_roots())


class _Target(NamedTuple):
    """What a URL says of how to ask for it."""

    scheme: str
    host: str
    port: int
    authority: str
    target: str


@lru_cache(maxsize=REMEMBERED)
def _split_target(url: str) -> _Target:
    origin, target = parse_origin(url), request_target(uri_of(url))
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    authority = host if origin.port == DEFAULT_PORTS[origin.scheme] else f"{host}:{origin.port}"
    return _Target(origin.scheme, origin.host, origin.port, authority, target)


def _next_url(url: str, location: str) -> str:
    try:
        return resolve_reference(url, location)
    except ValueError:
        raise OriginFailed("a redirect leads to no URL") from None


@cache
def tls_roots() -> ssl.SSLContext:
    """A verifying TLS context: the bundled roots beside the system's own (``SSL_CERT_FILE`` counts)."""
    context = ssl.create_default_context()
    # Where this option is set, as some builds of Python do, an end without close_notify looks like a proper one.
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
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
        if isinstance(raised, _OF_THE_LIBRARY):
            raise _map_exception(raised) from raised


def _map_exception(raised: Exception) -> OriginError:
    """Which of ours it is."""
    ours = next(ours for kinds, ours in _MEANINGS if isinstance(raised, kinds))
    return ours(type(raised).__name__)


_MEANINGS: tuple[tuple[tuple[type[Exception], ...], type[OriginError]], ...] = (  # the first that fits
    ((SSRFGuardError,), OriginUnsafe),
    ((ssl.SSLError,), OriginUnreachable),
    ((TimeoutError,), OriginTimeout),
    ((http.client.HTTPException, OSError, ValueError), OriginFailed),
)
_OF_THE_LIBRARY = tuple(kind for kinds, _ in _MEANINGS for kind in kinds)
