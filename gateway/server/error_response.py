"""Requests that the server refuses before the application sees them, and their error responses."""

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
_REFUSALS: tuple[tuple[type[Exception], int, str], ...] = (
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


class HostInvalid(InvalidHeader):  # type: ignore[misc]  # gunicorn has no types
    """``Host`` is missing from an HTTP/1.1 request, or is none (RFC 9112 section 3.2)."""

    def __init__(self, problem: str) -> None:
        super().__init__("HOST")
        self.problem = problem


def check_host(request: Any) -> None:  # noqa: ANN401 (gunicorn's)
    """Hold a request to RFC 9112 section 3.2; gunicorn has refused more than one ``Host`` already.

    Raises:
        HostInvalid: the field is missing, or malformed.
    """
    host = next((value for name, value in request.headers if name == "HOST"), None)
    if host is None:
        if request.version >= (1, 1):
            raise HostInvalid("Host: is missing; HTTP/1.1 needs it")
    elif not _HOST.fullmatch(host):
        raise HostInvalid("Host: must be a host, and perhaps a port")


def describe(error: Exception) -> tuple[int, str] | None:
    """The status and the problem of a request that the server refuses; None where the fault is not the client's."""
    if isinstance(error, InvalidResponseHeader | InvalidResponseHeaderName):
        return None
    if isinstance(error, HostInvalid):
        return 400, error.problem
    return next(((status, problem) for kind, status, problem in _REFUSALS if isinstance(error, kind)), None)


class RefusedRequest:
    """A substitute for a request that could not be parsed, from which gunicorn builds an environment and a response.

    Args:
        head: the bytes received; the path and the requested form of the response are read from them.
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
        told = ((name.decode("latin-1").upper(), value.strip(b" \t\r")) for name, _, value in fields)
        self.headers = [
            (name, value.decode("ascii")) for name, value in told if name in _FIELDS and _VALUE.fullmatch(value)
        ]
        self.body = BytesIO()

    def should_close(self) -> bool:
        """Whether the connection is closed afterwards: where the next request begins is unknown."""
        return True
