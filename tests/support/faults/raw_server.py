"""A server on raw sockets: a function decides what it sends, and how it breaks off."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

PATIENCE_S = 30.0
MOST_FLOOD = 256 * 2**20
_SEND_BUFFER = 64 * 1024


class ClientConnection:
    """One connection, after its request was read.

    Args:
        connection: the socket.
        address: ``host:port`` of the server.
        head: the request, up to its empty line.
        body: what came after the empty line.
    """

    def __init__(self, connection: socket.socket, address: str, head: bytes, body: bytes) -> None:
        self._connection = connection
        self.address = address
        self.body = body
        first, *lines = head.decode("latin-1").split("\r\n")
        self.target = first.split(" ")[1]
        self.headers: Mapping[str, str] = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
        }

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    def say(self, *parts: bytes) -> None:
        """Send bytes."""
        self._connection.sendall(b"".join(parts))

    def drip(self, data: bytes, every_s: float = 0.05) -> None:
        """Send bytes one by one."""
        for at in range(len(data)):
            self._connection.sendall(data[at : at + 1])
            time.sleep(every_s)

    def repeat(self, part: bytes, every_s: float) -> None:
        """Send the same bytes repeatedly, slowly, until the peer closes."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            self._connection.sendall(part)
            time.sleep(every_s)

    def flood(self, part: bytes) -> None:
        """Send the same bytes repeatedly, as fast as they are read, until the peer closes."""
        sent = 0
        while sent < MOST_FLOOD:
            sent += self._connection.send(part)

    def hold(self) -> None:
        """Send nothing more until the peer closes."""
        self._connection.settimeout(PATIENCE_S)
        self._connection.recv(1)

    def close_notify(self) -> None:
        """End TLS properly (RFC 8446 section 6.1); does nothing over plain TCP."""
        if isinstance(self._connection, ssl.SSLSocket):
            self._connection.unwrap()

    def reset(self) -> None:
        """Close the connection with a reset."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


Act = Callable[[ClientConnection], None]


class RawServer:
    """Calls a function on each connection, which carries one request and is then closed.

    Args:
        act: sends the response.
        tls: the context for TLS; None for plain TCP.
    """

    def __init__(self, act: Act, tls: ssl.SSLContext | None = None) -> None:
        self._act = act
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port: int = self._listener.getsockname()[1]

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        """The number of open connections."""
        return len(self._open)

    def url(self, path: str) -> str:
        """The URL of a path here."""
        return f"{'https' if self._tls else 'http'}://{self.address}{path}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def serve(self) -> None:
        """Accept connections until closed."""
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            self._open.add(connection)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._tls.wrap_socket(connection, server_side=True) if self._tls else connection as spoken:
                head, body = _request(spoken)
                if head:
                    self._act(ClientConnection(spoken, self.address, head, body))
        self._open.discard(connection)


def _request(connection: socket.socket) -> tuple[bytes, bytes]:
    """Read one request: its head and its body; both empty when the peer closed first."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        part = connection.recv(65536)
        if not part:
            return b"", b""
        raw += part
    head, _, body = raw.partition(b"\r\n\r\n")
    length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
    while len(body) < int(length or 0):
        body += connection.recv(65536)
    return head, body
