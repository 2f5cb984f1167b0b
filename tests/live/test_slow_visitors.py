"""Visitors who read slowly or not at all: what they cost, when they are cut, and whom they keep waiting."""

import fcntl
import socket
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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


def test_a_visitor_who_accepts_nothing_is_cut_and_gives_back_the_origins_connection(
    tmp_path: Path, files: ScriptedServer
) -> None:
    origin = CountingOrigin()
    url = files.route("/v/stalled.png", origin)
    with (
        live_gateway(tmp_path, files.address, visitor_timeout_s="1") as gateway,
        visitor_of(gateway, gateway.path(url, mode="stream")) as visitor,
    ):
        read(visitor, 1)
        let_go = origin.let_go.wait(20)
        cut = happens(lambda: '"outcome": "cut"' in gateway.log_text())

    assert let_go
    assert cut
    assert "Traceback" not in gateway.log_text()


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


@pytest.mark.parametrize("framing", ["Content-Length: 60000", "Transfer-Encoding: chunked"])
def test_a_body_that_drips_is_not_waited_for(tmp_path: Path, framing: str) -> None:
    token = KeyRing.derive([SECRET], SALT).sign(b"v1")
    head = f"POST {CALLBACK}?token={token} HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n"
    settings = {"resolver": "store", "upstream_api_key": "", "visitor_timeout_s": "1"}
    with (
        live_gateway(tmp_path, **settings) as gateway,
        socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as visitor,
    ):
        visitor.sendall(head.encode() + b"EA60\r\n")
        visitor.settimeout(0.1)
        answered = happens(lambda: drip(visitor), 5)

    assert answered


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


def test_a_stream_that_was_cut_gives_back_its_place(tmp_path: Path, files: ScriptedServer) -> None:
    url = files.route("/v/one.png", CountingOrigin())
    settings = {"visitor_timeout_s": "1", "streams_per_visitor": "1"}
    with live_gateway(tmp_path, files.address, **settings) as gateway:
        path = gateway.path(url, mode="stream")
        with visitor_of(gateway, path) as visitor:
            read(visitor, 1)
            at_first = status(gateway, path)
            later = happens(lambda: status(gateway, path) == 200)

    assert at_first == 429
    assert later


def status(gateway: LiveGateway, path: str) -> int:
    """Ask, and hang up when the status is in."""
    with gateway.visit() as connection:
        connection.request("GET", path)
        return connection.getresponse().status


def test_when_visitors_who_do_not_read_hold_every_place_everything_else_is_answered(
    tmp_path: Path, files: ScriptedServer
) -> None:
    urls = [files.route(f"/v/{number}.png", CountingOrigin()) for number in range(STREAMS + 1)]
    with (
        started_gateway(tmp_path, environment_for(files.address), most_files=FILES) as gateway,
        ExitStack() as all_of_them,
    ):
        wait_until_healthy(gateway.port, gateway.process, gateway.log)
        for url in urls[:STREAMS]:
            visitor = all_of_them.enter_context(visitor_of(gateway, gateway.path(url, mode="stream")))
            read(visitor, 1)
        with gateway.visit() as connection:
            connection.request("GET", gateway.path(urls[STREAMS], mode="stream"))
            refused = connection.getresponse()
            told = refused.read()
        paths = ("/healthz", "/download/x?sig=forged", gateway.path(urls[0], mode="redirect"))
        others = [status(gateway, path) for path in paths]

    assert (refused.status, b"gateway_busy" in told) == (503, True)
    assert int(refused.headers["Retry-After"]) > 0
    assert others == [200, 403, 302]


@pytest.mark.parametrize(
    "begins",
    [
        pytest.param(b"", id="idle"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ", id="half-sent-headers"),
    ],
)
def test_connections_that_ask_for_nothing_never_keep_anybody_waiting(
    tmp_path: Path, files: ScriptedServer, begins: bytes
) -> None:
    """Four times as many as a worker takes; each may stay for a minute, far longer than anybody waits for an answer."""
    environment = environment_for(files.address) | {"GUNICORN_CMD_ARGS": "--keep-alive 60"}
    with (
        started_gateway(tmp_path, environment, most_files=FILES) as gateway,
        ExitStack() as all_of_them,
    ):
        wait_until_healthy(gateway.port, gateway.process, gateway.log)
        for _ in range(4 * CONNECTIONS):
            idler = all_of_them.enter_context(socket.create_connection(("127.0.0.1", gateway.port)))
            idler.sendall(begins)
        answered = [status(gateway, "/healthz") for _ in range(10)]

    assert answered == [200] * 10


def test_a_download_that_runs_is_not_let_go_for_a_crowd_of_idle_connections(
    tmp_path: Path, files: ScriptedServer
) -> None:
    origin = CountingOrigin()
    url = files.route("/v/running.png", origin)
    with (
        started_gateway(tmp_path, environment_for(files.address), most_files=FILES) as gateway,
        ExitStack() as all_of_them,
    ):
        wait_until_healthy(gateway.port, gateway.process, gateway.log)
        with visitor_of(gateway, gateway.path(url, mode="stream")) as visitor:
            read(visitor, 1)
            for _ in range(4 * CONNECTIONS):
                all_of_them.enter_context(socket.create_connection(("127.0.0.1", gateway.port)))
            status(gateway, "/healthz")
            read(visitor, 2 * MIB)

    assert origin.accepted > 2 * MIB
