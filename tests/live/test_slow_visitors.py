"""Visitors that read slowly or not at all: what they cost, when they are cut, and that others are served."""

import fcntl
import socket
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from gateway.links.signer import KeyRing
from gateway.records.completion_callback import PATH as CALLBACK, SALT
from tests.support.factories import PNG, SECRET
from tests.support.live_gateway import (
    LiveGateway,
    environment_for,
    happens,
    live_gateway,
    started_gateway,
    wait_until_healthy,
)
from tests.support.servers import Request, ScriptedServer, answer

pytestmark = pytest.mark.slow

MIB = 2**20
LENGTH = 64 * MIB
MOST_UNDER_WAY = 512 * 1024
MOST_EARNED = 8 * MIB  # what the speed of 4 MiB has earned: the kernel's buffer for the origin, and a chunk of ours
SMALL_BUFFER = 16 * 1024
FILES, CONNECTIONS, STREAMS = 320, 32, 19  # with so many files, a worker takes so many connections and streams
FAST = 8 * 2**20


class CountingOrigin:
    """A route of an endless file that counts what its kernel has accepted, and knows when it was let go."""

    def __init__(self) -> None:
        self.accepted = 0
        self.let_go = threading.Event()
        self._connection: socket.socket

    @property
    def taken(self) -> int:
        """What was taken from it: what its kernel has accepted and, where that can be told, no longer holds."""
        if not sys.platform.startswith("linux"):
            return self.accepted
        held = fcntl.ioctl(self._connection, termios.TIOCOUTQ, bytes(4))
        return self.accepted - int.from_bytes(held, sys.byteorder)

    def __call__(self, request: Request) -> None:
        self._connection = request.connection
        request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER)
        head = answer(200, b"", {"Content-Type": "image/png", "Content-Length": str(LENGTH)})
        try:
            request.connection.sendall(head + PNG[:8])
            while True:
                self.accepted += request.connection.send(bytes(4096))
        except OSError:
            self.let_go.set()


