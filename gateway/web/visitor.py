"""Who asks, what for, and in which form the answer should come."""

import re
import socket
import struct
from collections.abc import Callable
from functools import partial
from typing import Literal

from flask import request

from gateway.delivery.ask import Ask, Progress
from gateway.errors import LoopDetected, PrefetchRefused
from gateway.limits import visitor_of
from gateway.web.state import services, settings

Form = Literal["envelope", "page", "problem", "text"]
SEND_TIMEOUT_S = 30
UNSENT_BYTES = 128 * 1024
_TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)
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
    if request.path.startswith("/api/"):
        return "envelope"
    destination = request.headers.get("Sec-Fetch-Dest", "")
    accept = request.headers.get("Accept", "")
    if destination in {"document", "iframe", "frame"}:
        return "page"
    if "json" in accept or request.headers.get("Sec-Fetch-Mode") in {"cors", "same-origin"}:
        return "problem"
    return "page" if not destination and "text/html" in accept else "text"


def bound_socket(progress: Progress) -> Callable[[], None]:
    """Keep a visitor who stops reading from holding on for ever, and from filling the kernel's buffers.

    Returns:
        What to call when the response is over.
    """
    visitor_socket = request.environ.get("gunicorn.socket")
    if visitor_socket is None:
        return lambda: None
    visitor_socket.settimeout(SEND_TIMEOUT_S)
    try:
        visitor_socket.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    except OSError:  # not TCP, or a kernel without it
        visitor_socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNSENT_BYTES)
    return partial(_over, visitor_socket, progress, request.environ.get("SERVER_PROTOCOL"))


def _over(visitor_socket: socket.socket, progress: Progress, protocol: str | None) -> None:
    visitor_socket.settimeout(None)  # the next request on a kept connection has a deadline of gunicorn's
    if progress.broke_off and protocol == "HTTP/1.0":
        # Without chunks the end of the connection is the end of the file, unless it is a reset (RFC 9112 section 8).
        visitor_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _header(name: str) -> str:
    value = request.headers.get(name, "")
    return value if _PRINTABLE.fullmatch(value) else ""
