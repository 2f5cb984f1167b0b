"""A real HTTP server on loopback that says exactly what a test tells it to, byte for byte when need be."""

import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """One request as it came; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: socket.socket = field(repr=False)

    @property
    def path(self) -> str:
        """The target's path."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        """The target's query, parsed."""
        return parse_qs(urlsplit(self.target).query)

    @property
    def json(self) -> dict[str, object]:
        """The body, parsed."""
        return dict(json.loads(self.body))


# What a route returns: the bytes to send, or None when it sent them itself; the connection is closed afterwards.
Route = Callable[[Request], bytes | None]


class ScriptedServer:
    """Serves each path by a route. Closes a connection after one answer.

    Attributes:
        seen: every request.
        connections: how many there were, whether anything was asked or not.
    """

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.connections = 0
        self._routes: dict[str, Route] = {}
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        """The URL of a path here."""
        return f"http://{self.address}{path}"

    def route(self, path: str, route: Route | bytes) -> str:
        """Serve ``path`` by a function, or by the same bytes always; gives the URL."""
        self._routes[path] = route if callable(route) else lambda _request: route
        return self.url(path)

    def serve(self, path: str, body: bytes, *, ranges: bool = True, status: int = 200, **headers: str) -> str:
        """Serve a file at ``path`` as a well-behaved origin does; keywords are headers, with ``_`` for ``-``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.route(path, lambda request: file_answer(request, body, named, ranges=ranges, status=status))

    def paths(self, method: str = "GET") -> list[str]:
        """The paths asked for by a method, in order."""
        return [request.path for request in self.seen if request.method == method]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                request = read_request(connection)
                if request is None:
                    return
                self.seen.append(request)
                route = self._routes.get(request.path)
                sent = route(request) if route else answer(404, b"no such path\n")
                if sent is not None:
                    connection.sendall(sent)
            except OSError:
                return


def read_request(connection: socket.socket) -> Request | None:
    """Read one request off a socket; None when the peer went away first."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        part = connection.recv(65536)
        if not part:
            return None
        raw += part
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    while len(body) < length:
        body += connection.recv(65536)
    return Request(method, target, headers, body, connection)


def answer(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """A complete response with a Content-Length, unless ``headers`` brings its own."""
    lines = [f"HTTP/1.1 {status} X", "Connection: close"]
    given = dict(headers or {})
    if not {"content-length", "transfer-encoding"} & {name.lower() for name in given}:
        given["Content-Length"] = str(len(body))
    lines += [f"{name}: {value}" for name, value in given.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def file_answer(
    request: Request, body: bytes, headers: Mapping[str, str], *, ranges: bool = True, status: int = 200
) -> bytes:
    """Answer for a file, a single range included."""
    given = dict(headers)
    if ranges:
        given.setdefault("Accept-Ranges", "bytes")
    wanted = request.headers.get("range", "")
    if not ranges or status != 200 or not wanted.startswith("bytes="):
        return answer(status, body, given)
    first_text, _, last_text = wanted.removeprefix("bytes=").partition("-")
    first, last = int(first_text), min(int(last_text or len(body)), len(body) - 1)
    if first >= len(body):
        return answer(416, b"", {**given, "Content-Range": f"bytes */{len(body)}"})
    given["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
    return answer(206, body[first : last + 1], given)


def envelope(code: object = 200, msg: object = "success", data: object = None, status: int = 200) -> bytes:
    """A provider's answer."""
    body = json.dumps({"code": code, "msg": msg, "data": data}).encode()
    return answer(status, body, {"Content-Type": "application/json;charset=UTF-8"})
