"""Requests to origins over real sockets: what is sent, which redirects are followed, and which errors come back."""

import socket
import time
import traceback
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import OriginError, OriginFailed, OriginUnreachable, OriginUnsafe
from tests.support.factories import PNG
from tests.support.live_gateway import free_port
from tests.support.servers import ScriptedServer, answer
from tests.support.wire import AT_ONCE_S, MUCH, OK, client_for, everything, fetch, flooding, sending, silent_after

# --- what is sent


def test_exactly_these_headers_are_sent() -> None:
    for byte_range in ("", "bytes=0-63"):
        with sending(OK) as wire:
            everything(client_for(wire).get(wire.url, byte_range=byte_range))

        expected = {
            "accept": "*/*",
            "accept-encoding": "identity",
            "host": f"127.0.0.1:{wire.port}",
            "user-agent": "download-gateway",
            "via": "1.1 gateway-tests",
        }
        assert wire.requests[0].method == "GET"
        assert wire.requests[0].headers == expected | ({"range": byte_range} if byte_range else {})


def test_the_target_of_a_presigned_url_is_sent_byte_for_byte() -> None:
    targets = [
        "/v/x.png?X-Amz-Credential=2464%2F20250415%2Fapac%2Fs3%2Faws4_request&X-Amz-Signature=122ae8",
        "/v//x.png",
        "/v/x%20y.png?a=b+c&d=%2B&e=&f",
        "/v/%D0%BA%D0%BE%D1%82.png",
        "/v/x.png?sig=a%2Bb%2Fc%3D%3D&sp=r",
        "/v/a~b_c-d.e!$&'()*,;=:@?/?:@",
    ]
    with sending(OK) as wire:
        for target in targets:
            everything(client_for(wire).get(f"http://127.0.0.1:{wire.port}{target}#fragment"))

    assert [request.target for request in wire.requests] == targets


def test_proxies_and_credentials_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login somebody password secret\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    with sending(OK) as proxy, sending(OK) as wire:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")

        assert fetch(wire) == b"ok"

    assert proxy.connections == 0
    assert "authorization" not in wire.requests[0].headers


def test_cookies_are_not_sent_back() -> None:
    with sending(b"HTTP/1.1 200 OK\r\nSet-Cookie: session=1\r\nContent-Length: 2\r\n\r\nok") as wire:
        client = client_for(wire)
        everything(client.get(wire.url))
        everything(client.get(wire.url))

    assert len(wire.requests) == 2
    assert "cookie" not in wire.requests[1].headers


# --- redirects


def test_a_redirect_is_followed(origin: ScriptedServer) -> None:
    origin.serve("/end", PNG)
    client = client_for(origin)
    for status in (301, 302, 303, 307, 308):
        for location in ("/end", "end", "//HOST/end", "http://HOST/end#part", " /end "):
            origin.route("/begin", answer(status, b"", {"Location": location.replace("HOST", origin.address)}))

            opened = client.get(origin.url("/begin"), byte_range="bytes=0-9")

            assert (opened.status, everything(opened)) == (206, PNG[:10]), (status, location)

    assert {request.headers["range"] for request in origin.seen} == {"bytes=0-9"}


def test_other_3xx_answers_and_redirects_without_a_target_are_the_answer(origin: ScriptedServer) -> None:
    cases = [*((status, {"Location": "/end"}) for status in (300, 304, 305, 306)), (302, {}), (302, {"Location": ""})]
    for status, headers in cases:
        origin.route("/begin", answer(status, b"", headers))
        opened = client_for(origin).get(origin.url("/begin"))
        opened.close()
        assert opened.status == status

    assert set(origin.paths()) == {"/begin"}


def test_a_redirect_to_a_malformed_url_is_an_error_of_the_origin(origin: ScriptedServer) -> None:
    for location in ("http://[::1", "http://[127.0.0.1]/", "http://[zone%]/", "//[/x"):
        origin.route("/begin", answer(302, b"", {"Location": location}))
        with pytest.raises(OriginError):
            client_for(origin).get(origin.url("/begin"))


def test_five_redirects_are_followed_and_a_sixth_is_refused(origin: ScriptedServer) -> None:
    origin.serve("/0", PNG)
    for hop in range(1, 7):
        origin.route(f"/{hop}", answer(302, b"", {"Location": f"/{hop - 1}"}))

    assert everything(client_for(origin).get(origin.url("/5"))) == PNG
    assert origin.paths() == ["/5", "/4", "/3", "/2", "/1", "/0"]

    with pytest.raises(OriginFailed, match="too many redirects"):
        client_for(origin).get(origin.url("/6"))
    assert origin.paths().count("/0") == 1


def test_a_redirect_to_itself_ends(origin: ScriptedServer) -> None:
    origin.route("/loop", answer(302, b"", {"Location": "/loop"}))

    with pytest.raises(OriginFailed, match="too many redirects"):
        client_for(origin).get(origin.url("/loop"))

    assert len(origin.seen) == 6


def test_each_hop_is_checked_anew(origin: ScriptedServer, provider: ScriptedServer) -> None:
    provider.serve("/secret", PNG)
    origin.route("/begin", answer(302, b"", {"Location": provider.url("/secret")}))

    with pytest.raises(OriginUnsafe):
        client_for(origin).get(origin.url("/begin"))

    assert provider.seen == []


def test_the_endless_body_of_a_redirect_is_not_read(origin: ScriptedServer) -> None:
    origin.serve("/end", PNG)
    for framing in ("Content-Length: 99999999999", "Transfer-Encoding: chunked", "X: close-delimited"):
        part = b"10000\r\n" + b"x" * 65536 + b"\r\n" if "chunked" in framing else b"x" * 65536
        head = f"HTTP/1.1 302 Found\r\nLocation: {origin.url('/end')}\r\n{framing}\r\n\r\n".encode()
        begun = time.monotonic()

        with flooding(head, part) as wire:
            assert everything(client_for(wire, origin).get(wire.url)) == PNG
            assert wire.ended.wait(AT_ONCE_S)

        assert wire.sent < MUCH
        assert time.monotonic() - begun < AT_ONCE_S


# --- errors


def test_a_server_that_does_not_listen_and_a_name_without_an_address_are_unreachable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_such_name(*_asked: object) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    port = free_port()
    with pytest.raises(OriginUnreachable):
        client_for(listed=f"127.0.0.1:{port}").get(f"http://127.0.0.1:{port}/")
    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    with pytest.raises(OriginUnreachable):
        client_for(listed="minio:9000").get("http://minio:9000/")


def test_no_error_shows_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.egress.buffered_reader.HEADER_DEADLINE_S", 0.3)
    elsewhere = b"HTTP/1.1 302 X\r\nLocation: %s?X-Amz-Signature=5ec7e7\r\nContent-Length: 0\r\n\r\n"
    for server in (
        sending(b""),
        sending(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
        sending(elsewhere % b"/secret"),
        sending(elsewhere % b"https://10.0.0.1/"),
        silent_after(b"HTTP/1.1 200 OK\r\n"),
    ):
        with server as wire, pytest.raises(OriginError) as failure:
            everything(client_for(wire).get(f"http://127.0.0.1:{wire.port}/secret?X-Amz-Signature=5ec7e7"))

        shown = repr(failure.value) + failure.value.detail + "".join(traceback.format_exception(failure.value))
        assert "5ec7e7" not in shown.replace('X-Amz-Signature=5ec7e7")', "")  # the line of this test itself
