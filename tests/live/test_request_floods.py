"""Clients that send or read slowly hold a bounded number of connections, and other clients are served."""

import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from gateway.links.signer import KeyRing
from gateway.records.completion_callback import PATH as CALLBACK, SALT
from tests.support.factories import SECRET
from tests.support.live_gateway import (
    LiveGateway,
    environment_for,
    started_gateway,
    wait_until_healthy,
)

pytestmark = pytest.mark.slow

FILES, CONNECTIONS = 320, 32  # with so many files, a worker takes so many connections
CROWD = 2 * CONNECTIONS
PROMPT_S = 8.0  # on a busy machine; a client that is shut out waits ten seconds
STORE = {"resolver": "store", "upstream_api_key": ""}
SIGNED_CALLBACK = f"{CALLBACK}?token={KeyRing.derive([SECRET], SALT).sign(b'v1')}"
SMALL_BUFFER = 4096


@contextmanager
def small_gateway(folder: Path, **settings: str) -> Iterator[LiveGateway]:
    """A gateway that takes few connections."""
    with started_gateway(folder, environment_for(**STORE, **settings), most_files=FILES) as gateway:
        wait_until_healthy(gateway.port, gateway.process, gateway.log)
        yield gateway


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    """One that tests share."""
    with small_gateway(tmp_path_factory.mktemp("gateway")) as gateway:
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


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(get("/docs"), id="unread-page"),
        pytest.param(get("/openapi.json"), id="unread-document"),
        pytest.param(unfinished_callback(SIGNED_CALLBACK), id="unfinished-body"),
    ],
)
def test_clients_that_keep_the_gateway_waiting_shut_nobody_out(small: LiveGateway, request_: bytes) -> None:
    with ExitStack() as crowd:
        for _ in range(CROWD):
            crowd.enter_context(client_of(small, request_))
        statuses, took_s = health_checks(small, 10)

    assert statuses == [200] * 10
    assert took_s < PROMPT_S


def test_a_callback_without_a_token_is_refused_before_its_body_is_read(small: LiveGateway) -> None:
    with client_of(small, unfinished_callback(CALLBACK)) as client:
        began_at = time.monotonic()
        answer = client.recv(SMALL_BUFFER)
        took_s = time.monotonic() - began_at

    assert answer.startswith(b"HTTP/1.1 401")
    assert took_s < PROMPT_S


def test_a_head_of_more_than_32_kb_is_refused_before_it_ends(small: LiveGateway) -> None:
    head = b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 8000) for n in range(90))
    with client_of(small, b"") as client:
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
        request = unfinished_callback(SIGNED_CALLBACK)

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
