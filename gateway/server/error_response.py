"""Requests that the server rejects before the application sees them, and their error responses."""

import re
from io import BytesIO
from typing import Any

from gunicorn.http.errors import (
    ExpectationFailed,
    InvalidHeader,
    InvalidHeaderName,
    InvalidHTTPVersion,
    InvalidRequestLine,
    InvalidRequestMethod,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ObsoleteFolding,
    ParseException,
    UnsupportedTransferCoding,
)

EXTENSION = "gateway.refused_by_server"
_ERRORS: tuple[tuple[type[Exception], int, str], ...] = (
    (LimitRequestLine, 414, "the request line is too long"),
    (LimitRequestHeaders, 431, "the header fields are too large, or too many"),
    (ExpectationFailed, 417, "Expect: cannot be met"),
    (UnsupportedTransferCoding, 501, "Transfer-Encoding: is not supported"),
    (InvalidRequestMethod, 400, "the method is not one of HTTP"),
    (InvalidHTTPVersion, 400, "the version of HTTP is not one of 1.0 and 1.1"),
    (InvalidRequestLine, 400, "the request line is malformed"),
    (ObsoleteFolding, 400, "a header field is folded over several lines"),
    (InvalidHeaderName, 400, "the name of a header field is malformed"),
    (InvalidHeader, 400, "a header field is malformed, repeated, or contradicts another"),
    (ParseException, 400, "the message is malformed"),
)
_PATH = re.compile(rb"[A-Z]{3,20} (/[\x21-\x3e\x40-\x7e]{0,2047})")
_FIELDS = frozenset(
    {"ACCEPT", "ACCEPT-LANGUAGE", "SEC-FETCH-DEST", "SEC-FETCH-MODE", "X-FORWARDED-FOR", "X-REQUEST-ID"}
)
_VALUE = re.compile(rb"[\t\x20-\x7e]{0,1024}")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?")


class InvalidHost(InvalidHeader):  # type: ignore[misc]  # gunicorn has no types
    """``Host`` is missing from an HTTP/1.1 request, or malformed (RFC 9112 section 3.2)."""

    def __init__(self, problem: str) -> None:
        super().__init__("HOST")
        self.problem = problem


def check_host(request: Any) -> None:  # noqa: ANN401 (gunicorn's)
    """Check the ``Host`` header (RFC 9112 section 3.2); gunicorn refuses repeated ones.

    Raises:
        InvalidHost: the header is missing or malformed.
    """
    host = next((value for name, value in request.headers if name == "HOST"), None)
    if host is None:
        if request.version >= (1, 1):
            raise InvalidHost("Host: is missing; HTTP/1.1 needs it")
    elif not _HOST.fullmatch(host):
        raise InvalidHost("Host: must be a host, and perhaps a port")


def describe_error(error: Exception) -> tuple[int, str] | None:
    """The status and problem of a rejected request; None for an error that the client did not cause."""
    if isinstance(error, InvalidResponseHeader | InvalidResponseHeaderName):
        return None
    if isinstance(error, InvalidHost):
        return 400, error.problem
    return next(((status, problem) for kind, status, problem in _ERRORS if isinstance(error, kind)), None)


class RejectedRequest:
    """Stands for a request that could not be parsed; gunicorn builds the WSGI environment and response from it.

    Args:
        head: the received bytes; path and content negotiation headers are parsed from them.
    """

    version = (1, 1)
    scheme = "http"
    proxy_protocol_info = None
    _expected_100_continue = False

    def __init__(self, head: bytes) -> None:
        line = _PATH.match(head)
        self.method = "HEAD" if head.startswith(b"HEAD ") else "GET"
        self.path = self.uri = line[1].decode("ascii") if line else "/"
        self.query = ""
        fields = (line.partition(b":") for line in head.split(b"\n"))
        parsed = ((name.decode("latin-1").upper(), value.strip(b" \t\r")) for name, _, value in fields)
        self.headers = [
            (name, value.decode("ascii")) for name, value in parsed if name in _FIELDS and _VALUE.fullmatch(value)
        ]
        self.body = BytesIO()

    def should_close(self) -> bool:
        """True: it is unknown where the next request begins."""
        return True