@pytest.fixture(scope="module")
def impatient(files: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    """A gateway that waits one second for a visitor, and gives each visitor one stream."""
    settings = {"visitor_timeout_s": "1", "streams_per_visitor": "1", "resolver": "origin"}
    with live_gateway(tmp_path_factory.mktemp("gateway"), files.address, **settings) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def small(files: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    """A gateway that takes few connections, each of which may be idle for a minute."""
    environment = environment_for(files.address) | {"GUNICORN_CMD_ARGS": "--keep-alive 60"}
    with started_gateway(tmp_path_factory.mktemp("gateway"), environment, most_files=FILES) as gateway:
        wait_until_healthy(gateway.port, gateway.process, gateway.log)
        yield gateway


@contextmanager
def visitor_of(gateway: LiveGateway, path: str) -> Iterator[socket.socket]:
    """Somebody who has asked, and whose kernel takes little for them."""
    with socket.socket() as visitor:
        visitor.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        visitor.settimeout(10)
        visitor.connect(("127.0.0.1", gateway.port))
        visitor.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        yield visitor


def read(visitor: socket.socket, least: int) -> int:
    """Read so many bytes, and perhaps some more; tells how many."""
    taken = 0
    while taken < least:
        part = visitor.recv(SMALL_BUFFER)
        assert part, f"cut after {taken} bytes"
        taken += len(part)
    return taken


def stands_still(origin: CountingOrigin) -> bool:
    """Wait until the origin's kernel accepts nothing any more."""
    seen = [origin.accepted]

    def rests() -> bool:
        seen.append(origin.accepted)
        return len(seen) > 25 and len(set(seen[-25:])) == 1

    return happens(rests, 10)


@pytest.mark.parametrize(
    ("first", "most"),
    [
        pytest.param(1, MOST_UNDER_WAY, id="slow-from-the-first-byte"),
        pytest.param(300_000, MOST_UNDER_WAY, id="slow-after-300-KB"),
        pytest.param(3 * MIB, MOST_UNDER_WAY, id="slow-after-3-MiB"),
        pytest.param(24 * MIB, MOST_EARNED, id="fast-for-24-MiB"),
    ],
)
def test_little_more_is_taken_from_the_origin_than_a_visitor_reads(
    live: LiveGateway, files: ScriptedServer, first: int, most: int
) -> None:
    origin = CountingOrigin()
    path = live.path(files.route(f"/v/counted-{first}.png", origin), mode="stream")

    with visitor_of(live, path) as visitor:
        taken = read(visitor, first)
        rests = stands_still(origin)
        under_way = origin.taken - taken

    assert rests
    assert under_way <= most


def test_a_visitor_that_reads_nothing_is_cut_and_releases_its_slot_and_the_origins_connection(
    impatient: LiveGateway, files: ScriptedServer
) -> None:
    origin = CountingOrigin()
    url = files.route("/v/stalled.png", origin)
    path = impatient.path(url, mode="stream")
    with visitor_of(impatient, path) as visitor:
        read(visitor, 1)
        while_it_runs = status(impatient, path)
        let_go = origin.let_go.wait(20)
        cut = happens(lambda: '"outcome": "cut"' in impatient.log_text())
        later = happens(lambda: status(impatient, path) == 200)

    assert while_it_runs == 429
    assert let_go
    assert cut
    assert later
    assert "Traceback" not in impatient.log_text()


def test_a_visitor_who_is_merely_slow_is_never_cut(tmp_path: Path, files: ScriptedServer) -> None:
    """Three times as long as the timeout, a little at a time, although large parts are sent to who was fast."""
    origin = CountingOrigin()
    url = files.route("/v/slow.png", origin)
    with (
        live_gateway(tmp_path, files.address, visitor_timeout_s="3") as gateway,
        visitor_of(gateway, gateway.path(url, mode="stream")) as visitor,
    ):
        read(visitor, FAST)
        for _ in range(18):
            origin.let_go.wait(0.5)
            visitor.recv(SMALL_BUFFER // 2)
        still_open = not origin.let_go.is_set()

    assert still_open


def test_a_body_that_drips_is_not_waited_for(tmp_path: Path) -> None:
    token = KeyRing.derive([SECRET], SALT).sign(b"v1")
    settings = {"resolver": "store", "upstream_api_key": "", "visitor_timeout_s": "1"}
    with live_gateway(tmp_path, **settings) as gateway:
        for framing in ("Content-Length: 60000", "Transfer-Encoding: chunked"):
            head = f"POST {CALLBACK}?token={token} HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n"
            with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as visitor:
                visitor.sendall(head.encode() + b"EA60\r\n")
                visitor.settimeout(0.1)

                assert happens(partial(drip, visitor), 10), framing


def drip(visitor: socket.socket) -> bool:
    """Send one byte, and tell whether there is an answer, or an end."""
    try:
        visitor.sendall(b"x")
        visitor.recv(1000)
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def status(gateway: LiveGateway, path: str) -> int:
    """Ask, and hang up when the status is in."""
    with gateway.visit() as connection:
        connection.request("GET", path)
        return connection.getresponse().status


def test_when_visitors_that_do_not_read_hold_every_slot_everything_else_is_answered(
    small: LiveGateway, files: ScriptedServer
) -> None:
    urls = [files.route(f"/v/{number}.png", CountingOrigin()) for number in range(STREAMS + 1)]
    with ExitStack() as visitors:
        for url in urls[:STREAMS]:
            read(visitors.enter_context(visitor_of(small, small.path(url, mode="stream"))), 1)
        with small.visit() as connection:
            connection.request("GET", small.path(urls[STREAMS], mode="stream"))
            refused = connection.getresponse()
            body = refused.read()
        paths = ("/healthz", "/download/x?sig=forged", small.path(urls[0], mode="redirect"))
        others = [status(small, path) for path in paths]

    assert (refused.status, b"gateway_busy" in body) == (503, True)
    assert int(refused.headers["Retry-After"]) > 0
    assert others == [200, 403, 302]


@pytest.mark.parametrize("begins", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: "], ids=["idle", "half-sent"])
def test_connections_that_ask_for_nothing_never_keep_others_waiting(small: LiveGateway, begins: bytes) -> None:
    """Four times as many as a worker takes."""
    with ExitStack() as connections:
        for _ in range(4 * CONNECTIONS):
            connection = connections.enter_context(socket.create_connection(("127.0.0.1", small.port)))
            connection.sendall(begins)
        answered = [status(small, "/healthz") for _ in range(10)]

    assert answered == [200] * 10


def test_a_running_download_is_not_closed_to_make_room_for_idle_connections(
    small: LiveGateway, files: ScriptedServer
) -> None:
    origin = CountingOrigin()
    url = files.route("/v/running.png", origin)
    with visitor_of(small, small.path(url, mode="stream")) as visitor, ExitStack() as connections:
        read(visitor, 1)
        for _ in range(4 * CONNECTIONS):
            connections.enter_context(socket.create_connection(("127.0.0.1", small.port)))
        status(small, "/healthz")
        read(visitor, 2 * MIB)

    assert origin.accepted > 2 * MIB
