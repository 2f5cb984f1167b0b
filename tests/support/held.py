"""An origin that holds a download in the middle, for as long as a test wants."""

import threading
from typing import Literal

from tests.support.servers import Request, answer

Framing = Literal["length", "chunked"]


class Held:
    """A route that sends one half of a file, and the other when ``go_on`` is set.

    Attributes:
        half_is_out: set when somebody has asked and the first half was sent.
        go_on: lets the second half go.
    """

    def __init__(self, body: bytes, framing: Framing = "length") -> None:
        self.half_is_out, self.go_on = threading.Event(), threading.Event()
        self._body = body
        self._framing = framing

    def __call__(self, request: Request) -> None:
        """Serve."""
        middle = len(self._body) // 2
        framing = {"Content-Length": str(len(self._body))}
        if self._framing == "chunked":
            framing = {"Transfer-Encoding": "chunked"}
        request.connection.sendall(answer(200, b"", {"Content-Type": "image/png", **framing}))
        self._send(request, self._body[:middle])
        self.half_is_out.set()
        self.go_on.wait(30)
        self._send(request, self._body[middle:])
        if self._framing == "chunked":
            request.connection.sendall(b"0\r\n\r\n")

    def _send(self, request: Request, part: bytes) -> None:
        if self._framing == "chunked":
            part = f"{len(part):x}\r\n".encode() + part + b"\r\n"
        request.connection.sendall(part)
