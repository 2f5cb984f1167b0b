import signal
import socket
import subprocess
import threading
from dataclasses import dataclass
from http.client import HTTPConnection, IncompleteRead
from pathlib import Path
from typing import Literal

import pytest

from tests.support.factories import PNG
from tests.support.live_gateway import (
    LiveGateway,
    bare_environment,
    environment_for,
    happens,
    live_gateway,
    started_gateway,
    wait_until_healthy,
)
from tests.support.machine import needs
from tests.support.servers import Request, Route, ScriptedServer, answer

BIG = PNG[:8] + bytes(range(256)) * 4096
ABORTED = {18, 56}  # curl: the transfer ended too early; the connection was reset


# --- starting


def test_faulty_settings_end_the_process_at_once_with_every_fault_and_no_value(tmp_path: Path) -> None:
    faulty = {
        "secret_keys": "hunter2",
        "origin_hosts": "leaked.example:81,*.leaked.example:82",
        "trusted_proxies": "leaked",
        "public_url": "ftp://leaked.example",
    }
    environment = environment_for(**faulty) | {"GATEWAY_NO_SUCH_SETTING": "leaked"}
    del environment["GATEWAY_UPSTREAM_API_KEY"]

    with started_gateway(tmp_path, environment | {"GATEWAY_RESOLVER": "upstream"}) as gateway:
        status = gateway.process.wait(20)

    told = gateway.log_text()
    assert status == 1
    assert "Booting worker" not in told
    for name in ("SECRET_KEYS", "TRUSTED_PROXIES", "PUBLIC_URL", "UPSTREAM_API_KEY", "ORIGIN_HOSTS", "NO_SUCH_SETTING"):
        assert f"GATEWAY_{name}: " in told
    assert "hunter2" not in told
    assert "leaked" not in told


@pytest.mark.slow
def test_settings_are_read_from_the_working_directorys_env_file(tmp_path: Path, files: ScriptedServer) -> None:
    url = files.serve("/v/env.png", PNG)
    given = {name: text for name, text in environment_for(files.address).items() if name.startswith("GATEWAY_")}
    (tmp_path / ".env").write_text("".join(f"{name}={text}\n" for name, text in given.items()), encoding="utf-8")

    with started_gateway(tmp_path, bare_environment()) as gateway:
        wait_until_healthy(gateway.port, gateway.process, gateway.log)
        status, body = fetch(gateway, gateway.path(url))

    assert (status, body) == (200, PNG)


@pytest.mark.slow
def test_several_workers_serve_two_visitors_at_once(tmp_path: Path, files: ScriptedServer) -> None:
    both_are_here = threading.Barrier(2)

    def meet(_request: Request) -> bytes:
        both_are_here.wait(30)
        return answer(200, PNG)

    urls = [files.route(f"/v/{name}.png", meet) for name in ("one", "two")]
    with live_gateway(tmp_path, files.address, web_concurrency="2") as gateway:
        visitors = [Visitor(gateway, gateway.path(url, mode="stream")) for url in urls]
        answers = [visitor.answer() for visitor in visitors]

    assert answers == [(200, PNG), (200, PNG)]
    assert gateway.log_text().count("Booting worker") == 2


# --- stopping


def test_sigterm_lets_a_running_download_finish_and_turns_new_visitors_away(
    tmp_path: Path, files: ScriptedServer
) -> None:
    half_is_out, go_on = threading.Event(), threading.Event()
    url = files.route("/v/slow.png", in_two_halves(BIG, half_is_out, go_on))
    with live_gateway(tmp_path, files.address) as gateway:
        visitor = Visitor(gateway, gateway.path(url, mode="stream"))
        half_is_out.wait(30)
        gateway.process.send_signal(signal.SIGTERM)
        turned_away = happens(lambda: is_refused(gateway))
        go_on.set()
        finished = visitor.answer()
        status = gateway.process.wait(20)

    assert turned_away
    assert finished == (200, BIG)
    assert status == 0


# --- requests that gunicorn answers itself


@pytest.mark.parametrize(("length", "status"), [(8190, 200), (8191, 414)])
def test_a_request_line_may_have_8190_bytes(live: LiveGateway, files: ScriptedServer, length: int, status: int) -> None:
    path = live.path(files.serve("/v/long.png", PNG)) + "&utm_source="
    path += "a" * (length - len(f"GET {path} HTTP/1.1"))

    response = live.exchange(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())

    assert status_of(response) == status


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(b"Host: x\r\nNo colon here\r\n", id="no-colon"),
        pytest.param(b"Host: x\r\nRange : bytes=0-1\r\n", id="space-before-colon"),
        pytest.param(b"Host: x\r\n Folded: 1\r\n", id="folded"),
        pytest.param(b"Host: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", id="two-lengths"),
        pytest.param(b"Host: x\r\nX-A: a\x00b\r\n", id="nul"),
    ],
)
def test_broken_headers_are_400(live: LiveGateway, headers: bytes) -> None:
    assert status_of(live.exchange(b"GET /healthz HTTP/1.1\r\n" + headers + b"\r\n")) == 400


