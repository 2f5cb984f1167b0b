"""How much an origin may send before we read it: the kernel's receive buffer, which grows by our word alone.

By itself it grows with the speed of whoever reads, to many MiB, of which nothing can be taken back: a window that was
promised is used, and what then finds no room is dropped, and sent again 200 ms later.
"""

import socket
from contextlib import suppress

MOST = 352 * 1024  # for whoever takes more than a little at a time
FAST_READER_BYTES = 12 * 2**20
_SO_BUF_LOCK, _OPEN, _LOCKED = 72, 0, 2  # Linux 5.14


def lock_size(sock: socket.socket) -> None:
    """Have the buffer of a new connection stay as it is, or as small as it may ever be needed."""
    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) <= MOST:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, _SO_BUF_LOCK, _LOCKED)
            return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MOST // 2)  # Linux doubles it


def widen(sock: socket.socket) -> None:
    """Make room for more than a little, unless there is."""
    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) < MOST:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MOST // 2)


def widen_for_fast_readers(sock: socket.socket) -> None:
    """Make room for very much, where the kernel can.

    More than 416 KiB is given to nobody who names a size; but who is not to be woken for less has room made for it.
    """
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, _SO_BUF_LOCK, _OPEN)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, FAST_READER_BYTES // 2)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        sock.setsockopt(socket.SOL_SOCKET, _SO_BUF_LOCK, _LOCKED)
