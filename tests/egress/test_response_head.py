"""Response heads (RFC 9112): interim responses, bounds in size and time, framing fields and header values."""

import gc
import socket
import time

import pytest

from gateway.errors import OriginFailed, OriginTimeout
from tests.support.wire import (
    AT_ONCE_S,
    MUCH,
    OK,
    Wire,
    client_for,
    everything,
    fetch,
    flooding,
    keeping,
    sending,
    silent_after,
)

CONTINUE = b"HTTP/1.1 100 Continue\r\n"


@pytest.fixture
def short_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadline of a fraction of a second for the headers."""
    monkeypatch.setattr("gateway.egress.buffered_reader.HEADER_DEADLINE_S", 0.3)


# --- interim responses


def test_eight_interim_responses_are_skipped_and_nine_are_too_many() -> None:
    for number in (1, 7, 8):
        with sending((CONTINUE + b"\r\n") * number + OK) as wire:
            assert fetch(wire) == b"ok"
    with sending((CONTINUE + b"\r\n") * 9 + OK) as wire, pytest.raises(OriginFailed):
        fetch(wire)

    with keeping((CONTINUE + b"\r\n") * 3 + OK) as wire:  # they do not add up over a connection
        client = client_for(wire)
        assert [everything(client.get(wire.url)) for _ in range(5)] == [b"ok"] * 5
    assert wire.connections == 1


def test_an_early_hint_is_skipped_and_101_is_the_answer() -> None:
    with sending(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK) as wire:
        opened = client_for(wire).get(wire.url)
        assert (opened.status, everything(opened)) == (200, b"ok")

    with sending(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n" + OK) as wire:
        opened = client_for(wire).get(wire.url)
        opened.close()
        assert opened.status == 101


# --- bounds


def test_endless_headers_end_at_once() -> None:
    for beginning, part in (
        (b"", (CONTINUE + b"\r\n") * 1000),
        (b"", b"x" * 65536),
        (b"HTTP/1.1 200 ", b"x" * 65536),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65536),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\nX: y", b"\r\n z" * 1000),
        (CONTINUE, b"X: y\r\n" * 1000),
        (b"HTTP/1.1 103 Early Hints\r\n", b"X: y\r\n" * 1000),
    ):
        begun = time.monotonic()
        with flooding(beginning, part) as wire:
            with pytest.raises(OriginFailed):
                client_for(wire).get(wire.url)
            assert wire.ended.wait(AT_ONCE_S)

        assert wire.sent < MUCH, beginning
        assert time.monotonic() - begun < AT_ONCE_S, beginning


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70 * 1024 + b"\r\n\r\n",
        b"HTTP/1.1 200 " + b"x" * 70 * 1024 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: a" + b" " * 60_000 + b"b\r\n c\r\nContent-Length: 2\r\n\r\nok",
    ],
    ids=["header-line", "status-line", "two-hundred-headers", "folded-line"],
)
def test_too_large_headers_are_refused_at_once(head: bytes) -> None:
    begun = time.monotonic()

    with sending(head) as wire, pytest.raises(OriginFailed):
        client_for(wire).get(wire.url)

    assert time.monotonic() - begun < AT_ONCE_S


@pytest.mark.usefixtures("short_headers")
@pytest.mark.parametrize(
    "drop",
    [b"", b"X: y\r\n"],
    ids=["nothing", "headers"],
)
def test_slow_headers_end_at_the_deadline(drop: bytes) -> None:
    def script(connection: socket.socket) -> None:
        wire.take_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" if drop.startswith(b"X") else b"")
        while True:
            time.sleep(0.02)
            connection.sendall(drop or b"")
            if not drop and wire.ended.wait(5):
                return

    begun = time.monotonic()
    with Wire(script) as wire:
        with pytest.raises(OriginTimeout):
            client_for(wire).get(wire.url)
        took_s = time.monotonic() - begun
        wire.ended.set()

    assert 0.25 < took_s < AT_ONCE_S


@pytest.mark.usefixtures("short_headers")
def test_slow_interim_responses_end_at_the_deadline() -> None:
    begun = time.monotonic()

    with sending(*[b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n"] * 7, pause_s=0.1) as wire, pytest.raises(OriginTimeout):
        client_for(wire).get(wire.url)

    assert time.monotonic() - begun < AT_ONCE_S


# --- malformed heads


def test_what_is_not_a_complete_http_head_is_refused() -> None:
    for sent in (
        *(
            b"hello\r\n\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"HTTP/1.1 99 OK\r\n\r\n",
            b"\x16\x03\x01",
        ),
        *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX: y\r\n", b"HTTP/1.1 200 OK\r\nX: y"),
    ):
        with sending(sent) as wire, pytest.raises(OriginFailed):
            client_for(wire).get(wire.url)


def test_http_1_0_and_an_empty_reason_phrase_are_understood() -> None:
    for sent in (b"HTTP/1.0 200 OK\r\n\r\nok", b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok"):
        with sending(sent) as wire:
            assert fetch(wire) == b"ok"


def test_a_transfer_coding_other_than_chunked_is_refused() -> None:
    coded = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"

    with sending(coded) as wire, pytest.raises(OriginFailed):
        client_for(wire).get(wire.url)


def test_two_lengths_are_refused_and_the_connection_is_closed_at_once() -> None:
    """Without waiting for the garbage collection of the exception."""
    gc.disable()
    try:
        for lengths in (
            b"Content-Length: 10\r\nContent-Length: 20\r\nConnection: close",
            b"Content-Length: 10, 20",
            b"Content-Length: 10\r\nContent-Length: 10",
            b"Content-Length: 10, 10",
        ):
            with silent_after(b"HTTP/1.1 200 OK\r\n" + lengths + b"\r\n\r\n", bytes(100_000)) as wire:
                with pytest.raises(OriginFailed):
                    client_for(wire).get(wire.url)
                assert wire.ended.wait(5), lengths
    finally:
        gc.enable()


def test_a_line_that_is_no_header_does_not_hide_those_that_follow() -> None:
    for line in (b"leak", b" folded", b"no header: \rhere"):
        headers = line + b"\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
        with sending(b"HTTP/1.1 200 OK\r\n" + headers) as wire, pytest.raises(OriginFailed):
            client_for(wire).get(wire.url)


# --- header values


def test_a_header_value_is_printable_or_empty() -> None:
    for sent, value in {
        b'"abc"': '"abc"',
        b"  a b\tc  ": "a b\tc",
        b"": "",
        b"a\x80b": "",
        b"\xd0\xba\xd0\xbe\xd1\x82": "",
        b"a\x85b": "",
    }.items():
        with sending(b"HTTP/1.1 200 OK\r\nETag: " + sent + b"\r\nContent-Length: 2\r\n\r\nok") as wire:
            opened = client_for(wire).get(wire.url)
            opened.close()

        assert opened.header("ETag") == opened.header("etag") == value, sent
        assert opened.header("Last-Modified") == ""


@pytest.mark.parametrize("said", [b"a\rb", b"a\r\n b", b"a\nX: b", b"a\r\r\nb"])
def test_a_line_break_never_comes_out_of_a_header(said: bytes) -> None:
    with sending(b"HTTP/1.1 200 OK\r\nETag: " + said + b"\r\nContent-Length: 2\r\n\r\nok") as wire:
        try:
            opened = client_for(wire).get(wire.url)
        except OriginFailed:  # what stands behind the break is no header
            return
        opened.close()

    assert opened.header("ETag").isprintable()
