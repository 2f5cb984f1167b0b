"""Thousands of connections in a process of their own: an origin, and visitors who take their time."""

import asyncio
import multiprocessing
import random
import resource
import selectors
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import heappop, heappush
from http.client import HTTPConnection
from statistics import quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_spawn = multiprocessing.get_context("spawn")
_PATIENCE_S = 60.0
_PIECE = 64 * 1024
_FIRST_LOOK_S = 0.1
_COME_TOGETHER = 20
_MOST_UNANSWERED = 200
_RECEIVE_BUFFER = 16 * 1024  # a visitor's; what its kernel takes in is not what it has read


@dataclass(frozen=True, slots=True)
class Served:
    """What became of the visitors: how many got the whole file, and what the first other one got."""

    whole: int
    trouble: str


@contextmanager
def running_crowded_origin(length: int) -> Iterator[str]:
    """Serve an image of so many bytes at every path, to thousands at once; give ``host:port``."""
    with child_process(_serve_images, length) as origin:
        yield f"127.0.0.1:{origin.recv()}"


@contextmanager
def slow_visitors(port: int, paths: list[str], length: int, rate: int) -> Iterator["Visitors"]:
    """Let a visitor come for each path, each from an address of its own, and read so many bytes a second."""
    with child_process(_visit, port, paths, length, rate) as visitors:
        yield Visitors(visitors)


class Visitors:
    """The crowd, from outside its process."""

    def __init__(self, process: "Connection[object, object]") -> None:
        self._process = process

    def are_here(self) -> int:
        """Wait until every visitor has the headers, and tell how many were answered 200."""
        return int(str(self._process.recv()))

    def finish(self) -> Served:
        """Have them read what is left as fast as they can, and tell how it went."""
        self._process.send("finish")
        served = self._process.recv()
        assert isinstance(served, Served)
        return served


@dataclass(frozen=True, slots=True)
class Idler:
    """A connection that asks for nothing, or begins to.

    Attributes:
        first: what it sends at first.
        drip: what it adds each second.
        back_within_s: it comes back so soon when it was closed, in seconds.
    """

    first: bytes = b""
    drip: bytes = b""
    back_within_s: float = 10.0


@contextmanager
def idle_connections(port: int, idlers: list[Idler]) -> Iterator[None]:
    """Keep all these connections open; one that is closed is opened anew."""
    with child_process(_idle, port, idlers) as idle:
        idle.recv()
        yield


@contextmanager
def samples(port: int, paths: list[str], every_s: float = 0.05) -> Iterator[Callable[[], list[list[float]]]]:
    """Ask for these paths in turn, each on a new connection; gives what tells the seconds that each took so far."""
    with child_process(_sample, port, paths, every_s) as sampler:

        def so_far() -> list[list[float]]:
            sampler.send("tell")
            taken = sampler.recv()
            assert isinstance(taken, list)
            return taken

        yield so_far


def p95(seconds: list[float]) -> float:
    """The 95th percentile, in milliseconds."""
    return quantiles(seconds, n=20)[-1] * 1000


@contextmanager
def child_process(work: Callable[..., None], *args: object) -> Iterator["Connection[object, object]"]:
    """Run ``work`` with one end of a pipe in a process of its own, and kill it at the end; give the other end."""
    here, there = _spawn.Pipe()
    process = _spawn.Process(target=work, args=(there, *args), daemon=True)
    process.start()
    there.close()
    try:
        yield here
    finally:
        process.kill()
        process.join()


def _many_files() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# --- the origin


def image(length: int) -> bytes:
    """The image that everybody gets."""
    return b"\x89PNG\r\n\x1a\n" + bytes(range(248)) * (length // 248 + 1)


def _serve_images(parent: "Connection[object, object]", length: int) -> None:
    _many_files()
    asyncio.run(_serve(parent, length))


async def _serve(parent: "Connection[object, object]", length: int) -> None:
    body = image(length)[:length]
    # Closed from here, as whoever closes first keeps the port for a minute.
    head = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nConnection: close\r\n"
    start = f"{head}Content-Length: {length}\r\n\r\n".encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(0)
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(start)
            for begin in range(0, length, _PIECE):
                writer.write(body[begin : begin + _PIECE])
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=4096)
    parent.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


# --- visitors


