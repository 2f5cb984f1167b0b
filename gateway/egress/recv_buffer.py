"""The kernel's receive buffer of a connection to an origin, which bounds unread bytes.

Autotuning would grow it with the reading speed to many MiB. It cannot shrink later: an advertised TCP window is
used, and segments that do not fit are dropped and sent again 200 ms later.
"""

import socket
from contextlib import suppress

WIDE_BYTES = 352 * 1024  # for reads of more than FIRST_READ
FAST_READER_BYTES = 12 * 2**20
_SO_BUF_LOCK, _OPEN, _LOCKED = 72, 0, 2  # Linux 5.14


def lock_size(sock: socket.socket) -> None:
    """Fix the buffer of a new connection at its size, at most ``WIDE_BYTES``."""
    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) <= WIDE_BYTES:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, _SO_BUF_LOCK, _LOCKED)
            return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WIDE_BYTES // 2)  # Linux doubles it


def widen(sock: socket.socket) -> None:
    """Grow the buffer to ``WIDE_BYTES``, unless it is larger."""
    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) < WIDE_BYTES:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WIDE_BYTES // 2)


def widen_for_fast_readers(sock: socket.socket) -> None:
    """Grow the buffer to ``FAST_READER_BYTES``, where the kernel can.

    SO_RCVBUF is limited to 416 KiB by default; SO_RCVLOWAT, which grows the buffer too, is not.
    """
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, _SO_BUF_LOCK, _OPEN)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, FAST_READER_BYTES // 2)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        sock.setsockopt(socket.SOL_SOCKET, _SO_BUF_LOCK, _LOCKED)
