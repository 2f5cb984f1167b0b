"""Parse a download request, and choose the format of an error response."""

import re
from collections.abc import Collection
from typing import Literal
from wsgiref.types import WSGIEnvironment

from flask import request

from gateway.delivery.exchange import DownloadRequest
from gateway.errors import LoopDetected, PrefetchRefused
from gateway.provider.client import DOWNLOAD_URL, RECORD_INFO
from gateway.web.client_address import LONGEST_ADDRESS, normalize_address
from gateway.web.sockets import client_connection

ErrorFormat = Literal["contract", "envelope", "page", "problem", "text"]
CONTRACT_PATHS = frozenset({DOWNLOAD_URL, RECORD_INFO})
_PRINTABLE = re.compile(r"[\x20-\x7e]{0,1024}")


def parse_request(environ: WSGIEnvironment, via: str, cors_origins: Collection[str]) -> DownloadRequest:
    """Parse a download request.

    Args:
        environ: of the request (PEP 3333).
        via: the gateway's pseudonym in ``Via`` (RFC 9110 section 7.6.3).
        cors_origins: origins whose scripts may read the response.

    Raises:
        PrefetchRefused: a browser prefetches the link.
        LoopDetected: this gateway sent the request itself.
    """
    if "prefetch" in (environ.get("HTTP_SEC_PURPOSE") or environ.get("HTTP_PURPOSE", "")):
        raise PrefetchRefused("prefetch")
    if via in environ.get("HTTP_VIA", ""):
        raise LoopDetected("Via has the gateway's pseudonym")
    return DownloadRequest(
        method="HEAD" if environ["REQUEST_METHOD"] == "HEAD" else "GET",
        visitor=normalize_address(environ.get("REMOTE_ADDR", "")[:LONGEST_ADDRESS]),
        range=_printable(environ.get("HTTP_RANGE", "")),
        if_range=_printable(environ.get("HTTP_IF_RANGE", "")),
        if_none_match=_printable(environ.get("HTTP_IF_NONE_MATCH", "")),
        if_match=environ.get("HTTP_IF_MATCH"),
        cors_origin=allowed_origin(environ, cors_origins),
        connection=client_connection(environ),
    )


def allowed_origin(environ: WSGIEnvironment, cors_origins: Collection[str]) -> str:
    """The ``Origin`` of a script that the settings allow; else empty, as for navigations."""
    origin = environ.get("HTTP_ORIGIN", "").lower()
    if not origin or environ.get("HTTP_SEC_FETCH_MODE") == "navigate":
        return ""
    return origin if origin in cors_origins else ""


def error_format() -> ErrorFormat:
    """The format of an error response: the envelope under /api/, else by Fetch Metadata, else by ``Accept``."""
    if request.path in CONTRACT_PATHS:
        return "contract"
    if request.path.startswith("/api/"):
        return "envelope"
    destination = request.headers.get("Sec-Fetch-Dest", "")
    accept = request.headers.get("Accept", "")
    if destination in {"document", "iframe", "frame"}:
        return "page"
    if "json" in accept or request.headers.get("Sec-Fetch-Mode") in {"cors", "same-origin"}:
        return "problem"
    return "page" if not destination and "text/html" in accept else "text"


def _printable(value: str) -> str:
    return value if _PRINTABLE.fullmatch(value) else ""
