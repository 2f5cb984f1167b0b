"""Complete requests whose clients take their time: they are bounded, and make room for everybody else."""

import selectors
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.live_gateway import (
    LiveGateway,
    callback_url,
    environment_for,
    happens,
    started_gateway,
    wait_until_healthy,
)

pytestmark = pytest.mark.slow

FILES, CONNECTIONS = 320, 32  # with so many files, a worker takes so many connections
CROWD = 2 * CONNECTIONS
PROMPT_S = 8.0  # on a busy machine; who is shut out waits for ten
STORE = {"resolver": "store", "upstream_api_key": ""}
CALLBACK = "/api/v1/gpt4o-image/callback"
SMALL_BUFFER = 4096


@contextmanager
def small_gateway(folder: Path, **settings: str) -> Iterator[LiveGateway]:
    """A gateway of few connections."""
    with started_gateway(folder, environment_for(**STORE, **settings), most_files=FILES) as gateway:
        wait_until_healthy(gateway.port, gateway.process, gateway.log)
        yield gateway


def client_of(gateway: LiveGateway, request: bytes) -> socket.socket:
    """A client that has sent this request, with a small receive buffer."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    client.settimeout(10)
    client.connect(("127.0.0.1", gateway.port))
    client.sendall(request)
    return client


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def unfinished_callback(path: str) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n".encode() + b"{"


def health_checks(gateway: LiveGateway, count: int) -> tuple[list[int], float]:
    """Their statuses, and the seconds that all of them took."""
    began_at = time.monotonic()
    statuses = []
    for _ in range(count):
        with gateway.visit() as visitor:
            visitor.request("GET", "/healthz")
            statuses.append(visitor.getresponse().status)
    return statuses, time.monotonic() - began_at


def is_cut(client: socket.socket) -> bool:
    """Read a little, and tell whether that was the end."""
    try:
        return not client.recv(64)
    except ConnectionError:
        return True


def callback_body_that_does_not_end(gateway: LiveGateway) -> bytes:
    told = urlsplit(callback_url(gateway))
    return unfinished_callback(f"{told.path}?{told.query}")


@pytest.mark.parametrize(
    "request_of",
    [
        pytest.param(lambda _gateway: get("/docs"), id="unread-page"),
        pytest.param(lambda _gateway: get("/openapi.json"), id="unread-document"),
        pytest.param(callback_body_that_does_not_end, id="unfinished-body"),
    ],
)
def test_clients_that_keep_the_gateway_waiting_shut_nobody_out(
    tmp_path: Path, request_of: Callable[[LiveGateway], bytes]
) -> None:
    with small_gateway(tmp_path) as gateway, ExitStack() as crowd:
        request = request_of(gateway)
        for _ in range(CROWD):
            crowd.enter_context(client_of(gateway, request))
        statuses, took_s = health_checks(gateway, 10)

    assert statuses == [200] * 10
    assert took_s < PROMPT_S


def test_a_callback_without_proof_is_refused_before_its_body_is_read(tmp_path: Path) -> None:
    with small_gateway(tmp_path) as gateway, client_of(gateway, unfinished_callback(CALLBACK)) as client:
        began_at = time.monotonic()
        answer = client.recv(SMALL_BUFFER)
        took_s = time.monotonic() - began_at

    assert answer.startswith(b"HTTP/1.1 401")
    assert took_s < PROMPT_S


def test_reading_a_document_takes_as_long_as_a_visitor_may_make_us_wait_and_no_longer(tmp_path: Path) -> None:
    """A few bytes now and then are not enough."""
    with small_gateway(tmp_path, visitor_timeout_s="1") as gateway, client_of(gateway, get("/docs")) as client:
        began_at = time.monotonic()
        cut = happens(lambda: is_cut(client), 15)
        took_s = time.monotonic() - began_at
        with gateway.visit() as visitor:
            visitor.request("GET", "/docs")
            whole = len(visitor.getresponse().read())
        log = gateway.log_text()

    assert whole > 64 * 1024  # far more than was read, and than any kernel took
    assert cut
    assert took_s < 12
    assert '"outcome": "cut"' in log
    assert "Traceback" not in log


@pytest.mark.parametrize("fields", [40, 90])
def test_a_head_of_more_than_32_kb_is_refused_before_it_ends(live: LiveGateway, fields: int) -> None:
    head = b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 8000) for n in range(fields))
    with client_of(live, b"") as client:
        with suppress(ConnectionError):  # it may be refused amid that
            client.sendall(head)
        began_at = time.monotonic()
        answer = client.recv(SMALL_BUFFER)
        took_s = time.monotonic() - began_at

    assert answer.startswith(b"HTTP/1.1 431")
    assert took_s < PROMPT_S


def test_the_addresses_of_one_ipv6_subscriber_are_one_client(tmp_path: Path) -> None:
    """One client may keep four requests of 32 connections waiting: the oldest of more is closed."""
    with small_gateway(tmp_path, trusted_proxies="1") as gateway, ExitStack() as crowd:
        request = callback_body_that_does_not_end(gateway)

        def client(address: str) -> socket.socket:
            field = f"X-Forwarded-For: {address}\r\nContent-Length".encode()
            return crowd.enter_context(client_of(gateway, request.replace(b"Content-Length", field)))

        other = client("2001:db8:0:2::1")
        subscriber = [client(f"2001:db8:0:1::{number}") for number in range(1, 6)]
        with selectors.DefaultSelector() as selector:  # `select` takes no descriptor above 1023
            for each in [other, *subscriber]:
                selector.register(each, selectors.EVENT_READ)
            closed = [key.fileobj for key, _ in selector.select(20)]

        assert [each in subscriber and is_cut(each) for each in subscriber if each in closed] == [True]
        assert other not in closed
