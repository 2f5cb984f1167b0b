"""TLS to origins: which certificates are trusted, record boundaries, and deadlines under gevent."""

import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.egress.client import tls_context
from gateway.errors import OriginError, OriginTimeout, OriginUnreachable, OriginUnsafe
from tests.support.certificates import make_certificate, server_context
from tests.support.factories import PNG
from tests.support.live_gateway import ROOT
from tests.support.servers import ScriptedServer, answer
from tests.support.wire import AT_ONCE_S, OK, Wire, client_for, everything, fetch


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 and its key, that nobody signed."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


def over_tls(certificate: Path, *parts: bytes) -> Wire:
    def script(connection: socket.socket) -> None:
        wire.take_request(connection)
        for part in parts:
            connection.sendall(part)

    wire = Wire(script, tls=server_context(certificate))
    return wire


@pytest.fixture
def trust(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Trust a certificate, as if the operator had installed it."""

    def install(certificate: Path) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        tls_context.cache_clear()

    yield install
    tls_context.cache_clear()


@pytest.fixture
def trusted(certificate: Path, trust: Callable[[Path], None]) -> Path:
    """The certificate for 127.0.0.1, trusted."""
    trust(certificate)
    return certificate


def test_an_untrusted_certificate_is_unreachable(certificate: Path) -> None:
    with over_tls(certificate, OK) as wire:
        with pytest.raises(OriginUnreachable):
            client_for(wire).get(wire.url)

        assert wire.ended.wait(AT_ONCE_S)
    assert wire.requests == []


def test_a_certificate_that_the_system_trusts_is_accepted(trusted: Path) -> None:
    with over_tls(trusted, OK) as wire:
        assert fetch(wire) == b"ok"


def test_a_read_gives_all_tls_records_that_have_arrived(trusted: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"
    with over_tls(trusted, head, *[b"x" * 1000] * 60) as wire:
        answer = client_for(wire).get(wire.url)

        assert wire.ended.wait(AT_ONCE_S)
        with_the_head = len(answer.read(60_000))
        assert len(answer.read(60_000)) == 60_000 - with_the_head


def test_the_tls_records_before_a_broken_one_are_read(trusted: Path) -> None:
    def script(connection: socket.socket) -> None:
        wire.take_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n")
        connection.sendall(b"x" * 1000)
        os.write(connection.fileno(), b"\x17\x03\x03\x00\x20" + bytes(32))

    with Wire(script, tls=server_context(trusted)) as wire:
        answer = client_for(wire).get(wire.url)
        assert wire.ended.wait(AT_ONCE_S)

        assert len(answer.read(2000)) == 1000
        with pytest.raises(OriginError):
            answer.read(2000)
        answer.close()


def test_surplus_bytes_in_a_tls_record_are_not_taken_for_the_next_answer(trusted: Path) -> None:
    body = b"x" * 12_000
    forged = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"

    def script(connection: socket.socket) -> None:
        wire.take_request(connection)
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body + forged)
        wire.take_request(connection)

    with Wire(script, tls=server_context(trusted)) as wire:
        client = client_for(wire)
        bodies = [everything(client.get(wire.url)) for _ in range(2)]

    assert bodies == [body, body]
    assert wire.connections == 2


def test_a_certificate_of_another_name_is_unreachable(tmp_path: Path, trust: Callable[[Path], None]) -> None:
    other = make_certificate(tmp_path, "DNS:other.example")
    trust(other)

    with over_tls(other, OK) as wire, pytest.raises(OriginUnreachable):
        client_for(wire).get(wire.url)

    assert wire.requests == []


def test_a_server_without_tls_is_unreachable_over_https() -> None:
    def script(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with Wire(script) as wire, pytest.raises(OriginUnreachable):
        client_for(wire).get(wire.url.replace("http:", "https:"))


def test_a_redirect_from_https_to_http_is_refused(trusted: Path, origin: ScriptedServer) -> None:
    origin.serve("/end", PNG)
    moved = answer(302, b"", {"Location": origin.url("/end")})

    with over_tls(trusted, moved) as wire, pytest.raises(OriginUnsafe, match="https to http"):
        client_for(wire, origin).get(wire.url)

    assert origin.seen == []


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nX: "], ids=["nothing", "half-a-header"])
def test_slow_headers_over_tls_end_at_the_deadline(trusted: Path, said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.egress.buffered_reader.HEADER_DEADLINE_S", 0.3)

    def script(connection: socket.socket) -> None:
        wire.take_request(connection)
        connection.sendall(said)
        wire.ended.wait(5)

    begun = time.monotonic()
    with Wire(script, tls=server_context(trusted)) as wire:
        with pytest.raises(OriginTimeout):
            client_for(wire).get(wire.url)
        wire.ended.set()

    assert time.monotonic() - begun < AT_ONCE_S


def test_a_handshake_that_does_not_begin_ends_at_the_connect_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.egress.connection_pool.CONNECT_TIMEOUT_S", 0.3)
    begun = time.monotonic()

    def script(_connection: socket.socket) -> None:
        wire.ended.wait(5)

    with Wire(script) as wire:
        with pytest.raises(OriginTimeout):
            client_for(wire).get(wire.url.replace("http:", "https:"))
        wire.ended.set()

    assert time.monotonic() - begun < AT_ONCE_S


# The worker is gevent, whose TLS sockets wait anew for every few bytes of a record.
UNDER_GEVENT = """
from gevent import monkey
monkey.patch_all()
import sys
from ipaddress import ip_network
import gevent
from gateway.egress import buffered_reader, client, connection_pool
from gateway.egress.guard import Guard
from gateway.egress.dns_lookup import DnsLookup
from gateway.origins.allowlist import HostPattern
from gateway.sources import remote

connection_pool.CONNECT_TIMEOUT_S = remote.OPEN_DEADLINE_S = 0.7
buffered_reader.HEADER_DEADLINE_S = buffered_reader.STALL_TIMEOUT_S = 0.7
guard = Guard([HostPattern.parse("127.0.0.1:" + port) for port in sys.argv[1:]], [ip_network("127.0.0.0/8")])
fetch = client.Client(guard, DnsLookup())

def read(port):
    try:
        with gevent.Timeout(4):
            opened = remote.RemoteSource(fetch, "https://127.0.0.1:" + port + "/", 0, sendable=False).open()
            while opened.read(65536):
                pass
            return "complete"
    except BaseException as error:
        return type(error).__name__

for one in gevent.joinall([gevent.spawn(read, port) for port in sys.argv[1:]]):
    print(one.value)
"""


def test_tls_records_that_trickle_end_at_a_deadline_under_gevent(trusted: Path) -> None:
    phases = ("handshake", "headers", "first-bytes", "body")
    with ExitStack() as stack:
        wires = [stack.enter_context(trickling_over_tls(trusted, phase)) for phase in phases]
        command = [sys.executable, "-c", UNDER_GEVENT, *(str(wire.port) for wire in wires)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)

    assert (run.stdout.split(), run.stderr) == (["OriginTimeout"] * len(phases), "")


def trickling_over_tls(certificate: Path, trickling: str) -> Wire:
    """A TLS server that sends its bytes one by one from this phase on."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1100\r\n\r\n"

    def script(connection: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = server_context(certificate).wrap_bio(incoming, outgoing, server_side=True)

        def flush(pause_s: float) -> None:
            raw = outgoing.read()
            for part in [raw[i : i + 1] for i in range(len(raw))] if pause_s else [raw]:
                connection.sendall(part)
                time.sleep(pause_s)

        def pump(step: Callable[[], object], pause_s: float) -> None:
            while True:
                try:
                    step()
                    break
                except ssl.SSLWantReadError:
                    flush(pause_s)
                    incoming.write(connection.recv(65536))
            flush(pause_s)

        pump(tls.do_handshake, 0.1 if trickling == "handshake" else 0)
        pump(lambda: tls.read(65536), 0)
        pump(lambda: tls.write(head), 0.1 if trickling == "headers" else 0)
        pump(lambda: tls.write(b"x" * 100), 0.1 if trickling == "first-bytes" else 0)
        pump(lambda: tls.write(b"x" * 1000), 0.1)

    return Wire(script)
