"""Downloads that pass through the gateway: the bytes, the exact headers, HEAD, and origins that fail."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from gateway.delivery.stream import SMALL_CHUNK
from tests.support.downloads import (
    ATTACHMENT,
    CHUNKED,
    DATE,
    STREAM_HEADERS,
    chunked,
    convert,
    direct,
    names,
    raw,
    read_until_cut,
    summary,
)
from tests.support.factories import PNG, Gateway, make_settings
from tests.support.servers import Request, ScriptedServer, answer

UNKNOWN_LENGTH = STREAM_HEADERS - {"content-length", "accept-ranges", "etag"}
LENGTH = ("Content-Length", str(len(PNG)))


def held(left: threading.Event) -> Callable[[Request], None]:
    """Send the beginning of a long file, then wait until the client closes the connection."""

    def route(request: Request) -> None:
        request.connection.sendall(raw(("Content-Length", "10000000"), body=PNG))
        request.connection.settimeout(10)
        with suppress(ConnectionResetError):
            request.connection.recv(1)
        left.set()

    return route


# --- bytes and headers


def test_a_stream_is_the_file_with_exactly_our_headers(gateway: Gateway, origin: ScriptedServer) -> None:
    response = gateway.get(origin.serve("/v/cat.png", PNG, ETag='"v1"', Last_Modified=DATE))

    assert (summary(response), response.data) == ((200, "stream; reason=no-attachment"), PNG)
    assert names(response) == STREAM_HEADERS
    assert len(list(response.headers)) == len(STREAM_HEADERS)
    expected = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store",
        "Content-Disposition": "attachment; filename=\"cat.png\"; filename*=UTF-8''cat.png",
        "Content-Length": str(len(PNG)),
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Content-Type": "image/png",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-Robots-Tag": "noindex, nofollow",
    }
    assert {name: response.headers[name] for name in expected} == expected


def test_the_signed_name_is_the_name_of_the_download(gateway: Gateway, origin: ScriptedServer) -> None:
    response = gateway.get(origin.serve("/v/cat.png", PNG), filename="котик.png")

    assert response.headers["Content-Disposition"].endswith("filename*=UTF-8''%D0%BA%D0%BE%D1%82%D0%B8%D0%BA.png")


def test_files_of_unknown_length_and_large_files_arrive_unchanged(gateway: Gateway, origin: ScriptedServer) -> None:
    crumbs = [PNG[at : at + 9] for at in range(0, len(PNG), 9)]
    sent = {
        "chunked": raw(CHUNKED, body=chunked(PNG[:70], PNG[70:])),
        "small chunks": raw(CHUNKED, body=chunked(*crumbs)),
        "trailers": raw(CHUNKED, body=chunked(PNG, last=b"0;x=y\r\nTrailer: x\r\n\r\n")),
        "until the connection closes": raw(("Connection", "close"), body=PNG),
    }

    for number, (framing, sent_bytes) in enumerate(sent.items()):
        response = gateway.get(origin.route(f"/v/{number}.png", sent_bytes))
        assert (response.status_code, response.data) == (200, PNG), framing
        assert names(response) == UNKNOWN_LENGTH, framing
    assert gateway.get(origin.serve("/v/large.png", PNG * 900)).data == PNG * 900


def test_the_origins_validators_never_reach_the_visitor(gateway: Gateway, origin: ScriptedServer) -> None:
    validators: list[dict[str, Any]] = [
        {"ETag": '"v1-origin"'},
        {"ETag": 'W/"v1-origin"'},
        {"Last-Modified": DATE},
    ]

    for number, validator in enumerate(validators):
        headers = gateway.get(origin.serve(f"/v/{number}.png", PNG, **validator)).headers
        assert "Last-Modified" not in headers
        assert "v1-origin" not in str(headers)


def test_a_file_has_one_tag_at_every_gateway_and_direct_url(provider: ScriptedServer, origin: ScriptedServer) -> None:
    settings = make_settings(origin.address, resolver="upstream", upstream_url=provider.url(""))
    tags = set()

    for path in ("/direct/one?X-Amz-Signature=1", "/direct/two?X-Amz-Signature=2"):
        origin.serve(path.partition("?")[0], PNG, ETag='"v1"')
        tags.add(Gateway(settings).get(convert(provider, origin.url(path))).headers["ETag"])

    assert len(tags) == 1


def test_no_header_of_the_origin_reaches_the_visitor(
    gateway: Gateway, origin: ScriptedServer, corpora: dict[str, Any]
) -> None:
    """Our headers are a fixed list, so nothing that an origin sends can add to them or change them."""
    corpus = corpora["proxy_headers"]
    listed = [*corpus["response_must_not_reach_browser"], *corpus["hop_by_hop_never_forwarded"]]
    listed += ["Location", "Refresh", "Content-Type", "ETag", "Content-Disposition", "Accept-Ranges", "Vary", "Date"]
    listed += ["X-Gateway-Delivery", "X-Request-Id", "Content-Security-Policy", "Cache-Control", "X!#$%&'*+.^_`|~-"]
    sent = [name.split(" ")[0].replace("*", "Leak") for name in listed]
    leaks = [(name, f'leak \t;="\x80\xff{name}') for name in sent if name not in {"Transfer-Encoding", "Connection"}]
    connection_listed = [(name, value) for name, value in corpus["connection_listed"]["response"]]

    for number, headers in enumerate([leaks, leaks[:20] * 2, connection_listed]):
        url = origin.route(f"/v/{number}.png", raw(*headers, LENGTH, body=PNG))
        response = gateway.get(url, mode="stream")
        assert (response.status_code, response.data) == (200, PNG)
        assert names(response) - {"etag"} == STREAM_HEADERS - {"accept-ranges", "etag"}
        assert "leak" not in str(response.headers)


def test_nothing_of_the_visitor_reaches_the_origin_or_the_provider(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, corpora: dict[str, Any]
) -> None:
    listed = corpora["proxy_headers"]["request_must_not_reach_origin"]
    framing = {"Content-Length", "Transfer-Encoding", "Expect"}
    headers = {name.replace("*", "Leak"): "leak" for name in listed if name not in framing}
    url = direct(provider, origin)

    response = upstream_gateway.get(url, headers | {"If-Modified-Since": "leak", "Accept": "leak"})

    assert response.status_code == 200
    assert "leak" not in str([request.headers for request in (*origin.seen, *provider.seen)])
    assert {*origin.seen[0].headers} == {"host", "accept", "accept-encoding", "user-agent", "via"}


# --- HEAD


def test_head_reads_a_few_bytes_once_and_answers_like_a_stream(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    url = direct(provider, origin, Content_Disposition=ATTACHMENT)

    for mode in (None, "auto", "redirect", "stream"):
        response = upstream_gateway.client.head(upstream_gateway.link(url, mode=mode), headers={"Range": "bytes=5-9"})
        assert (response.status_code, response.data) == (200, b"")
        assert response.headers["Content-Length"] == str(len(PNG))
        assert names(response) == STREAM_HEADERS
    assert [(request.method, request.headers["range"]) for request in origin.seen] == [("GET", "bytes=0-63")]


def test_head_and_get_have_the_same_headers_whichever_comes_first(gateway: Gateway, origin: ScriptedServer) -> None:
    def headers_of(method: str, url: str, task_id: str) -> list[tuple[str, str]]:
        link = gateway.link(url, task_id, mode="stream")
        return sorted(gateway.client.open(link, method=method, headers={"X-Request-Id": "1"}).headers)

    origins: list[dict[str, Any]] = [
        {"ETag": '"v1"', "Content-Type": "application/zip"},
        {"Content-Type": "text/html"},
        {"Last-Modified": DATE},
    ]
    number = 0
    for origin_headers in origins:
        for ranges in (True, False):
            for name, body in (("cat.png", PNG), ("empty", b""), ("short", b"short")):
                number += 1
                url = origin.serve(f"/v/{number}/{name}", body, ranges=ranges, **origin_headers)
                assert headers_of("HEAD", url, "task1") == headers_of("GET", url, "task1")
                assert headers_of("GET", url, "task2") == headers_of("HEAD", url, "task2")


def test_in_auto_mode_head_differs_from_get_only_in_the_reason(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.serve("/v/cat.png", PNG, ETag='"v1"'))

    head, get = (
        dict(gateway.client.open(link, method=method, headers={"X-Request-Id": "1"}).headers)
        for method in ("HEAD", "GET")
    )

    assert head.pop("X-Gateway-Delivery") == "stream; reason=head"
    assert get.pop("X-Gateway-Delivery") == "stream; reason=no-attachment"
    assert head == get


def test_head_at_an_origin_that_ignores_ranges_leaves_the_body_unread(gateway: Gateway, origin: ScriptedServer) -> None:
    left = threading.Event()

    response = gateway.client.head(gateway.link(origin.route("/v/cat.png", held(left))))

    assert (response.status_code, response.headers["Content-Length"]) == (200, "10000000")
    assert left.wait(5)


# --- the limit of size


def test_a_file_larger_than_the_limit_is_refused_and_the_origin_is_released(origin: ScriptedServer) -> None:
    gateway = Gateway(make_settings(origin.address, max_bytes=str(len(PNG) - 1)))
    link = gateway.link(origin.serve("/v/cat.png", PNG))
    left = threading.Event()

    responses = [
        gateway.client.get(link),
        gateway.client.head(link),
        gateway.client.get(link, headers={"Range": "bytes=0-9"}),
        gateway.get(origin.route("/v/long.png", held(left))),
    ]

    assert [response.status_code for response in responses] == [502] * 4
    assert "file_too_large" in responses[0].text
    assert left.wait(5)


def test_a_file_as_large_as_the_limit_is_sent_and_one_that_exceeds_it_is_cut(origin: ScriptedServer) -> None:
    gateway = Gateway(make_settings(origin.address, max_bytes=str(len(PNG))))
    url = origin.route("/v/cat.png", raw(CHUNKED, body=chunked(PNG)))
    larger = origin.route("/v/larger.png", raw(CHUNKED, body=chunked(*[PNG] * 50)))

    received, complete = read_until_cut(gateway.get(larger))

    assert gateway.get(url).data == PNG
    assert not complete
    assert received <= len(PNG) + SMALL_CHUNK


# --- origins that fail


@pytest.mark.parametrize(
    ("statuses", "shown", "code"),
    [
        ([404], 404, "file_not_found"),
        ([410], 410, "file_gone"),
        ([400, 401, 403], 502, "origin_refused"),
        ([429, 503], 503, "origin_busy"),
        ([201, 206, 304, 416, 500], 502, "origin_failed"),
    ],
)
def test_a_status_of_the_origin_is_one_of_our_errors_without_its_body(
    gateway: Gateway, origin: ScriptedServer, statuses: list[int], shown: int, code: str
) -> None:
    headers = {"WWW-Authenticate": "Basic", "Content-Range": "bytes 0-10247/20000"}

    for status in statuses:
        url = origin.route(f"/v/{status}.png", answer(status, b"<h1>secret</h1>", headers))
        response = gateway.get(url)
        assert (response.status_code, response.text.split(": ")[0]) == (shown, f"{shown} {code}"), status
        assert "secret" not in response.text
        assert "WWW-Authenticate" not in response.headers
    head = gateway.client.head(gateway.link(url))
    assert (head.status_code, head.data) == (shown, b"")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_direct_url_that_has_expired_is_renewed_and_the_visitor_gets_the_file(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, status: int
) -> None:
    url = convert(provider, origin.serve("/direct/old.png", PNG))
    upstream_gateway.get(url)
    upstream_gateway.services.resolver.resolve("task12345", url).made_at -= 60
    origin.route("/direct/old.png", answer(status))
    convert(provider, origin.serve("/direct/fresh.png", PNG))

    response = upstream_gateway.get(url)

    assert (response.status_code, response.data) == (200, PNG)
    assert len(provider.seen) == 2


def test_a_fresh_direct_url_that_the_origin_refuses_is_not_renewed(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    url = convert(provider, origin.route("/direct/dead.png", answer(403)))

    assert upstream_gateway.get(url).status_code == 502
    assert len(provider.seen) == 1


BROKEN_ENDS = {
    "no last chunk": b"",
    "cut chunk": b"4e20\r\n" + PNG,
    "cut size": b"4e2",
    "not a number": b"zz\r\n" + PNG + b"\r\n0\r\n\r\n",
    "empty size": b"\r\n\r\n",
    "negative size": b"-5\r\nhello\r\n0\r\n\r\n",
    "signed size": b"+5\r\nhello\r\n0\r\n\r\n",
    "size with a prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "size with an underscore": b"0_5\r\nhello\r\n0\r\n\r\n",
    "endless size": b"5" * 100_000,
    "chunk longer than its size": b"5\r\nhello you\r\n0\r\n\r\n",
    "chunk shorter than its size": b"9\r\nhello\r\n0\r\n\r\n",
    "chunk without its end": b"5\r\nhelloXX0\r\n\r\n",
}


def test_a_broken_transfer_is_cut_and_never_ends_like_a_complete_file(gateway: Gateway, origin: ScriptedServer) -> None:
    broken = {name: raw(CHUNKED, body=chunked(PNG, last=last)) for name, last in BROKEN_ENDS.items()}
    broken["length not reached"] = raw(("Content-Length", "20000"), body=PNG)
    broken["one byte missing"] = raw(("Content-Length", str(len(PNG) + 1)), body=PNG)

    for number, (name, sent) in enumerate(broken.items()):
        response = gateway.get(origin.route(f"/v/{number}.png", sent))
        received, complete = read_until_cut(response)
        assert (response.status_code, complete) == (200, False), name
        assert received >= len(PNG), name


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200 X\r\nContent-Le",
        raw(("Content-Length", "20000"), body=b"\x89PNG"),
        raw(CHUNKED, body=b"zz\r\n"),
        raw(("Content-Length", "5"), ("Content-Length", "6"), body=b"hello!"),
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
    ids=["nothing", "headers-cut", "first-bytes-cut", "first-chunk-broken", "two-lengths", "another-protocol"],
)
def test_an_origin_that_breaks_off_before_the_first_byte_is_an_error_page(
    gateway: Gateway, origin: ScriptedServer, sent: bytes
) -> None:
    response = gateway.get(origin.route("/v/cat.png", sent))

    assert response.status_code == 502
    assert "Content-Disposition" not in response.headers
