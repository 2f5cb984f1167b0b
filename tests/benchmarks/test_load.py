"""The load generator counts right, whatever way a server has of ending its answers."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.support.load_generator import Generator, Load, get, load_generator

pytestmark = pytest.mark.slow

BODY = b"0\r\n\r\n".join([bytes(range(256)) * 2000] * 2)  # with what ends a chunked body in its middle
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKS = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (BODY[:1], BODY[1:70_000], BODY[70_000:]))
ANSWERS = {
    "/length": HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "/chunks": HEAD + b"transfer-encoding: chunked\r\n\r\n" + CHUNKS + b"0\r\n\r\n",
    "/until-closed": HEAD + b"Connection: close\r\n\r\n" + BODY,
    "/closes": HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "/closes-unsaid": HEAD + b"Content-Length: 2\r\n\r\nok",
    "/breaks-off": HEAD + b"Content-Length: 9\r\n\r\nok",
    "/redirect": b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
    "/not-modified": b"HTTP/1.1 304 Not Modified\r\n\r\n",
}
CLOSED = {"/until-closed", "/closes", "/closes-unsaid", "/breaks-off"}


class Answering(socketserver.StreamRequestHandler):
    """Answers each request from the table, the head in two pieces."""

    def handle(self) -> None:
        with suppress(ConnectionError):  # a load whose time is over leaves amid an answer
            self.answer()

    def answer(self) -> None:
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while first := self.rfile.readline().decode():
            while self.rfile.readline() != b"\r\n":
                pass
            path = first.split(" ")[1]
            self.connection.sendall(ANSWERS[path][:20])
            self.connection.sendall(ANSWERS[path][20:])
            if path in CLOSED:
                return


class Server(socketserver.ThreadingTCPServer):
    """Does not mind that a load ended amid an answer."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_request: object) -> None:
        pass


@pytest.fixture(scope="module")
def generator() -> Iterator[Generator]:
    with load_generator() as generator:
        yield generator


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with Server(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.parametrize("path", ["/length", "/chunks", "/until-closed", "/closes"])
def test_every_answer_is_counted_with_its_body(generator: Generator, port: int, path: str) -> None:
    measured = generator.run(Load(port, [get(path)], connections=3, count=20))

    assert measured.check(200).statuses == {200: 20}
    assert measured.body_bytes == 20 * len(BODY)
    assert len(measured.first_byte_s) == len(measured.whole_s) == 20
    assert all(0 < first <= whole for first, whole in zip(measured.first_byte_s, measured.whole_s, strict=True))


def test_answers_are_told_apart_by_status(generator: Generator, port: int) -> None:
    requests = [get("/redirect"), get("/length"), get("/redirect"), get("/not-modified")]

    measured = generator.run(Load(port, requests, count=8))

    assert measured.statuses == {302: 4, 200: 2, 304: 2}
    assert measured.body_bytes == 2 * len(BODY)
    with pytest.raises(RuntimeError, match="where 302 was expected"):
        measured.check(302)


def test_what_comes_before_the_lead_is_over_is_not_counted(generator: Generator, port: int) -> None:
    requests = [get("/not-modified"), *[get("/redirect")] * 100_000]

    measured = generator.run(Load(port, requests, seconds=0.1, lead_s=0.1))

    assert measured.check(302).statuses.total() == len(measured.whole_s) > 0
    assert 0.1 <= measured.seconds < 0.2


def test_a_connection_that_the_server_closed_in_between_is_opened_anew(generator: Generator, port: int) -> None:
    measured = generator.run(Load(port, [get("/redirect"), get("/closes-unsaid")], count=20))

    assert (measured.statuses, measured.broken) == ({302: 10, 200: 10}, 0)


def test_an_answer_that_breaks_off_is_no_answer(generator: Generator, port: int) -> None:
    measured = generator.run(Load(port, [get("/breaks-off"), get("/redirect")], count=10))

    assert (measured.statuses, measured.broken) == ({302: 5}, 5)
    with pytest.raises(RuntimeError, match="5 broken off"):
        measured.check(302)


def test_it_ends_in_time(generator: Generator, port: int) -> None:
    measured = generator.run(Load(port, [get("/redirect")], connections=4, seconds=0.3))

    assert 0.3 <= measured.seconds < 2
    assert measured.per_second == measured.check(302).statuses[302] / measured.seconds > 0


def test_where_nobody_listens_it_says_so(generator: Generator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]

    with pytest.raises(RuntimeError, match=f"127.0.0.1:{closed}"):
        generator.run(Load(closed, [get("/")], count=1))
