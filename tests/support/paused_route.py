"""An origin route that pauses in the middle of a file until a test lets it go on."""

import threading
from typing import Literal

from tests.support.servers import Request, answer

Framing = Literal["length", "chunked"]


class PausedRoute:
    """Sends the first half of a file, and the second once ``resume`` is set.

    Attributes:
        half_sent: set when the first half was sent.
        resume: set by the test.
    """

    def __init__(self, body: bytes, framing: Framing = "length") -> None:
        self.half_sent, self.resume = threading.Event(), threading.Event()
        self._body = body
        self._framing = framing

    def __call__(self, request: Request) -> None:
        """Serve one request."""
        middle = len(self._body) // 2
        framing = {"Content-Length": str(len(self._body))}
        if self._framing == "chunked":
            framing = {"Transfer-Encoding": "chunked"}
        request.connection.sendall(answer(200, b"", {"Content-Type": "image/png", **framing}))
        self._send(request, self._body[:middle])
        self.half_sent.set()
        self.resume.wait(30)
        self._send(request, self._body[middle:])
        if self._framing == "chunked":
            request.connection.sendall(b"0\r\n\r\n")

    def _send(self, request: Request, part: bytes) -> None:
        if self._framing == "chunked":
            part = f"{len(part):x}\r\n".encode() + part + b"\r\n"
        request.connection.sendall(part)