# --- connections


def test_a_connection_that_carried_a_download_carries_further_requests(
    live: LiveGateway, files: ScriptedServer
) -> None:
    path = live.path(files.serve("/v/kept.png", PNG), mode="stream")

    with live.visit() as connection:
        first = ask(connection, path)
        socket_of_first = connection.sock
        second, third = ask(connection, path), ask(connection, "/healthz")

        assert connection.sock is socket_of_first
    assert (first, second, third) == ((200, PNG), (200, PNG), (200, b"ok\n"))


@pytest.mark.slow
def test_a_kept_connection_that_nobody_uses_is_closed_without_a_word_in_the_log(
    tmp_path: Path, files: ScriptedServer
) -> None:
    url = files.serve("/v/idle.png", PNG)
    environment = environment_for(files.address) | {"GUNICORN_CMD_ARGS": "--keep-alive 1"}
    with started_gateway(tmp_path, environment) as gateway:
        wait_until_healthy(gateway.port, gateway.process, gateway.log)
        with gateway.visit() as connection:
            ask(connection, gateway.path(url, mode="stream"))
            connection.sock.settimeout(30)
            closed = connection.sock.recv(1) == b""

    assert closed
    assert "Traceback" not in gateway.log_text()
    assert '"level": "error"' not in gateway.log_text()


@pytest.mark.parametrize(
    "request_head",
    [
        pytest.param("GET {path} HTTP/1.0\r\n\r\n", id="http-1.0"),
        pytest.param("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", id="connection-close"),
    ],
)
@pytest.mark.parametrize("path_to", ["download", "page"])
def test_one_request_for_a_connection_works(
    live: LiveGateway, files: ScriptedServer, request_head: str, path_to: str
) -> None:
    path = "/healthz" if path_to == "page" else live.path(files.serve("/v/once.png", PNG), mode="stream")

    response = live.exchange(request_head.format(path=path).encode())

    assert status_of(response) == 200
    assert response.partition(b"\r\n\r\n")[2] == (b"ok\n" if path_to == "page" else PNG)


def test_a_visitor_who_hangs_up_ends_the_origins_transfer_too(live: LiveGateway, files: ScriptedServer) -> None:
    let_go = threading.Event()
    path = live.path(files.route("/v/endless.png", endless(let_go)), mode="stream")

    with live.visit() as connection:
        connection.request("GET", path)
        connection.getresponse().read(100_000)

    assert let_go.wait(20)


# --- origins that fail


@pytest.mark.parametrize("version", ["--http1.1", "--http1.0"])
@pytest.mark.parametrize("origins_framing", ["length", "chunked"])
def test_an_origin_that_dies_on_the_way_leaves_a_visibly_broken_transfer(
    live: LiveGateway,
    files: ScriptedServer,
    tmp_path: Path,
    origins_framing: Literal["length", "chunked"],
    version: str,
) -> None:
    needs("curl")
    path = f"/v/dies-{origins_framing}.png"
    link = live.link(files.route(path, half_then_dead(origins_framing)), mode="stream")

    curl = ["curl", "--disable", "--silent", version, "--output", str(tmp_path / "part.png"), link]
    done = subprocess.run(curl, check=False, timeout=20)

    assert done.returncode in ABORTED
    assert fetch(live, "/healthz") == (200, b"ok\n")


def test_a_visitor_of_a_dying_origin_has_fewer_bytes_than_promised(live: LiveGateway, files: ScriptedServer) -> None:
    path = live.path(files.route("/v/dies.png", half_then_dead("length")), mode="stream")

    with live.visit() as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        with pytest.raises((IncompleteRead, ConnectionResetError)):
            response.read()

    assert response.getheader("Content-Length") == str(len(BIG))


# --- the log


@dataclass(frozen=True)
class ProviderStatus:
    """Bytes to send, with the parts of a link for the names in braces, and what the log must say of them."""

    head: str
    logged: str
    hangs_up_after: int = 2**30


