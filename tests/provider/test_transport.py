"""Calls to the provider's API: one host, one key, no cookies or proxies, and bounds on time and size."""

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

from gateway.egress.dns_lookup import DnsLookup
from gateway.errors import ProviderError, ProviderGarbled, ProviderTimeout, ProviderUnreachable
from gateway.provider.transport import MAX_BYTES, ProviderRequest, ProviderResponse, ProviderSession
from tests.support.factories import PROVIDER_KEY
from tests.support.live_gateway import ROOT, free_port
from tests.support.servers import Request, ScriptedServer, answer, envelope

CONVERT = "/api/v1/gpt4o-image/download-url"
CALL = {"taskId": "task12345", "url": "https://tempfile.aiquickdraw.com/v/xxxxxxx.png"}
ORDER = ProviderRequest("POST", CONVERT, json=CALL)
AT_ONCE_S = 2.0
GZIP = {"Content-Encoding": "gzip"}


class LoopbackLookup(DnsLookup):
    """Every name has the address 127.0.0.1."""

    def __call__(
        self, _host: str, port: int, _family: int = 0, _socktype: int = 0, _proto: int = 0, _flags: int = 0
    ) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
        """Answer like ``getaddrinfo``."""
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


def session_for(provider: ScriptedServer, prefix: str = "") -> ProviderSession:
    return ProviderSession(provider.url(prefix), PROVIDER_KEY, DnsLookup())


def call(provider: ScriptedServer, timeout_s: float = 5.0) -> ProviderResponse:
    return session_for(provider).call(ORDER, timeout_s=timeout_s)


# --- requests


def test_the_request_follows_the_contract_with_only_the_needed_headers(provider: ScriptedServer) -> None:
    provider.route(CONVERT, envelope(data="https://direct.example/x"))

    reply = call(provider)

    request = provider.seen[0]
    assert (request.method, request.target, request.json) == ("POST", CONVERT, CALL)
    needed = {"host", "accept", "accept-encoding", "user-agent", "connection", "content-length", "content-type"}
    assert set(request.headers) == needed | {"authorization"}
    assert request.headers["user-agent"] == "download-gateway"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert json.loads(reply.body)["data"] == "https://direct.example/x"


def test_a_get_has_its_parameters_in_the_query(provider: ScriptedServer) -> None:
    provider.route("/api/v1/info", envelope(data={"taskId": "t"}))

    reply = session_for(provider).call(ProviderRequest("GET", "/api/v1/info", query={"taskId": "a b&c"}), timeout_s=5)

    request = provider.seen[0]
    assert (request.method, request.query, request.body) == ("GET", {"taskId": ["a b&c"]}, b"")
    assert request.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert json.loads(reply.body)["data"] == {"taskId": "t"}


def test_the_path_of_the_base_url_is_kept(provider: ScriptedServer) -> None:
    provider.route("/kie" + CONVERT, envelope())

    session_for(provider, "/kie").call(ORDER, timeout_s=5)

    assert provider.paths("POST") == ["/kie" + CONVERT]


def test_any_url_arrives_unchanged(provider: ScriptedServer) -> None:
    provider.route(CONVERT, envelope())
    url = 'https://cdn.example/\u043a\u043e\u0442 "&\\?x=%2F#\u202e\U0001f408'

    session_for(provider).call(ProviderRequest("POST", CONVERT, json={"taskId": "t", "url": url}), timeout_s=5)

    assert provider.seen[0].json["url"] == url


# --- answers


def test_status_body_and_retry_after_come_back_unchanged(provider: ScriptedServer) -> None:
    for status in (200, 400, 404, 422, 429, 455, 500, 550):
        provider.route(CONVERT, answer(status, b"\xff anything", {"Retry-After": "7"}))
        assert call(provider) == ProviderResponse(status, "7", b"\xff anything")

    chunked = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"cod\r\n8\r\ne":200}\n\r\n0\r\n\r\n'
    for body, sent in {
        b"": answer(200),
        b'{"code":200}': answer(200, gzip.compress(b'{"code":200}'), GZIP),
        b'{"code":200}\n': chunked,
        b"x" * MAX_BYTES: answer(200, b"x" * MAX_BYTES),
    }.items():
        provider.route(CONVERT, sent)
        assert call(provider) == ProviderResponse(200, "", body)


# --- what is not sent


def test_cookies_are_never_sent_back(provider: ScriptedServer) -> None:
    headers = {"Set-Cookie": "JSESSIONID=0123456789ABCDEF; Path=/; HttpOnly"}
    provider.route(CONVERT, answer(200, b"{}", headers))
    session = session_for(provider)

    for _ in range(3):
        session.call(ORDER, timeout_s=5)

    assert len(provider.seen) == 3
    assert all("cookie" not in request.headers for request in provider.seen)


def test_proxies_and_credentials_of_the_environment_are_not_used(
    provider: ScriptedServer, origin: ScriptedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login somebody password secret\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, origin.url(""))
    provider.route(CONVERT, envelope())

    assert call(provider).status == 200
    assert provider.seen[0].headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert origin.seen == []


