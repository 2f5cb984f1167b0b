"""An origin of images of any size, in a process of its own: made as they are sent, and never whole in its memory."""

import multiprocessing
import random
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BLOCK = random.Random(7).randbytes(2**20)


@contextmanager
def running_origin() -> Iterator[str]:
    """Run it on a free port, and give its ``host:port``; ``/v/<bytes>.png`` is an image of so many bytes."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    there.close()
    try:
        yield f"127.0.0.1:{here.recv()}"
    finally:
        process.kill()
        process.join()


def _serve(parent: "Connection[int, None]") -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Images)
    parent.send(server.server_port)
    server.serve_forever()


class _Images(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        left = int(self.path.rpartition("/")[2].removesuffix(".png"))
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(left))
        self.end_headers()
        part = _SIGNATURE
        while left:
            self.wfile.write(part[:left])
            left -= len(part[:left])
            part = _BLOCK

    def log_message(self, *_: object) -> None:
        """Say nothing."""
