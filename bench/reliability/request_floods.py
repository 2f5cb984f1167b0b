"""Requests that never end, or whose answers nobody reads: everybody else is answered all the same."""

import selectors
import socket
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.reliability.crowd import Idler, child_process, idle_connections, p95, samples
from bench.reliability.row import Row
from gateway.links import LinkSigner
from tests.support.faults.process_stats import ProcessStats
from tests.support.procfile_gateway import API_KEY, SECRET, running_gateway

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

FILES = 1024  # a common limit, with which a worker takes 384 connections
PIPELINES, READERS, BODIES, HEADS = 10, 420, 420, 400
WATCHED_S = 15.0
MOST_MS, MOST_GROWTH_MB = 300, 32
_MB = 1_000_000
_SETTLED_S = 3.0
_ORIGIN = "127.0.0.1:9"
_DOCUMENTS = ("/docs", "/openapi.json")
_PIPELINED = b"GET /download/t?sig=x HTTP/1.1\r\nHost: x\r\n\r\n" * 200
_BODY = (
    f"POST /api/v1/links HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {API_KEY}\r\nContent-Length: 60000\r\n\r\n{{"
).encode()
_CALLBACK = b"POST /api/v1/gpt4o-image/callback HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{"
_HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 8000) for n in range(98))
_RECEIVE_BUFFER = 4096

Flood = Callable[[int], AbstractContextManager[object]]  # from the gateway's port


def run() -> list[Row]:
    """Try each flood on a gateway of its own."""
    half = BODIES // 2
    floods: dict[str, Flood] = {
        f"{PIPELINES} connections that pipeline without pause": lambda port: child_process(_pipeline, port),
        f"{READERS} slow readers of documents": lambda port: child_process(_read_slowly, port),
        f"{BODIES} slow bodies, half of them with a key": lambda port: idle_connections(
            port, [Idler(_BODY, b" "), Idler(_CALLBACK, b" ")] * half
        ),
        f"{HEADS} heads of 784 KB that do not end": lambda port: idle_connections(port, [Idler(_HEAD, b"a")] * HEADS),
    }
    return [row for what, flood in floods.items() for row in _rows(what, flood)]


def _rows(what: str, flood: Flood) -> list[Row]:
    redirect = LinkSigner([SECRET]).mint("task", f"http://{_ORIGIN}/v/cat.png", mode="redirect")
    with (
        TemporaryDirectory(prefix="bench-") as folder,
        running_gateway(Path(folder), _ORIGIN, most_files=FILES, resolver="origin") as gateway,
    ):
        with samples(gateway.port, ["/healthz", redirect, *_DOCUMENTS]) as sampled:  # what everybody needs is loaded
            time.sleep(_SETTLED_S)
            sampled()
        worker = ProcessStats(gateway.worker())
        worker.forget_peak()
        before = worker.memory()
        with flood(gateway.port), samples(gateway.port, ["/healthz", redirect]) as sampled:
            time.sleep(WATCHED_S)
            slowest = max(map(p95, sampled()))
        growth = (worker.peak() - before) / _MB
    return [
        Row(what, f"p95 of others ≤ {MOST_MS} ms", f"p95 {slowest:.0f} ms", slowest <= MOST_MS),
        Row("the worker meanwhile", f"grows by ≤ {MOST_GROWTH_MB} MB", f"{growth:+.1f} MB", growth <= MOST_GROWTH_MB),
    ]


def _pipeline(_parent: "Connection[object, object]", port: int) -> None:
    """Send one request after the other on each of the connections, and read the answers."""

    def send() -> None:
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as connection:
                reader = threading.Thread(target=_read_all, args=(connection,), daemon=True)
                reader.start()
                while True:
                    connection.sendall(_PIPELINED)

    for _ in range(PIPELINES):
        threading.Thread(target=send, daemon=True).start()
    threading.Event().wait()


def _read_all(connection: socket.socket) -> None:
    with suppress(OSError):
        while connection.recv(2**20):
            pass


def _read_slowly(_parent: "Connection[object, object]", port: int) -> None:
    """Ask for documents from many addresses, and read a byte a second; whoever is cut comes back."""
    with selectors.DefaultSelector() as open_ones:
        number = 0
        while True:
            while len(open_ones.get_map()) < READERS:
                number += 1
                with suppress(OSError):
                    open_ones.register(_ask_for_document(port, number), selectors.EVENT_READ)
            time.sleep(1)
            for key, _ in open_ones.select(0):
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                if not _read_a_byte(connection):
                    open_ones.unregister(connection)
                    connection.close()


def _ask_for_document(port: int, number: int) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    connection.bind((f"127.0.{number % 40 + 1}.1", 0))
    connection.connect(("127.0.0.1", port))
    connection.sendall(f"GET {_DOCUMENTS[number % 2]} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    connection.settimeout(0)
    return connection


def _read_a_byte(connection: socket.socket) -> bool:
    try:
        return bool(connection.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False
