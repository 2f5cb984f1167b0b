"""Who asks, what for, and in which form the answer should come."""

import re
from typing import Literal

from flask import request

from gateway.delivery.ask import Ask
from gateway.errors import LoopDetected, PrefetchRefused
from gateway.limits import visitor_of
from gateway.resolving.provider import DOWNLOAD_URL, RECORD_INFO
from gateway.web.sockets import line_of
from gateway.web.state import services, settings

Form = Literal["contract", "envelope", "page", "problem", "text"]
CONTRACT_PATHS = frozenset({DOWNLOAD_URL, RECORD_INFO})
_PRINTABLE = re.compile(r"[\x20-\x7e]{0,1024}")


def asked() -> Ask:
    """Read what bears on delivery from the request.

    Raises:
        PrefetchRefused: a browser only guesses that the visitor might click.
        LoopDetected: the request came from this gateway itself.
    """
    if "prefetch" in request.headers.get("Sec-Purpose", request.headers.get("Purpose", "")):
        raise PrefetchRefused("prefetch")
    if services().via in request.headers.get("Via", ""):
        raise LoopDetected("our own Via came round")
    return Ask(
        method="HEAD" if request.method == "HEAD" else "GET",
        visitor=visitor_of(request.remote_addr or ""),
        range=_header("Range"),
        if_range=_header("If-Range"),
        if_none_match=_header("If-None-Match"),
        cors_origin=allowed_origin(),
        line=line_of(request.environ),
    )


def query_bytes() -> bytes:
    """The query string as it came (PEP 3333 hands it over as Latin-1)."""
    return str(request.environ.get("QUERY_STRING", "")).encode("latin-1", "replace")


def allowed_origin() -> str:
    """The Origin of a script that the settings allow; empty for everybody else. Navigations are nobody's script."""
    origin = request.headers.get("Origin", "").lower()
    navigates = request.headers.get("Sec-Fetch-Mode") == "navigate"
    return origin if origin in settings().cors_origins and not navigates else ""


def form() -> Form:
    """In which form errors are told: the envelope under /api/, else by Fetch Metadata, else by Accept."""
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


def _header(name: str) -> str:
    value = request.headers.get(name, "")
    return value if _PRINTABLE.fullmatch(value) else ""
