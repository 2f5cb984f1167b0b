"""Connections to origins: which are used again, which are not, and when a request is sent a second time."""

import socket
import threading
import time
from contextlib import suppress

import pytest

from gateway.egress import buffered_reader
from gateway.errors import OriginFailed
from tests.support.wire import AT_ONCE_S, MUCH, OK, Wire, client_for, everything, flooding, keeping, sending


def test_a_connection_is_used_again_after_its_body_was_read() -> None:
    for said in (OK, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"):
        with keeping(said) as wire:
            client = client_for(wire)
            assert [everything(client.get(wire.url)) for _ in range(3)] == [b"ok"] * 3
        assert wire.connections == 1


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: x, Close\r\n",
    ],
    ids=["two-lengths", "chunks-before-there-were-any", "closes"],
)
def test_a_connection_whose_framing_is_in_doubt_is_not_used_again(head: bytes) -> None:
    with keeping(head + b"\r\n2\r\nok\r\n0\r\n\r\n") as wire:
        client = client_for(wire)
        bodies = [everything(client.get(wire.url)) for _ in range(2)]

    assert bodies == [b"ok"] * 2
    assert wire.connections == 2


def test_a_connection_with_an_unread_body_is_not_used_again() -> None:
    for read in (0, 1, 2):
        with keeping(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad", OK) as wire:
            client = client_for(wire)
            first = client.get(wire.url)
            if read:
                first.read(read)
            first.close()
            client.get(wire.url).close()

        assert wire.connections == 2


@pytest.mark.parametrize("delay_s", [0.0, 0.05], ids=["at-once", "later"])
def test_an_unsolicited_answer_is_not_taken_for_the_next(delay_s: float) -> None:
    forged = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"

    def script(connection: socket.socket) -> None:
        wire.take_request(connection)
        connection.sendall(OK if delay_s else OK + forged)
        if delay_s:
            time.sleep(delay_s)
            connection.sendall(forged)
        sent.set()
        wire.take_request(connection)
        connection.sendall(OK)

    sent = threading.Event()
    with Wire(script) as wire:
        client = client_for(wire)
        first = everything(client.get(wire.url))
        assert sent.wait(AT_ONCE_S)
        second = everything(client.get(wire.url))

    assert (first, second) == (b"ok", b"ok")


def test_a_connection_with_surplus_bytes_is_closed() -> None:
    with keeping(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged") as wire:
        client = client_for(wire)
        bodies = [everything(client.get(wire.url)) for _ in range(2)]

    assert bodies == [b"ok", b"ok"]
    assert wire.connections == 2


@pytest.mark.parametrize(
    ("at_a_time", "connections"), [(buffered_reader.LARGE_READ // 2, 1), (buffered_reader.LARGE_READ, 2)]
)
def test_a_connection_with_a_large_receive_buffer_is_not_used_again(at_a_time: int, connections: int) -> None:
    """For a slow client after it, the kernel would hold all that the origin sends ahead."""
    length = 3 * buffered_reader.LARGE_READ
    with keeping(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode() + bytes(length), OK) as wire:
        client = client_for(wire)
        opened = client.get(wire.url)
        read = sum(map(len, iter(lambda: opened.read(at_a_time), b"")))
        opened.close()
        everything(client.get(wire.url))

    assert read == length
    assert wire.connections == connections


def test_a_malformed_answer_closes_its_connection() -> None:
    with keeping(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", OK) as wire:
        client = client_for(wire)
        for _ in range(2):
            with pytest.raises(OriginFailed):
                client.get(wire.url)

    assert wire.connections == 2


def test_closing_an_unread_answer_closes_the_connection() -> None:
    with flooding(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b"x" * 65536) as wire:
        opened = client_for(wire).get(wire.url)
        opened.read(1000)
        opened.close()

        assert wire.ended.wait(AT_ONCE_S)
    assert wire.sent < MUCH


def test_a_request_on_a_connection_that_the_origin_just_closed_is_sent_again() -> None:
    def first(connection: socket.socket) -> None:
        wire.take_request(connection)
        connection.sendall(OK)
        wire.take_request(
            connection
        )  # and closes, like a server whose keep-alive timeout ends while the request is in flight

    def second(connection: socket.socket) -> None:
        wire.take_request(connection)
        connection.sendall(OK)

    with Wire(first, second) as wire:
        client = client_for(wire)
        bodies = [everything(client.get(wire.url)) for _ in range(2)]

    assert bodies == [b"ok", b"ok"]
    assert wire.connections == 2
    assert len(wire.requests) == 3


def test_an_origin_that_closes_without_an_answer_is_asked_twice_at_most() -> None:
    with sending(b"") as wire, pytest.raises(OriginFailed):
        client_for(wire).get(wire.url)

    assert wire.connections == 2


def test_a_request_is_not_sent_again_after_an_answer_has_begun() -> None:
    with sending(b"HTTP/1.1 200 OK\r\nContent-Le") as wire, suppress(OriginFailed):
        opened = client_for(wire).get(wire.url)
        opened.close()

    assert wire.connections == 1
