"""Response bodies: what a read gives, bounds in time and memory, and bodies that break off."""

import fcntl
import gzip
import socket
import sys
import termios
import threading
import time
from contextlib import suppress

import pytest

from gateway.egress import buffered_reader, recv_buffer
from gateway.errors import OriginFailed, OriginTimeout
from tests.support.wire import AT_ONCE_S, MUCH, Wire, client_for, everything, fetch, flooding, sending, silent_after

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_read_gives_what_is_there_without_waiting_for_more() -> None:
    with silent_after(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc") as wire:
        opened = client_for(wire).get(wire.url)
        begun = time.monotonic()
        part = opened.read(100)
        took_s = time.monotonic() - begun
        opened.close()

    assert part == b"abc"
    assert took_s < AT_ONCE_S


def test_a_read_gives_at_most_the_amount() -> None:
    with sending(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100) as wire:
        opened = client_for(wire).get(wire.url)
        parts = [opened.read(7) for _ in range(20)]
        opened.close()

    assert max(map(len, parts)) == 7
    assert b"".join(parts) == b"x" * 100


def test_a_stalled_body_ends_at_the_stall_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.egress.buffered_reader.STALL_TIMEOUT_S", 0.2)
    for head in (b"Content-Length: 100\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"\r\nabc"):
        with silent_after(b"HTTP/1.1 200 OK\r\n" + head) as wire:
            opened = client_for(wire).get(wire.url)
            assert opened.read(100) == b"abc"
            begun = time.monotonic()
            with pytest.raises(OriginTimeout):
                opened.read(100)
            took_s = time.monotonic() - begun
            opened.close()

        assert 0.15 < took_s < AT_ONCE_S, head


def test_a_reader_that_never_waits_yields_to_other_greenlets(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[float] = []
    monkeypatch.setattr("gateway.egress.buffered_reader.MAX_TURN_S", 0.0)
    with sending(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000) as wire:
        opened = client_for(wire).get(wire.url)
        assert wire.ended.wait(AT_ONCE_S)

        monkeypatch.setattr("gateway.egress.buffered_reader.time.sleep", turns.append)
        parts = list(iter(lambda: opened.read(10_000), b""))
        monkeypatch.undo()
        opened.close()

    assert b"".join(parts) == b"x" * 100_000
    assert turns.count(0) >= len(parts) - 2  # the first came with the headers


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has SIOCOUTQ")
@pytest.mark.parametrize(
    ("at_once", "most"),
    [
        (buffered_reader.FIRST_READ, recv_buffer.WIDE_BYTES),
        (buffered_reader.LARGE_READ, recv_buffer.FAST_READER_BYTES),
    ],
    ids=["little-at-a-time", "much-at-a-time"],
)
def test_the_kernel_buffers_only_so_much_of_a_distant_origin(at_once: int, most: int) -> None:
    """The kernel grows the receive buffer with the round-trip time unless it is limited."""
    far, over = FarAway(), threading.Event()

    def script(connection: socket.socket) -> None:
        wire.take_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n")
        far.flood(connection, over)

    with Wire(script) as wire:
        opened = client_for(wire).get(wire.url)
        read = 0
        while read < 16 * MUCH:
            read += len(opened.read(at_once))
        over.set()
        assert wire.ended.wait(AT_ONCE_S * 5)
        opened.close()

    assert far.taken - read <= most


class FarAway:
    """Sends as much as the kernel takes, then pauses for a round-trip time."""

    ROUND_TRIP_S = 0.02
    UNCHANGED_CHECKS = 20  # unchanged checks after which no more will be taken

    def __init__(self) -> None:
        self.taken = 0

    def flood(self, connection: socket.socket, over: threading.Event) -> None:
        """Send until the peer reads no more and its kernel takes no more."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * 2**20)
        connection.settimeout(0)
        part, sent, stood_still = bytes(2**20), 0, 0
        while stood_still < self.UNCHANGED_CHECKS:
            with suppress(BlockingIOError):
                while True:
                    sent += connection.send(part)
            time.sleep(self.ROUND_TRIP_S)  # the round-trip time
            before, self.taken = self.taken, sent - in_kernel(connection)
            stood_still = stood_still + 1 if over.is_set() and self.taken == before else 0


def in_kernel(connection: socket.socket) -> int:
    """How many bytes the peer's kernel has not acknowledged (tcp(7), SIOCOUTQ)."""
    return int.from_bytes(fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)), sys.byteorder)


def test_the_deadline_of_the_headers_does_not_cut_a_body_that_keeps_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.egress.buffered_reader.HEADER_DEADLINE_S", 0.3)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"

    with sending(head, *[b"x"] * 8, pause_s=0.06) as wire:
        assert fetch(wire) == b"x" * 8


def test_a_body_that_breaks_off_is_no_complete_body() -> None:
    for said in (
        b"Content-Length: 10\r\n\r\nabc",
        b"Content-Length: 10\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 300_000 + b"3\r\nabc\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n3;" + b"x" * 300_000 + b"\r\nabc\r\n0\r\n\r\n",
    ):
        with sending(b"HTTP/1.1 200 OK\r\n" + said) as wire, pytest.raises(OriginFailed):
            fetch(wire)


def test_endless_chunk_sizes_and_trailers_are_given_up() -> None:
    for beginning, part in (
        (CHUNKED, b"0" * 65536),
        (CHUNKED + b"3\r\nabc\r\n0\r\n", b"X: " + b"y" * 60000 + b"\r\n"),
    ):
        begun = time.monotonic()
        with flooding(beginning, part) as wire:
            with suppress(OriginFailed):
                fetch(wire)
            assert wire.ended.wait(AT_ONCE_S)
        assert wire.sent < MUCH
        assert time.monotonic() - begun < AT_ONCE_S


def test_the_length_is_content_length_unless_the_body_is_chunked() -> None:
    for headers, length in {
        "Content-Length: 5": 5,
        "X: y": None,
        "Content-Length: 3\r\nTransfer-Encoding: chunked": None,
    }.items():
        body = b"5\r\nhello\r\n0\r\n\r\n" if "chunked" in headers else b"hello"
        with sending(f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n".encode() + body) as wire:
            opened = client_for(wire).get(wire.url)
            assert (opened.length, everything(opened)) == (length, b"hello")
    for status in (204, 304):
        with sending(f"HTTP/1.1 {status} X\r\nContent-Length: 5\r\n\r\nhello".encode()) as wire:
            opened = client_for(wire).get(wire.url)
            assert (opened.length, everything(opened)) == (0, b"")


@pytest.mark.parametrize("is_separate", [False, True], ids=["with-the-head", "after-the-head"])
def test_no_more_is_read_than_the_length(*, is_separate: bool) -> None:
    head, body, head_was_read = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"hello, and more", threading.Event()

    def script(connection: socket.socket) -> None:
        wire.take_request(connection)
        connection.sendall(head if is_separate else head + body)
        if is_separate and head_was_read.wait(AT_ONCE_S):
            connection.sendall(body)

    with Wire(script) as wire:
        opened = client_for(wire).get(wire.url)
        head_was_read.set()
        assert everything(opened) == b"hello"


def test_a_coded_body_is_not_decoded() -> None:
    bomb = gzip.compress(b"\0" * 5_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()

    with sending(head + bomb) as wire:
        opened = client_for(wire).get(wire.url)
        body = everything(opened)

    assert opened.header("Content-Encoding") == "gzip"
    assert body == bomb