WHOLE = "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
TROUBLES = {
    "success": ProviderStatus(WHOLE, '"outcome": "completed"'),
    "http-1.0": ProviderStatus("GET {path} HTTP/1.0\r\n\r\n", '"outcome": "completed"'),
    "forged": ProviderStatus("GET {path}-forged HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "link_invalid"),
    "aborted-origin": ProviderStatus(WHOLE, '"outcome": "origin_'),
    "hang-up": ProviderStatus(WHOLE, '"outcome": "left"', hangs_up_after=1),
    "no-such-method": ProviderStatus("get {path} HTTP/1.1\r\n\r\n", "malformed_request"),
    "no-version": ProviderStatus("GET {path}\r\n\r\n", "malformed_request"),
    "no-blank": ProviderStatus("GET{path}\r\n\r\n", "malformed_request"),
    "link-in-a-header-without-colon": ProviderStatus(
        "GET / HTTP/1.1\r\nHost: x\r\n{encoded}\r\n\r\n", "malformed_request"
    ),
    "link-in-a-broken-referer": ProviderStatus(
        "GET / HTTP/1.1\r\nHost: x\r\nReferer: {path}\x00\r\n\r\n", "malformed_request"
    ),
    "blank-in-the-link": ProviderStatus("GET {spaced} HTTP/1.1\r\nHost: x\r\n\r\n", "malformed_request"),
    "apostrophe-in-the-link": ProviderStatus("GET {apostrophe}\r\n\r\n", "malformed_request"),
    "question-mark-encoded": ProviderStatus(WHOLE.replace("{path}", "{encoded}"), '"status": 404'),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_no_signature_and_no_query_of_an_origin_is_logged(
    live: LiveGateway, files: ScriptedServer, request: pytest.FixtureRequest, trouble: ProviderStatus
) -> None:
    name = request.node.callspec.id
    source: Route = {"aborted-origin": half_then_dead("length"), "hang-up": endless(threading.Event())}.get(
        name, lambda _request: answer(200, PNG)
    )
    url = files.route(f"/v/{name}.png", source) + f"?token=origins-own-{name}"
    path = live.path(url, mode="stream", filename="a cat.png")
    signature = path.rpartition("sig=")[2]
    before = len(live.log_text())

    send(live, trouble, path)

    assert happens(lambda: trouble.logged in live.log_text()[before:]), live.log_text()[before:]
    assert signature[1:] not in live.log_text()
    assert f"origins-own-{name}" not in live.log_text()


def send(gateway: LiveGateway, trouble: ProviderStatus, path: str) -> None:
    """Send a request that has a link in it, and take of the answer what the visitor wants."""
    forms = {
        "path": path,
        "spaced": path.replace("a%20cat", "a cat"),
        "apostrophe": path.replace("a%20cat", "a'cat"),
        "encoded": path.replace("?", "%3F"),
    }
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(trouble.head.format(**forms).encode())
        taken = 0
        while taken < trouble.hangs_up_after and (part := connection.recv(65536)):
            taken += len(part)


class Visitor(threading.Thread):
    """Somebody who asks for a path at once, and whose answer is waited for later."""

    def __init__(self, gateway: LiveGateway, path: str) -> None:
        super().__init__(daemon=True)
        self._gateway, self._path = gateway, path
        self._got: tuple[int, bytes] = (0, b"")
        self.start()

    def run(self) -> None:
        self._got = fetch(self._gateway, self._path)

    def answer(self) -> tuple[int, bytes]:
        """Status and body."""
        self.join(10)
        return self._got


def fetch(gateway: LiveGateway, path: str) -> tuple[int, bytes]:
    """Ask for a path on a connection of its own; give status and body."""
    with gateway.visit() as connection:
        return ask(connection, path)


def ask(connection: HTTPConnection, path: str) -> tuple[int, bytes]:
    """Ask for a path; give status and body."""
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read()


def is_refused(gateway: LiveGateway) -> bool:
    """Try to connect."""
    try:
        socket.create_connection(("127.0.0.1", gateway.port), timeout=1).close()
    except ConnectionError:
        return True
    return False


def status_of(response: bytes) -> int:
    """The status in raw bytes of a response."""
    return int(response.split(b" ", 2)[1])


def head_of(length: int) -> bytes:
    """The headers of an image that is this long, whatever follows."""
    return answer(200, b"", {"Content-Type": "image/png", "Content-Length": str(length)})


def in_two_halves(body: bytes, half_is_out: threading.Event, go_on: threading.Event) -> Route:
    """An origin that sends one half, waits for a word, and sends the other half."""

    def serve(request: Request) -> None:
        middle = len(body) // 2
        request.connection.sendall(head_of(len(body)) + body[:middle])
        half_is_out.set()
        go_on.wait(10)
        request.connection.sendall(body[middle:])

    return serve


def endless(let_go: threading.Event) -> Route:
    """An origin that sends and sends, until it is let go."""

    def serve(request: Request) -> None:
        try:
            request.connection.sendall(head_of(2**30) + BIG[:8])
            while True:
                request.connection.sendall(bytes(65536))
        except OSError:
            let_go.set()

    return serve


def half_then_dead(framing: Literal["length", "chunked"]) -> Route:
    """An origin that has no ranges and always dies in the middle."""
    half = BIG[: len(BIG) // 2]
    if framing == "length":
        return lambda _request: head_of(len(BIG)) + half
    chunked = answer(200, b"", {"Content-Type": "image/png", "Transfer-Encoding": "chunked"})
    return lambda _request: chunked + f"{len(half):x}\r\n".encode() + half + b"\r\n"