def test_a_redirect_is_not_followed(provider: ScriptedServer, origin: ScriptedServer) -> None:
    for status in (301, 302, 303, 307, 308):
        for location in (origin.url("/elsewhere"), "http://[::1"):
            provider.route(CONVERT, answer(status, b"", {"Location": location}))
            assert call(provider).status == status

    assert origin.seen == []
    assert len(provider.seen) == 10


# --- bounds on size and time


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


def test_an_answer_over_64_kib_is_garbled(provider: ScriptedServer) -> None:
    for extra in (1, 10_000_000):
        provider.route(CONVERT, answer(200, b"x" * (MAX_BYTES + extra)))
        with pytest.raises(ProviderGarbled):
            call(provider)


def test_a_compressed_bomb_is_garbled_before_it_is_large(provider: ScriptedServer) -> None:
    provider.route(CONVERT, answer(200, gzip.compress(b"\0" * 10_000_000), GZIP))
    begun = time.monotonic()

    with pytest.raises(ProviderGarbled):
        call(provider)

    assert time.monotonic() - begun < AT_ONCE_S


def test_an_answer_that_is_not_in_its_content_coding_is_garbled(provider: ScriptedServer) -> None:
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
# What is sent first, and what follows every 50 ms.
TRICKLES = {
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
from gateway.egress.dns_lookup import DnsLookup
from gateway.provider.transport import ProviderRequest, ProviderSession

def call(case):
    begun = time.monotonic()
    try:
        request = ProviderRequest("POST", "/x", json={})
        ProviderSession(sys.argv[1] + "/" + case, "key", DnsLookup()).call(request, timeout_s=0.5)
        outcome = "answered"
    except Exception as error:
        outcome = type(error).__name__
    print(case, outcome, 0.45 < time.monotonic() - begun < 2, flush=True)

gevent.joinall([gevent.spawn(call, case) for case in sys.argv[2:]], timeout=10)
"""


def test_an_answer_that_trickles_ends_at_the_deadline(provider: ScriptedServer) -> None:
    for case, (head, part) in TRICKLES.items():
        provider.route(f"/{case}/x", trickle(head, part))

    command = [sys.executable, "-c", UNDER_GEVENT, provider.url(""), *TRICKLES]
    run = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)

    assert set(run.stdout.splitlines()) == {f"{case} ProviderTimeout True" for case in TRICKLES}
    assert run.stderr == ""


def test_without_gevent_a_body_that_trickles_ends_at_the_deadline_too(provider: ScriptedServer) -> None:
    provider.route("/x", trickle(*TRICKLES["chunks"]))

    with pytest.raises(ProviderTimeout):
        session_for(provider).call(ProviderRequest("POST", "/x", json={}), timeout_s=0.3)


def trickle(head: bytes, part: bytes) -> Callable[[Request], bytes]:
    def route(request: Request) -> bytes:
        request.connection.sendall(head)
        until = time.monotonic() + 5
        while time.monotonic() < until:
            request.connection.sendall(part)
            time.sleep(0.05)
        return b""

    return route


def test_a_broken_connection_is_unreachable_and_what_is_not_http_is_an_error(provider: ScriptedServer) -> None:
    for sent in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", CHUNKED + b"9\r\n{}"):
        provider.route(CONVERT, sent)
        with pytest.raises(ProviderUnreachable):
            call(provider)
    for sent in (b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"):
        provider.route(CONVERT, sent)
        with pytest.raises(ProviderError):
            call(provider)

    session = ProviderSession(f"http://127.0.0.1:{free_port()}", PROVIDER_KEY, DnsLookup())
    with pytest.raises(ProviderUnreachable):
        session.call(ORDER, timeout_s=2)


# --- addresses


def test_a_name_with_a_private_address_is_called_only_where_the_operator_lists_its_network(
    provider: ScriptedServer,
) -> None:
    provider.route(CONVERT, envelope())
    url = f"http://api.example:{provider.port}"

    with pytest.raises(ProviderUnreachable):
        ProviderSession(url, PROVIDER_KEY, LoopbackLookup()).call(ORDER, timeout_s=2)
    assert provider.seen == []

    listed = ProviderSession(url, PROVIDER_KEY, LoopbackLookup(), [ip_network("127.0.0.0/8")])
    assert listed.call(ORDER, timeout_s=5).status == 200
    assert provider.seen[0].headers["host"] == f"api.example:{provider.port}"


def test_no_error_shows_the_key_or_the_url(provider: ScriptedServer) -> None:
    for route in (b"", b"SSH-2.0\r\n\r\n", answer(200, b"x" * 100_000), answer(200, b"not compressed", GZIP)):
        provider.route(CONVERT, route)

        with pytest.raises(ProviderError) as failure:
            call(provider)

        shown = str(failure.value) + repr(failure.value) + failure.value.detail
        assert PROVIDER_KEY not in shown
        assert "aiquickdraw" not in shown


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
