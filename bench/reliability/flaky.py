"""A provider and an origin in a process of their own: each file is cut so many times, and its first direct URL dies."""

import json
import multiprocessing
import random
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

CUTS = 5
DIES_AFTER = 3  # cuts
_PIECE = 2**18
_PERIOD = 2**20 - 3  # so that a part from another place is another part
_BLOCK = b"\x89PNG\r\n\x1a\n" + random.Random(7).randbytes(_PERIOD - 8)


@dataclass(frozen=True, slots=True)
class Count:
    """What the origin and the provider did."""

    cuts: int
    refused: int
    provider_calls: int


@dataclass(frozen=True, slots=True)
class Flaky:
    """The running process: the provider is at its root, and the images at ``/v/<number>.png``."""

    address: str
    _line: "Connection[None, Count]"

    def image(self, number: int) -> str:
        """The URL of an image; all have the same bytes, and each is cut at places of its own."""
        return f"http://{self.address}/v/{number}.png"

    def count(self) -> Count:
        """What was done so far."""
        self._line.send(None)
        return self._line.recv()


@contextmanager
def running_flaky(size: int) -> Iterator[Flaky]:
    """Run it on a free port, with images of so many bytes."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(there, size), daemon=True)
    process.start()
    there.close()
    try:
        yield Flaky(f"127.0.0.1:{here.recv()}", here)
    finally:
        process.kill()
        process.join()


def digest_of(size: int) -> str:
    """The SHA-256 of such an image."""
    hashed = sha256()
    for begin in range(0, size, _PIECE):
        hashed.update(_part(begin, min(_PIECE, size - begin)))
    return hashed.hexdigest()


def _part(begin: int, length: int) -> bytes:
    begin %= _PERIOD
    part = _BLOCK[begin : begin + length]
    return part + _BLOCK[: length - len(part)]


@dataclass(slots=True)
class _Image:
    """Where it is still to be cut, and which of its direct URLs is alive."""

    cuts: list[int]
    alive: int = 1


@dataclass(slots=True)
class _Shelf:
    size: int
    images: dict[str, _Image] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    cuts: int = 0
    refused: int = 0
    provider_calls: int = 0

    def image(self, number: str) -> _Image:
        if number not in self.images:
            slots = random.Random(number)
            self.images[number] = _Image(sorted(slots.randrange(1000, self.size) for _ in range(CUTS)))
        return self.images[number]


def _serve(parent: "Connection[object, None]", size: int) -> None:
    store = _Shelf(size)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"store": store}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    parent.send(server.server_port)
    while True:
        parent.recv()
        parent.send(Count(store.cuts, store.refused, store.provider_calls))


class _Handler(BaseHTTPRequestHandler):
    store: _Shelf

    def do_POST(self) -> None:
        """The provider: give the direct URL that is alive."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number = asked["url"].rpartition("/")[2].removesuffix(".png")
        with self.store.lock:
            self.store.provider_calls += 1
            alive = self.store.image(number).alive
        direct_url = f"http://{self.headers['Host']}/direct/{number}/{alive}"
        body = json.dumps({"code": 200, "msg": "success", "data": direct_url}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """The origin: send what was asked for, up to the next cut."""
        _, _, number, generation = self.path.split("/")
        with self.store.lock:
            image = self.store.image(number)
            dead = int(generation) < image.alive
            self.store.refused += dead
        if dead:
            self.send_error(403)
            return
        self._send(image, self._begin())

    def _begin(self) -> int:
        size, asked = self.store.size, self.headers.get("Range", "")
        first = int(asked.removeprefix("bytes=").partition("-")[0] or 0)
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{size - 1}/{size}")
        self.send_header("Content-Length", str(size - first))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", '"the-one-image"')
        self.end_headers()
        return first

    def _send(self, image: _Image, at: int) -> None:
        end = image.cuts[0] if image.cuts else self.store.size
        while at < end:
            part = _part(at, min(_PIECE, end - at))
            self.wfile.write(part)
            at += len(part)
        if at < self.store.size:
            self._cut(image)

    def _cut(self, image: _Image) -> None:
        with self.store.lock:
            image.cuts.pop(0)
            self.store.cuts += 1
            if len(image.cuts) == CUTS - DIES_AFTER:
                image.alive += 1
        if len(image.cuts) % 2:  # the other ones end like a connection that is closed in good order
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def log_message(self, *_: object) -> None:
        """Say nothing."""
