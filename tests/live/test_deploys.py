"""Deploys and crashes: what runs is finished or visibly cut, what waits is served, and the rest goes on."""

import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.factories import PNG
from tests.support.live_gateway import (
    LiveGateway,
    download,
    environment_for,
    happens,
    live_gateway,
    started_gateway,
    wait_until_healthy,
)
from tests.support.paused_route import Framing, PausedRoute
from tests.support.servers import ScriptedServer

pytestmark = pytest.mark.slow

BIG = PNG[:8] + bytes(range(256)) * 2048
SHORT_GRACE_S = 2
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@contextmanager
def impatient_gateway(folder: Path, origin: ScriptedServer) -> Iterator[LiveGateway]:
    """A gateway that gives running downloads little time to finish."""
    environment = environment_for(origin.address)
    environment["GUNICORN_CMD_ARGS"] = f"--graceful-timeout {SHORT_GRACE_S}"
    with started_gateway(folder, environment) as gateway:
        wait_until_healthy(gateway.port, gateway.process, gateway.log)
        yield gateway


def connect(gateway: LiveGateway) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gateway.port), timeout=10)


@contextmanager
def idle_connection(gateway: LiveGateway) -> Iterator[socket.socket]:
    """A connection to a gateway that has started."""
    wait_until_healthy(gateway.port, gateway.process, gateway.log)
    with closing(connect(gateway)) as connection:
        connection.settimeout(30)
        yield connection


def begin(gateway: LiveGateway, path: str, version: str = "1.1") -> socket.socket:
    """Ask for a path, and give the connection."""
    visitor = connect(gateway)
    visitor.sendall(f"GET {path} HTTP/{version}\r\nHost: x\r\n\r\n".encode())
    return visitor


def rest(visitor: socket.socket) -> bytes:
    """Everything that comes until the end."""
    return b"".join(iter(lambda: visitor.recv(65536), b""))


# --- SIGTERM


def test_a_connection_that_a_proxy_keeps_idle_is_closed_at_once(tmp_path: Path, origin: ScriptedServer) -> None:
    environment = environment_for(origin.address) | {"GUNICORN_CMD_ARGS": "--keep-alive 60 --graceful-timeout 60"}
    with started_gateway(tmp_path, environment) as gateway, idle_connection(gateway) as proxy:
        proxy.sendall(HEALTH)
        answered = b""
        while not answered.endswith(b"ok\n"):
            answered += proxy.recv(4096)
        assert status_of(gateway) == b"200"  # so the worker has turned from the proxy's request to another
        gateway.process.send_signal(signal.SIGTERM)

        assert rest(proxy) == b""
        assert gateway.process.wait(30) == 0  # a kept connection, and a download, would have a minute


def test_a_download_that_finishes_after_the_signal_is_the_last_of_its_connection(
    tmp_path: Path, origin: ScriptedServer
) -> None:
    held = PausedRoute(BIG)
    url = origin.route("/v/held.png", held)
    with live_gateway(tmp_path, origin.address) as gateway:
        with closing(begin(gateway, gateway.path(url, mode="stream"))) as visitor:
            visitor.sendall(HEALTH)  # at once, before there is an answer to the first
            assert held.half_sent.wait(30)
            gateway.process.send_signal(signal.SIGTERM)
            assert happens(lambda: is_refused(gateway))
            held.resume.set()
            told = try_rest(visitor)
        gateway.process.wait(20)

    assert told.count(b"HTTP/1.1 200 ") == 1
    assert told.endswith(BIG)


def test_who_has_connected_is_served_at_the_end_and_told_to_come_to_another(
    tmp_path: Path, origin: ScriptedServer
) -> None:
    with live_gateway(tmp_path, origin.address) as gateway, closing(connect(gateway)) as visitor:
        gateway.process.send_signal(signal.SIGTERM)
        assert happens(lambda: is_refused(gateway))
        visitor.sendall(HEALTH)
        told = rest(visitor)

    assert told.startswith(b"HTTP/1.1 200 ")
    assert b"Connection: close" in told
    assert told.endswith(b"\r\n\r\nok\n")


def test_of_clients_that_keep_connecting_hardly_any_is_reset(tmp_path: Path, origin: ScriptedServer) -> None:
    met: Counter[str] = Counter()
    over = threading.Event()
    with live_gateway(tmp_path, origin.address, web_concurrency="2") as gateway:
        crowd = [threading.Thread(target=keep_coming, args=(gateway, met, over)) for _ in range(16)]
        for visitor in crowd:
            visitor.start()
        assert happens(lambda: met["served"] > 50)
        gateway.process.send_signal(signal.SIGTERM)
        gateway.process.wait(20)
        over.set()
        for visitor in crowd:
            visitor.join()

    # Between the last look and the closing of the listener, which all processes share, one may still come.
    assert met.pop("ConnectionResetError", 0) <= 2
    assert set(met) == {"served", "refused"}


