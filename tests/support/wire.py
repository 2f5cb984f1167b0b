"""An origin whose every connection is run byte by byte, and a client that may fetch from it."""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_network
from itertools import count
from typing import Self

from gateway.egress.client import Client, OriginResponse
from gateway.egress.dns_lookup import DnsLookup
from gateway.egress.guard import Guard
from gateway.origins.allowlist import HostPattern
from tests.support.servers import Request, ScriptedServer, read_request

Script = Callable[[socket.socket], None]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
AT_ONCE_S = 2.0
MUCH = 8 * 2**20  # more than the kernel takes off a sender whose peer reads nothing


class Wire:
    """A server that runs a script for each connection; the last script serves all later ones."""

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.sent = 0
        self.ended = threading.Event()
        self._scripts = scripts
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        """A URL here."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v/cat.png"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def take_request(self, connection: socket.socket) -> None:
        """Read one request and append it to ``requests``."""
        request = read_request(connection)
        if request is None:
            raise ConnectionResetError
        self.requests.append(request)

    def flood(self, connection: socket.socket, part: bytes) -> None:
        """Send the same bytes again and again and count them; stop when far too much was taken."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        while self.sent < 4 * MUCH:
            self.sent += connection.send(part)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                script = self._scripts[min(self.connections, len(self._scripts) - 1)]
                self.connections += 1
                threading.Thread(target=self._run, args=(script, connection), daemon=True).start()

    def _run(self, script: Script, connection: socket.socket) -> None:
        with connection, suppress(OSError, ValueError):
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                script(connection)
        self.ended.set()


def sending(*parts: bytes, pause_s: float = 0.0) -> Wire:
    """A server that takes one request per connection, sends these bytes and closes."""

    def script(connection: socket.socket) -> None:
        wire.take_request(connection)
        for part in parts:
            connection.sendall(part)
            time.sleep(pause_s)

    wire = Wire(script)
    return wire


def keeping(*answers: bytes) -> Wire:
    """A server with persistent connections, each of which gets these answers in turn, the last one repeated."""

    def script(connection: socket.socket) -> None:
        for number in count():
            wire.take_request(connection)
            connection.sendall(answers[min(number, len(answers) - 1)])

    wire = Wire(script)
    return wire


def flooding(beginning: bytes, part: bytes) -> Wire:
    """A server that sends a beginning, then the same part without end."""

    def script(connection: socket.socket) -> None:
        wire.take_request(connection)
        connection.sendall(beginning)
        wire.flood(connection, part)

    wire = Wire(script)
    return wire


def silent_after(*parts: bytes) -> Wire:
    """A server that sends these bytes, then nothing, and leaves the connection open."""

    def script(connection: socket.socket) -> None:
        wire.take_request(connection)
        for part in parts:
            connection.sendall(part)
        connection.recv(1)

    wire = Wire(script)
    return wire


def client_for(*servers: Wire | ScriptedServer, listed: str = "", lookup: DnsLookup | None = None) -> Client:
    """A client that may fetch from these servers."""
    hosts = [f"127.0.0.1:{server.port}" for server in servers] + list(filter(None, [listed]))
    guard = Guard([HostPattern.parse(host) for host in hosts], [ip_network("127.0.0.0/8")], allow_http=True)
    return Client(guard, lookup or DnsLookup(), via="gateway-tests")


def everything(opened: OriginResponse) -> bytes:
    """The body to its end."""
    body = b""
    try:
        while part := opened.read(65536):
            body += part
    finally:
        opened.close()
    return body


def fetch(wire: Wire) -> bytes:
    """The body that a new client gets."""
    return everything(client_for(wire).get(wire.url))
