"""The visitor's socket: bounded in time and in what the kernel holds for it."""

import socket
import struct

from flask import request

from gateway.delivery.ask import Progress

SEND_TIMEOUT_S = 30
UNSENT_BYTES = 128 * 1024
_TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)


def bound_socket() -> None:
    """Keep a visitor who stops reading from holding on for ever, and from filling the kernel's buffers.

    The timeout stays on a kept connection: gunicorn's own deadline for the next request is shorter.
    """
    visitor_socket = request.environ.get("gunicorn.socket")
    if visitor_socket is None:
        return
    visitor_socket.settimeout(SEND_TIMEOUT_S)
    try:
        visitor_socket.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    except OSError:  # not TCP, or a kernel without it
        visitor_socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNSENT_BYTES)


def reset_when_broken(visitor_socket: socket.socket | None, protocol: str | None, progress: Progress) -> None:
    """Close a broken HTTP/1.0 transfer by a reset, whoever broke it: the origin, or the gateway at its own end.

    Without chunks the end of the connection is the end of the file (RFC 9112 section 8): a cut one would look whole.
    """
    broken = progress.broke_off or progress.outcome == "left"
    if visitor_socket is not None and broken and protocol == "HTTP/1.0":
        visitor_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