def keep_coming(gateway: LiveGateway, met: "Counter[str]", over: threading.Event) -> None:
    """Come again and again, a moment after the answer, and note what was met with."""
    while not over.wait(0.01):
        try:
            with closing(connect(gateway)) as visitor:
                visitor.sendall(HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                met["served" if rest(visitor).endswith(b"ok\n") else "cut"] += 1
        except ConnectionRefusedError:
            met["refused"] += 1
        except OSError as error:
            met[type(error).__name__] += 1


@pytest.mark.parametrize(
    ("framing", "version"), [("length", "1.1"), ("chunked", "1.0")], ids=["length", "until-closed"]
)
def test_what_still_runs_at_the_end_of_the_grace_is_cut_so_that_everybody_sees_it(
    tmp_path: Path, origin: ScriptedServer, framing: Framing, version: str
) -> None:
    held = PausedRoute(BIG, framing)
    url = origin.route("/v/held.png", held)
    with impatient_gateway(tmp_path, origin) as gateway:
        with closing(begin(gateway, gateway.path(url, mode="stream"), version)) as visitor:
            assert held.half_sent.wait(30)
            gateway.process.send_signal(signal.SIGTERM)
            try:
                told = rest(visitor)
            except ConnectionResetError:
                told = b"reset"
        gateway.process.wait(20)
    held.resume.set()

    head, _, body = told.partition(b"\r\n\r\n")
    assert told == b"reset" or b"Content-Length: " in head or b"chunked" in head
    assert len(body) < len(BIG)
    assert not body.endswith(b"0\r\n\r\n")
    assert [line["outcome"] for line in gateway.logged("request")] == ["stopped"]


# --- reloading


def test_a_reload_lets_running_downloads_finish_and_serves_with_new_workers(
    tmp_path: Path, origin: ScriptedServer
) -> None:
    held = PausedRoute(BIG)
    url, other = origin.route("/v/held.png", held), origin.serve("/v/other.png", PNG)
    with live_gateway(tmp_path, origin.address) as gateway:
        [before] = gateway.workers()
        with closing(begin(gateway, gateway.path(url, mode="stream"))) as visitor:
            assert held.half_sent.wait(30)
            gateway.process.send_signal(signal.SIGHUP)
            assert happens(lambda: len(gateway.workers()) == 2)
            assert happens(lambda: len(sockets_of(before, gateway.port)) == 1)  # no listener any more
            _, served = download(gateway, "task12345", other)
            held.resume.set()
            whole = rest(visitor)
        assert happens(lambda: before not in gateway.workers())

    assert served == PNG
    assert whole.endswith(BIG)


# --- crashes


def test_a_worker_that_is_killed_takes_only_its_own_streams_and_is_replaced(
    tmp_path: Path, origin: ScriptedServer
) -> None:
    with live_gateway(tmp_path, origin.address, web_concurrency="2") as gateway:
        streams = dict(one_stream_for_each_worker(gateway, origin))
        victim, survivor = streams
        os.kill(victim, signal.SIGKILL)
        cut = try_rest(streams[victim][0])
        replaced = happens(lambda: len(set(gateway.workers()) - {victim, survivor}) == 1)
        for _, held in streams.values():
            held.resume.set()
        whole = rest(streams[survivor][0])
        for visitor, _ in streams.values():
            visitor.close()

    assert len(cut.partition(b"\r\n\r\n")[2]) < len(BIG)
    assert b"Content-Length: " in cut or cut == b""
    assert replaced
    assert whole.endswith(BIG)


def one_stream_for_each_worker(
    gateway: LiveGateway, origin: ScriptedServer
) -> Iterator[tuple[int, tuple[socket.socket, PausedRoute]]]:
    """Begin downloads until both workers have one; give the worker, and the visitor with what holds the origin."""
    found: set[int] = set()
    for number in range(40):
        held = PausedRoute(BIG)
        visitor = begin(gateway, gateway.path(origin.route(f"/v/{number}.png", held), mode="stream"))
        assert held.half_sent.wait(30)
        port = visitor.getsockname()[1]
        worker = next(pid for pid in gateway.workers() if port in sockets_of(pid, gateway.port))
        if worker not in found:
            found.add(worker)
            yield worker, (visitor, held)
        else:
            visitor.close()
            held.resume.set()
        if len(found) == 2:
            return
    raise AssertionError("one worker took all connections")


def sockets_of(pid: int, port: int) -> list[int]:
    """The peers' ports of all sockets that a process has at a port; 0 for the listener. Linux only."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(str(entry.readlink()).removeprefix("socket:[").removesuffix("]"))
        except OSError:
            continue
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    ports = [(int(row[1].partition(":")[2], 16), int(row[2].partition(":")[2], 16), row[9]) for row in rows]
    return [peer for own, peer, inode in ports if own == port and inode in inodes]


def try_rest(visitor: socket.socket) -> bytes:
    """Everything that comes until the end, or until a reset."""
    told = b""
    with suppress(ConnectionResetError):
        while part := visitor.recv(65536):
            told += part
    return told


def status_of(gateway: LiveGateway) -> bytes:
    """Ask on a connection of one's own whether it is alive."""
    return gateway.exchange(HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")).split(b" ")[1]


def is_refused(gateway: LiveGateway) -> bool:
    try:
        connect(gateway).close()
    except ConnectionRefusedError:
        return True
    return False
