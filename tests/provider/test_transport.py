"""How the provider's API is called: one host, one key, nothing kept, and never longer or larger than it may be."""

import gzip
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.egress.dns_lookup import Lookup
from gateway.errors import ProviderError, ProviderGarbled, ProviderTimeout, ProviderUnreachable
from gateway.provider.transport import MOST_BYTES, Call, ProviderSession, Reply
from tests.support.factories import PROVIDER_KEY
from tests.support.live_gateway import ROOT, free_port
from tests.support.servers import Request, ScriptedServer, answer, envelope

CONVERT = "/api/v1/gpt4o-image/download-url"
CALL = {"taskId": "task12345", "url": "https://tempfile.aiquickdraw.com/v/xxxxxxx.png"}
ORDER = Call("POST", CONVERT, json=CALL)
AT_ONCE_S = 2.0
GZIP = {"Content-Encoding": "gzip"}


class Called(Lookup):
    """Everything is at 127.0.0.1, and who is asked for is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def __call__(
        self, host: str, port: int, _family: int = 0, _socktype: int = 0, _proto: int = 0, _flags: int = 0
    ) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
        """Answer like ``getaddrinfo``."""
        self.asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


def session_for(provider: ScriptedServer, prefix: str = "") -> ProviderSession:
    return ProviderSession(provider.url(prefix), PROVIDER_KEY, Lookup())


def call(provider: ScriptedServer, timeout_s: float = 5.0) -> Reply:
    return session_for(provider).call(ORDER, timeout_s=timeout_s)


# --- what is sent


def test_the_call_is_the_contracts(provider: ScriptedServer) -> None:
    provider.route(CONVERT, envelope(data="https://direct.example/x"))

    reply = call(provider)

    request = provider.seen[0]
    assert (request.method, request.target) == ("POST", CONVERT)
    assert json.loads(request.body) == CALL
    assert set(request.json) == {"taskId", "url"}
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert json.loads(reply.body)["data"] == "https://direct.example/x"


def test_a_question_is_asked_in_the_query(provider: ScriptedServer) -> None:
    provider.route("/api/v1/info", envelope(data={"taskId": "t"}))

    reply = session_for(provider).call(Call("GET", "/api/v1/info", query={"taskId": "a b&c"}), timeout_s=5)

    request = provider.seen[0]
    assert (request.method, request.query, request.body) == ("GET", {"taskId": ["a b&c"]}, b"")
    assert request.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert json.loads(reply.body)["data"] == {"taskId": "t"}


def test_nothing_else_is_sent_but_what_http_needs(provider: ScriptedServer) -> None:
    provider.route(CONVERT, envelope())

    call(provider)

    needed = {"host", "accept", "accept-encoding", "user-agent", "connection", "content-length", "content-type"}
    assert set(provider.seen[0].headers) == needed | {"authorization"}
    assert provider.seen[0].headers["user-agent"] == "download-gateway"


def test_a_path_in_front_of_the_api_is_kept(provider: ScriptedServer) -> None:
    provider.route("/kie" + CONVERT, envelope())

    session_for(provider, "/kie").call(ORDER, timeout_s=5)

    assert provider.paths("POST") == ["/kie" + CONVERT]


def test_a_url_with_anything_in_it_arrives_as_it_is(provider: ScriptedServer) -> None:
    provider.route(CONVERT, envelope())
    url = 'https://cdn.example/\u043a\u043e\u0442 "&\\?x=%2F#\u202e\U0001f408'

    session_for(provider).call(Call("POST", CONVERT, json={"taskId": "t", "url": url}), timeout_s=5)

    assert provider.seen[0].json["url"] == url


# --- what is answered


@pytest.mark.parametrize("status", [200, 400, 401, 404, 422, 429, 451, 455, 500, 502, 503, 550])
def test_status_and_body_come_back_as_they_are(provider: ScriptedServer, status: int) -> None:
    provider.route(CONVERT, answer(status, b"\xff anything", {"Retry-After": "7"}))

    reply = call(provider)

    assert (reply.status, reply.body, reply.retry_after) == (status, b"\xff anything", "7")


def test_an_empty_answer_is_an_empty_body(provider: ScriptedServer) -> None:
    provider.route(CONVERT, answer(200))

    assert call(provider) == Reply(200, "", b"")


def test_a_compressed_answer_is_understood(provider: ScriptedServer) -> None:
    provider.route(CONVERT, answer(200, gzip.compress(b'{"code":200}'), GZIP))

    assert call(provider).body == b'{"code":200}'


def test_a_chunked_answer_is_understood(provider: ScriptedServer) -> None:
    said = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"cod\r\n8\r\ne":200}\n\r\n0\r\n\r\n'
    provider.route(CONVERT, said)

    assert call(provider).body == b'{"code":200}\n'


def test_an_answer_of_64_kib_is_taken(provider: ScriptedServer) -> None:
    provider.route(CONVERT, answer(200, b"x" * MOST_BYTES))

    assert call(provider).body == b"x" * MOST_BYTES


# --- what is not kept


def test_cookies_are_never_sent_back(provider: ScriptedServer) -> None:
    headers = {"Set-Cookie": "JSESSIONID=0123456789ABCDEF; Path=/; HttpOnly"}
    provider.route(CONVERT, answer(200, b"{}", headers))
    session = session_for(provider)

    for _ in range(3):
        session.call(ORDER, timeout_s=5)

    assert len(provider.seen) == 3
    assert all("cookie" not in request.headers for request in provider.seen)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
def test_a_proxy_in_the_environment_is_not_used(
    provider: ScriptedServer, origin: ScriptedServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    provider.route(CONVERT, envelope())
    monkeypatch.setenv(name, origin.url(""))

    reply = call(provider)

    assert reply.status == 200
    assert origin.seen == []


def test_credentials_of_a_netrc_file_are_not_sent(
    provider: ScriptedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login somebody password secret\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    provider.route(CONVERT, envelope())

    call(provider)

    assert provider.seen[0].headers["authorization"] == f"Bearer {PROVIDER_KEY}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer(provider: ScriptedServer, origin: ScriptedServer, status: int) -> None:
    provider.route(CONVERT, answer(status, b"", {"Location": origin.url("/elsewhere")}))

    reply = call(provider)

    assert reply.status == status
    assert origin.seen == []
    assert len(provider.seen) == 1


def test_a_redirect_to_what_cannot_be_read_is_an_answer(provider: ScriptedServer) -> None:
    provider.route(CONVERT, answer(302, b"", {"Location": "http://[::1"}))

    assert call(provider).status == 302


# --- what never ends


@pytest.mark.parametrize("status", [200, 302], ids=["answer", "redirect"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_an_endless_body_is_not_read(provider: ScriptedServer, status: int, *, chunked: bool) -> None:
    sent, stopped = count_until_refused(provider, status, chunked=chunked)
    begun = time.monotonic()

    with pytest.raises(ProviderGarbled):
        call(provider)

    assert stopped.wait(AT_ONCE_S)
    assert sum(sent) < 8 * 2**20
    assert time.monotonic() - begun < AT_ONCE_S


@pytest.mark.parametrize("extra", [1, 10_000_000])
def test_an_answer_over_64_kib_is_garbled(provider: ScriptedServer, extra: int) -> None:
    provider.route(CONVERT, answer(200, b"x" * (MOST_BYTES + extra)))

    with pytest.raises(ProviderGarbled):
        call(provider)


def test_a_compressed_bomb_is_garbled_before_it_is_large(provider: ScriptedServer) -> None:
    provider.route(CONVERT, answer(200, gzip.compress(b"\0" * 30_000_000), GZIP))
    begun = time.monotonic()

    with pytest.raises(ProviderGarbled):
        call(provider)

    assert time.monotonic() - begun < AT_ONCE_S


def test_what_only_says_that_it_is_compressed_is_garbled(provider: ScriptedServer) -> None:
    provider.route(CONVERT, answer(200, b'{"code":200}', GZIP))

    with pytest.raises(ProviderGarbled):
        call(provider)


def test_endless_interim_responses_end_at_once(provider: ScriptedServer) -> None:
    provider.route(CONVERT, b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000)
    begun = time.monotonic()

    with pytest.raises(ProviderError):
        call(provider)

    assert time.monotonic() - begun < AT_ONCE_S


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
EMPTY = gzip.compress(b"")
# What is said at once, and what drips after it, byte by byte or piece by piece.
DRIPS = {
    "nothing": (b"", b""),
    "half-the-headers": (OK, b""),
    "headers": (OK, b"X: y\r\n"),
    "interim": (b"HTTP/1.1 100 Continue\r\n", b"X: y\r\n"),
    "no-body": (OK + b"Content-Length: 1000\r\n\r\n", b""),
    "body": (OK + b"Content-Length: 60000\r\n\r\n", b"x"),
    "body-without-length": (OK + b"\r\n", b"x"),
    "chunks": (CHUNKED, b"1\r\nx\r\n"),
    "one-chunk": (CHUNKED + b"F000\r\n", b"x"),
    "chunk-size": (CHUNKED, b"0"),
    "trailers": (CHUNKED + b"1\r\nx\r\n0\r\n", b"X: y\r\n"),
    "empty-gzip": (OK + b"Content-Encoding: gzip\r\n\r\n", EMPTY),
    "empty-gzip-chunks": (
        OK + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"14\r\n" + EMPTY + b"\r\n",
    ),
    "redirect": (b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", b"x"),
}
# Deadlines are gevent's, and so is the worker.
UNDER_GEVENT = """
from gevent import monkey
monkey.patch_all()
import sys, time
import gevent
from gateway.egress.dns_lookup import Lookup
from gateway.provider.transport import Call, ProviderSession