class _Visitor:
    def __init__(self, number: int, port: int, path: str) -> None:
        self.taken = bytearray()
        self.over = False
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self.socket.connect(("127.0.0.1", port))
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {address}\r\nConnection: close\r\n\r\n"
        self.socket.sendall(head.encode())
        self.socket.settimeout(0)

    def read(self, most: int) -> None:
        try:
            part = self.socket.recv(most)
        except BlockingIOError:
            return
        except OSError as error:
            self.over, part = True, repr(error).encode()
        self.taken += part
        if not part:
            self.over = True
            self.socket.close()

    @property
    def has_headers(self) -> bool:
        return b"\r\n\r\n" in self.taken or self.over

    def got(self, length: int) -> str:
        """What it got, when that is not the whole file; empty for the whole file."""
        head, _, body = self.taken.partition(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 200") and bytes(body) == image(length)[:length]:
            return ""
        return f"{head[:60].decode('latin-1')!r} and {len(body)} bytes"


def _visit(parent: "Connection[object, object]", port: int, paths: list[str], length: int, rate: int) -> None:
    _many_files()
    due: list[tuple[float, int]] = []  # a heap: when, and which visitor
    visitors: list[_Visitor] = []
    for number, path in enumerate(paths):
        visitors.append(_Visitor(number, port, path))
        heappush(due, (time.monotonic() + _FIRST_LOOK_S, number))
        if number % _COME_TOGETHER == 0:
            _read_those_due(visitors, due, rate)
            _wait_until_few_wait(visitors, due, rate)
    while not all(visitor.has_headers for visitor in visitors):
        _read_those_due(visitors, due, rate)
    parent.send(sum(visitor.taken.startswith(b"HTTP/1.1 200") for visitor in visitors))
    while not parent.poll():
        _read_those_due(visitors, due, rate)
    parent.send(_finish(visitors, length))
    parent.recv()


def _wait_until_few_wait(visitors: list[_Visitor], due: list[tuple[float, int]], rate: int) -> None:
    """Come as fast as the gateway answers, and no faster."""
    newest = visitors[-_MOST_UNANSWERED:]
    while sum(not visitor.has_headers for visitor in newest) > _MOST_UNANSWERED // 2:
        _read_those_due(visitors, due, rate)


def _read_those_due(visitors: list[_Visitor], due: list[tuple[float, int]], rate: int) -> None:
    now = time.monotonic()
    while due and due[0][0] <= now:
        _, number = heappop(due)
        visitor = visitors[number]
        visitor.read(rate)
        if not visitor.over:
            heappush(due, (now + (1 if visitor.taken else _FIRST_LOOK_S), number))
    time.sleep(0.01)


def _finish(visitors: list[_Visitor], length: int) -> Served:
    until = time.monotonic() + _PATIENCE_S
    with selectors.DefaultSelector() as selector:
        waiting = {visitor.socket: visitor for visitor in visitors if not visitor.over}
        for each in waiting:
            selector.register(each, selectors.EVENT_READ)
        while waiting and time.monotonic() < until:
            for key, _ in selector.select(1):
                visitor = waiting[key.fileobj]  # type: ignore[index]
                visitor.read(_PIECE)
                if visitor.over:
                    del waiting[visitor.socket]
                    selector.unregister(visitor.socket)
    got = [visitor.got(length) for visitor in visitors]
    return Served(got.count(""), next(filter(None, got), ""))


# --- those who ask for nothing


def _idle(parent: "Connection[object, object]", port: int, idlers: list[Idler]) -> None:
    _many_files()
    asyncio.run(_keep_idle(parent, port, idlers))


async def _keep_idle(parent: "Connection[object, object]", port: int, idlers: list[Idler]) -> None:
    connected = asyncio.Semaphore(0)

    async def idle(idler: Idler) -> None:
        first_time = True
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(idler.first)
                if first_time:
                    connected.release()
                    first_time = False
                while not await _closed(reader, 1.0):
                    writer.write(idler.drip)
                    await writer.drain()
                writer.close()
            except OSError:
                pass
            await asyncio.sleep(random.uniform(0, idler.back_within_s))

    tasks = []
    for number, idler in enumerate(idlers):
        tasks.append(asyncio.create_task(idle(idler)))
        if number % 50 == 49:
            await asyncio.sleep(0.05)
    for _ in idlers:
        await connected.acquire()
    parent.send("all are here")
    await asyncio.gather(*tasks)


async def _closed(reader: asyncio.StreamReader, within_s: float) -> bool:
    try:
        await asyncio.wait_for(reader.read(), within_s)
    except TimeoutError:
        return False
    return True


# --- whoever else is there


def _sample(parent: "Connection[object, object]", port: int, paths: list[str], every_s: float) -> None:
    taken: list[list[float]] = [[] for _ in paths]
    while True:
        for path, times in zip(paths, taken, strict=True):
            begun_at = time.perf_counter()
            connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)
            connection.request("GET", path)
            status = connection.getresponse().status
            if status not in {200, 302, 403}:
                sys.exit(f"{path} was answered {status}")
            connection.close()
            times.append(time.perf_counter() - begun_at)
        if parent.poll(every_s):
            parent.recv()
            parent.send(taken)