def call(case):
    begun = time.monotonic()
    try:
        ProviderSession(sys.argv[1] + "/" + case, "key", Lookup()).call(Call("POST", "/x", json={}), timeout_s=1.0)
        outcome = "answered"
    except Exception as error:
        outcome = type(error).__name__
    print(case, outcome, 0.9 < time.monotonic() - begun < 2.5, flush=True)

gevent.joinall([gevent.spawn(call, case) for case in sys.argv[2:]], timeout=10)
"""


def test_a_slow_answer_ends_at_the_deadline_whatever_drips(provider: ScriptedServer) -> None:
    for case, (head, part) in DRIPS.items():
        provider.route(f"/{case}/x", drip(head, part))

    command = [sys.executable, "-c", UNDER_GEVENT, provider.url(""), *DRIPS]
    run = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)

    assert set(run.stdout.splitlines()) == {f"{case} ProviderTimeout True" for case in DRIPS}
    assert run.stderr == ""


def test_a_body_that_drips_ends_at_the_deadline_on_the_command_line_too(provider: ScriptedServer) -> None:
    provider.route("/x", drip(*DRIPS["chunks"]))

    with pytest.raises(ProviderTimeout):
        session_for(provider).call(Call("POST", "/x", json={}), timeout_s=0.3)


def drip(head: bytes, part: bytes) -> Callable[[Request], bytes]:
    def route(request: Request) -> bytes:
        request.connection.sendall(head)
        until = time.monotonic() + 5
        while time.monotonic() < until:
            request.connection.sendall(part)
            time.sleep(0.05)
        return b""

    return route


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}",
    ],
    ids=["hung-up", "cut", "cut-in-a-chunk"],
)
def test_a_broken_connection_is_unreachable(provider: ScriptedServer, said: bytes) -> None:
    provider.route(CONVERT, said)

    with pytest.raises(ProviderUnreachable):
        call(provider)


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"], ids=["ssh", "no-status"])
def test_what_is_not_http_is_an_error_of_the_provider(provider: ScriptedServer, said: bytes) -> None:
    provider.route(CONVERT, said)

    with pytest.raises(ProviderError):
        call(provider)


def test_nobody_listening_is_unreachable() -> None:
    session = ProviderSession(f"http://127.0.0.1:{free_port()}", PROVIDER_KEY, Lookup())

    with pytest.raises(ProviderUnreachable):
        session.call(ORDER, timeout_s=2)


# --- where it goes


def test_a_public_name_with_a_private_address_is_not_called(provider: ScriptedServer) -> None:
    lookup = Called()
    session = ProviderSession(f"http://api.example:{provider.port}", PROVIDER_KEY, lookup)

    with pytest.raises(ProviderUnreachable):
        session.call(ORDER, timeout_s=2)

    assert lookup.asked == ["api.example"]
    assert provider.seen == []


def test_a_private_provider_is_called_where_the_operator_lists_its_network(provider: ScriptedServer) -> None:
    provider.route(CONVERT, envelope())
    url = f"http://api.example:{provider.port}"
    session = ProviderSession(url, PROVIDER_KEY, Called(), [ip_network("127.0.0.0/8")])

    assert session.call(ORDER, timeout_s=5).status == 200
    assert provider.seen[0].headers["host"] == f"api.example:{provider.port}"


def test_no_error_tells_the_key_or_the_url(provider: ScriptedServer) -> None:
    for route in (b"", b"SSH-2.0\r\n\r\n", answer(200, b"x" * 100_000), answer(200, b"not compressed", GZIP)):
        provider.route(CONVERT, route)

        with pytest.raises(ProviderError) as failure:
            call(provider)

        told = str(failure.value) + repr(failure.value) + failure.value.detail
        assert PROVIDER_KEY not in told
        assert "aiquickdraw" not in told


def count_until_refused(provider: ScriptedServer, status: int, *, chunked: bool) -> tuple[list[int], threading.Event]:
    sent: list[int] = []
    stopped = threading.Event()

    def route(request: Request) -> bytes:
        framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 99999999999"
        part = b"10000\r\n" + b"x" * 65536 + b"\r\n" if chunked else b"x" * 65536
        head = f"HTTP/1.1 {status} X\r\nLocation: /elsewhere\r\n".encode()
        request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        try:
            request.connection.sendall(head + framing + b"\r\n\r\n")
            while sum(sent) < 32 * 2**20:
                sent.append(request.connection.send(part))
        finally:
            stopped.set()
        return b""

    provider.route(CONVERT, route)
    return sent, stopped
