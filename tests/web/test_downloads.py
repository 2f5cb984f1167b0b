"""A signed link becomes a file, seen from the visitor's side."""

import threading
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings as hypothesis_settings
from hypothesis.strategies import from_regex, lists, one_of, sampled_from, tuples
from werkzeug.test import TestResponse

from gateway.cache import MemoryLedger
from gateway.delivery.deliver import Deliverer
from gateway.delivery.etag import SALT, EntityTags
from gateway.delivery.plan import Planner
from gateway.delivery.stream import SMALL_CHUNK
from gateway.limits.stream_slots import SlotLimiter
from gateway.links.signer import KeyRing
from gateway.services import build_services
from tests.support.factories import PNG, SECRET, Gateway, make_settings
from tests.support.servers import Request, Route, ScriptedServer, answer, envelope, file_answer

PROVIDER_CALL = "/api/v1/gpt4o-image/download-url"
ATTACHMENT = 'attachment; filename="origin.png"'
DATE = "Mon, 23 Nov 2026 10:00:00 GMT"
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(200)) * 30
SCRIPT = "https://app.example"
ALICE, BOB, CAROL = "198.51.100.1", "198.51.100.2", "198.51.100.3"
STREAM_HEADERS = {
    "accept-ranges",
    "cache-control",
    "content-disposition",
    "content-length",
    "content-security-policy",
    "content-type",
    "cross-origin-resource-policy",
    "etag",
    "referrer-policy",
    "x-content-type-options",
    "x-frame-options",
    "x-gateway-delivery",
    "x-request-id",
    "x-robots-tag",
}
PRIVATE_HEADERS = {
    "cache-control",
    "referrer-policy",
    "x-content-type-options",
    "x-gateway-delivery",
    "x-request-id",
    "x-robots-tag",
}
REDIRECT_HEADERS = PRIVATE_HEADERS | {"location", "content-length"}


def convert(provider: ScriptedServer, direct_url: str) -> str:
    """Have the provider give this direct URL; returns an origin URL to make a link of."""
    provider.route(PROVIDER_CALL, envelope(data=direct_url))
    host, _, _ = direct_url.removeprefix("http://").partition("/")
    return f"http://{host}/published/cat.png"


def direct(provider: ScriptedServer, origin: ScriptedServer, **headers: str) -> str:
    """Have the provider give a direct URL where the origin serves an image; returns an origin URL."""
    named: dict[str, Any] = {"ETag": '"v1"', **headers}
    return convert(provider, origin.serve("/direct/cat.png", PNG, **named))


def names(response: TestResponse) -> set[str]:
    return {name.lower() for name, _ in response.headers}


def told(response: TestResponse) -> str:
    return response.headers["X-Gateway-Delivery"]


def take(gateway: Gateway, link: str, address: str, **headers: str) -> int:
    """Follow a link as the visitor at an address and take what comes; returns the status."""
    response = gateway.client.get(
        link,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        environ_overrides={"REMOTE_ADDR": address},
    )
    with suppress(ConnectionResetError):
        _ = response.data
    response.close()
    return response.status_code


def raw(*headers: tuple[str, str], body: bytes = b"", status: int = 200) -> bytes:
    """A response of just these headers, in this order."""
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def read_until_cut(response: TestResponse) -> tuple[int, bool]:
    """How many bytes came, and whether the end came too."""
    got = 0
    try:
        for part in response.iter_encoded():
            got += len(part)
    except ConnectionResetError:
        return got, False
    finally:
        response.close()
    return got, True


def chunked(*parts: bytes, last: bytes = b"0\r\n\r\n") -> bytes:
    """A body in chunks."""
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + last


def held(left: threading.Event) -> Route:
    """Send the beginning of a long file, then wait for the client to go away."""

    def route(request: Request) -> None:
        request.connection.sendall(raw(("Content-Length", "10000000"), body=PNG))
        request.connection.settimeout(10)
        with suppress(ConnectionResetError):
            request.connection.recv(1)
        left.set()

    return route


def with_places(origin: ScriptedServer, slots: int, per_visitor: int = 0) -> Gateway:
    """A gateway that runs at most so many streams at once, in all and for each visitor."""
    settings = make_settings(origin.address)
    services = build_services(settings)
    planner = Planner(EntityTags(KeyRing.derive([SECRET], SALT)), "auto", settings.max_bytes)
    deliverer = Deliverer(planner, SlotLimiter(slots, per_visitor), services.ledger, services.resolver.renew)
    return Gateway(settings, replace(services, deliverer=deliverer))


def limit(gateway: Gateway, link_id: str, most_downloads: int) -> None:
    """Let a link be used for so many downloads."""
    assert isinstance(gateway.services.ledger, MemoryLedger)
    gateway.services.ledger.limit(link_id, most_downloads)


# --- redirect or stream


def test_a_signed_link_streams_the_file_as_an_attachment(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG, ETag='"v1"')

    response = gateway.get(url)

    assert response.status_code == 200
    assert response.data == PNG
    assert response.headers["Content-Disposition"].startswith('attachment; filename="cat.png"')
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["X-Gateway-Delivery"] == "stream; reason=no-attachment"


def test_auto_redirects_to_a_direct_url_that_says_attachment(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    url = direct(provider, origin, Content_Disposition=ATTACHMENT)

    response = upstream_gateway.get(url)

    assert response.status_code == 302
    assert response.headers["Location"] == origin.url("/direct/cat.png")
    assert told(response) == "redirect; reason=attachment"


def test_auto_redirects_to_an_attachment_whose_name_is_raw_utf_8(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    disposition = 'attachment; filename="кот Åà.png"'.encode().decode("latin-1")

    assert told(upstream_gateway.get(direct(provider, origin, Content_Disposition=disposition))) == (
        "redirect; reason=attachment"
    )


def test_auto_remembers_the_redirect_and_opens_nothing_at_the_next_click(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    url = direct(provider, origin, Content_Disposition=ATTACHMENT)
    upstream_gateway.get(url)
    calls = len(origin.seen), len(provider.seen)

    response = upstream_gateway.get(url)

    assert response.status_code == 302
    assert (len(origin.seen), len(provider.seen)) == calls == (1, 1)


@pytest.mark.parametrize("disposition", ["", "inline", 'inline; filename="attachment"', "form-data"])
def test_auto_streams_what_a_browser_would_open_at_one_request(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, disposition: str
) -> None:
    url = direct(provider, origin, Content_Disposition=disposition)

    response = upstream_gateway.get(url)

    assert (response.status_code, response.data) == (200, PNG)
    assert told(response) == "stream; reason=no-attachment"
    assert origin.paths() == ["/direct/cat.png"]


def test_auto_streams_when_another_name_is_signed(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    url = direct(provider, origin, Content_Disposition=ATTACHMENT)

    response = upstream_gateway.get(url, filename="котик.png")

    assert (response.status_code, response.data) == (200, PNG)
    assert response.headers["Content-Disposition"].endswith("filename*=UTF-8''%D0%BA%D0%BE%D1%82%D0%B8%D0%BA.png")
    assert told(response) == "stream; reason=filename"
    assert len(origin.seen) == 1


def test_redirect_mode_redirects_without_asking_the_origin(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    url = direct(provider, origin)

    response = upstream_gateway.get(url, mode="redirect")

    assert response.status_code == 302
    assert response.headers["Location"] == origin.url("/direct/cat.png")
    assert told(response) == "redirect; reason=mode"
    assert origin.seen == []


def test_stream_mode_streams_even_an_attachment(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    url = direct(provider, origin, Content_Disposition=ATTACHMENT)

    response = upstream_gateway.get(url, mode="stream")

    assert (response.status_code, response.data) == (200, PNG)
    assert told(response) == "stream; reason=mode"
    assert len(origin.seen) == 1


@pytest.mark.parametrize(("signed", "status"), [(None, 302), ("stream", 200), ("redirect", 302), ("auto", 200)])
def test_a_signed_mode_wins_over_the_default(origin: ScriptedServer, signed: str | None, status: int) -> None:
    gateway = Gateway(make_settings(origin.address, default_mode="redirect"))
    url = origin.serve("/v/cat.png", PNG)

    response = gateway.get(url, mode=signed)

    assert response.status_code == status


@pytest.mark.parametrize("mode", ["auto", "redirect"])
@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        pytest.param({"Range": "bytes=0-"}, "range", id="range"),
        pytest.param({"If-Range": '"x"'}, "range", id="if-range"),
        pytest.param({"Origin": SCRIPT, "Sec-Fetch-Mode": "cors"}, "cors", id="fetch-of-an-allowed-origin"),
    ],
)
def test_what_a_redirect_would_break_is_streamed(
    provider: ScriptedServer, origin: ScriptedServer, mode: str, headers: dict[str, str], reason: str
) -> None:
    settings = make_settings(origin.address, resolver="upstream", upstream_url=provider.url(""), cors_origins=SCRIPT)
    url = direct(provider, origin, Content_Disposition=ATTACHMENT)

    response = Gateway(settings).get(url, headers, mode=mode)

    assert response.status_code in {200, 206}
    assert response.data == PNG
    assert told(response) == f"stream; reason={reason}"


def test_a_condition_does_not_keep_from_redirecting(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    url = direct(provider, origin, Content_Disposition=ATTACHMENT)

    responses = [upstream_gateway.get(url, {"If-None-Match": '"x"'}, mode=mode) for mode in ("redirect", "auto")]

    assert [response.status_code for response in responses] == [302, 302]


def test_nobody_is_sent_to_plain_http_unless_it_is_allowed(origin: ScriptedServer) -> None:
    gateway = Gateway(make_settings(origin.address, allow_http="false"))
    url = origin.serve("/v/cat.png", PNG, Content_Disposition=ATTACHMENT)

    response = gateway.get(url, mode="redirect")

    assert (response.status_code, response.data) == (200, PNG)
    assert told(response) == "stream; reason=insecure-target"


def test_an_unsigned_request_is_streamed_whatever_it_asks_for(origin: ScriptedServer) -> None:
    gateway = Gateway(make_settings(origin.address, require_signature="false", default_mode="redirect"))
    url = origin.serve("/v/cat.png", PNG, Content_Disposition=ATTACHMENT)

    response = gateway.client.get(
        "/download/task1", query_string={"url": url, "mode": "redirect", "filename": "evil.exe", "id": "a"}
    )

    assert (response.status_code, response.data) == (200, PNG)
    assert "evil" not in response.headers["Content-Disposition"]
    assert told(response) == "stream; reason=unsigned"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/d/a%2fb%2Fc.png?X-Amz-Credential=k%2f1%2F2", id="escapes-of-both-cases"),
        pytest.param("/d/~cat%7e.png?t=~%7E", id="tilde"),
        pytest.param("/d/it's.png?name='x'", id="apostrophe"),
        pytest.param("/d/a+b.png?x=1+1%2B1%20", id="plus"),
        pytest.param("/d/(a)!*;:@$,=&x.png?a=(b)!*;:@$,=&c", id="sub-delimiters"),
        pytest.param("/d/%41%c3%a9%E2%82%ac?x=%41", id="needless-escapes"),
        pytest.param("/d/../a/./b.png", id="dot-segments"),
        pytest.param("/d//a///b.png?x=//", id="doubled-slashes"),
        pytest.param("/d/a.png?a=1&a=2&&b", id="doubled-parameters"),
        pytest.param("/d/%zz%.png?x=%", id="bad-escapes"),
        pytest.param("/d/a.png?x=1?y=2?", id="question-marks"),
        pytest.param("/d/a.png?", id="an-empty-query"),
        pytest.param("/d/a.png?tags[]=1&x={1|2}", id="brackets-and-braces"),
        pytest.param("/d/a.png?x=1#part", id="a-fragment"),
    ],
)
def test_the_location_is_the_direct_url_byte_for_byte(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, path: str
) -> None:
    url = convert(provider, origin.url(path))

    response = upstream_gateway.get(url, mode="redirect")

    assert response.status_code == 302
    assert response.headers["Location"] == origin.url(path)


# --- HEAD


@pytest.mark.parametrize("mode", [None, "auto", "redirect", "stream"])
def test_head_learns_from_a_few_bytes_what_a_stream_would_say_and_remembers(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, mode: str | None
) -> None:
    link = upstream_gateway.link(direct(provider, origin, Content_Disposition=ATTACHMENT), mode=mode)

    responses = [upstream_gateway.client.head(link) for _ in range(2)]

    assert [response.status_code for response in responses] == [200, 200]
    assert [response.data for response in responses] == [b"", b""]
    assert [response.headers["Content-Length"] for response in responses] == [str(len(PNG))] * 2
    assert names(responses[0]) == names(responses[1]) == STREAM_HEADERS
    assert [(parse_request.method, parse_request.headers["range"]) for parse_request in origin.seen] == [
        ("GET", "bytes=0-63")
    ]


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no-ranges"])
@pytest.mark.parametrize(
    "origin_headers",
    [
        pytest.param({"ETag": '"v1"', "Content-Type": "image/png"}, id="with-validator"),
        pytest.param({"Content-Type": "text/html"}, id="without-validator"),
        pytest.param({"Last-Modified": DATE}, id="with-a-date"),
    ],
)
def test_head_and_get_agree_in_every_header_whichever_comes_first(
    gateway: Gateway,
    origin: ScriptedServer,
    origin_headers: dict[str, Any],
    ranges: bool,  # noqa: FBT001
) -> None:
    for path, body in (("/v/cat.png", PNG), ("/v/empty.png", b""), ("/v/short", b"short")):
        url = origin.serve(path, body, ranges=ranges, **origin_headers)

        assert said(gateway, "HEAD", url, "task1") == said(gateway, "GET", url, "task1")
        assert said(gateway, "GET", url, "task2") == said(gateway, "HEAD", url, "task2")


def said(gateway: Gateway, method: str, url: str, task_id: str) -> list[tuple[str, str]]:
    """All headers of an answer."""
    link = gateway.link(url, task_id, mode="stream")
    return sorted(gateway.client.open(link, method=method, headers={"X-Request-Id": "1"}).headers)


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
    url = origin.route("/v/cat.png", held(left))

    response = gateway.client.head(gateway.link(url))

    assert response.status_code == 200
    assert response.headers["Content-Length"] == "10000000"
    assert left.wait(5)


def test_head_ignores_a_range(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.serve("/v/cat.png", PNG))

    response = gateway.client.head(link, headers={"Range": "bytes=5-9"})

    assert response.status_code == 200
    assert response.headers["Content-Length"] == str(len(PNG))


def test_head_of_a_missing_file_is_the_error_without_a_body(gateway: Gateway, origin: ScriptedServer) -> None:
    response = gateway.client.head(gateway.link(origin.url("/v/none.png")))

    assert response.status_code == 404
    assert response.data == b""


# --- ranges and conditions


@pytest.mark.parametrize(
    ("parse_request", "part", "content_range"),
    [
        pytest.param("bytes=0-0", PNG[:1], "bytes 0-0/10248", id="first-byte"),
        pytest.param("bytes=0-99", PNG[:100], "bytes 0-99/10248", id="beginning"),
        pytest.param("bytes=5000-5999", PNG[5000:6000], "bytes 5000-5999/10248", id="middle"),
        pytest.param("bytes=5000-", PNG[5000:], "bytes 5000-10247/10248", id="open-ended"),
        pytest.param("bytes=-100", PNG[-100:], "bytes 10148-10247/10248", id="suffix"),
        pytest.param("bytes=10247-", PNG[-1:], "bytes 10247-10247/10248", id="last-byte"),
        pytest.param("bytes=0-", PNG, "bytes 0-10247/10248", id="everything"),
        pytest.param("bytes=10000-99999", PNG[10000:], "bytes 10000-10247/10248", id="end-beyond-the-file"),
        pytest.param("bytes=-99999", PNG, "bytes 0-10247/10248", id="suffix-beyond-the-file"),
    ],
)
def test_a_part_of_the_file_is_sent_with_206(
    gateway: Gateway, origin: ScriptedServer, parse_request: str, part: bytes, content_range: str
) -> None:
    url = origin.serve("/v/cat.png", PNG, ETag='"v1"')

    response = gateway.get(url, {"Range": parse_request})

    assert response.status_code == 206
    assert response.data == part
    assert response.headers["Content-Range"] == content_range
    assert response.headers["Content-Length"] == str(len(part))


def test_a_part_has_the_type_and_the_name_of_the_whole_file(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.jpg", PNG, Content_Type="text/html")

    response = gateway.get(url, {"Range": "bytes=5000-"})

    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["Content-Disposition"].startswith('attachment; filename="cat.png"')


def test_a_part_of_a_known_file_is_asked_for_as_it_is(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG)
    gateway.get(url)

    gateway.get(url, {"Range": "bytes=-100"})

    assert [parse_request.headers.get("range") for parse_request in origin.seen] == [None, "bytes=10148-10247"]


def test_a_download_that_was_cut_goes_on_where_it_stopped(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.serve("/v/cat.png", PNG * 10, ETag='"v1"'))
    begun = gateway.client.get(link)
    first = next(begun.iter_encoded())
    begun.close()

    rest = gateway.client.get(link, headers={"Range": f"bytes={len(first)}-", "If-Range": begun.headers["ETag"]})

    assert rest.status_code == 206
    assert first + rest.data == PNG * 10
    assert rest.headers["ETag"] == begun.headers["ETag"]


def test_if_range_with_our_tag_gives_the_part(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG, ETag='"v1"')
    tag = gateway.get(url).headers["ETag"]

    response = gateway.get(url, {"Range": "bytes=5-9", "If-Range": tag})

    assert (response.status_code, response.data) == (206, PNG[5:10])


@pytest.mark.parametrize(
    "if_range",
    [
        pytest.param("W/{tag}", id="our-tag-made-weak"),
        pytest.param('"stranger"', id="a-stranger's"),
        pytest.param('"v1"', id="the-origin's-own"),
        pytest.param(DATE, id="a-date"),
        pytest.param("wrong", id="no-tag-at-all"),
    ],
)
def test_if_range_with_anything_else_gives_the_whole_file(
    gateway: Gateway, origin: ScriptedServer, if_range: str
) -> None:
    url = origin.serve("/v/cat.png", PNG, ETag='"v1"', Last_Modified=DATE)
    tag = gateway.get(url).headers["ETag"]

    response = gateway.get(url, {"Range": "bytes=5-9", "If-Range": if_range.format(tag=tag)})

    assert (response.status_code, response.data) == (200, PNG)
    assert "Content-Range" not in response.headers


@pytest.mark.parametrize("condition", ["{tag}", "W/{tag}", '"a", {tag}', 'W/"a" , W/{tag}'])
def test_if_none_match_with_our_tag_is_answered_304(gateway: Gateway, origin: ScriptedServer, condition: str) -> None:
    url = origin.serve("/v/cat.png", PNG, ETag='"v1"')
    tag = gateway.get(url).headers["ETag"]
    parse_request = len(origin.seen)

    response = gateway.get(url, {"If-None-Match": condition.format(tag=tag)})

    assert (response.status_code, response.data) == (304, b"")
    assert names(response) == PRIVATE_HEADERS | {"etag"}
    assert response.headers["ETag"] == tag
    assert len(origin.seen) == parse_request


@pytest.mark.parametrize("condition", ['"v1"', '"stranger"', "garbage"])
def test_if_none_match_with_any_other_tag_gives_the_file(
    gateway: Gateway, origin: ScriptedServer, condition: str
) -> None:
    url = origin.serve("/v/cat.png", PNG, ETag='"v1"')

    response = gateway.get(url, {"If-None-Match": condition})

    assert (response.status_code, response.data) == (200, PNG)


@pytest.mark.parametrize("parse_request", ["bytes=10248-", "bytes=99999-100000", "bytes=-0"])
def test_a_range_beyond_the_file_is_answered_416_with_its_length(
    gateway: Gateway, origin: ScriptedServer, parse_request: str
) -> None:
    url = origin.serve("/v/cat.png", PNG)

    response = gateway.get(url, {"Range": parse_request})

    assert response.status_code == 416
    assert response.headers["Content-Range"] == "bytes */10248"
    assert "Content-Disposition" not in response.headers


@pytest.mark.parametrize(
    "parse_request", ["bytes=0-1,5-8", "bytes=0-0,-1", "bytes=9-5", "items=0-4", "bytes=", "garbage"]
)
def test_several_ranges_and_malformed_ones_are_answered_by_the_whole_file(
    gateway: Gateway, origin: ScriptedServer, parse_request: str
) -> None:
    url = origin.serve("/v/cat.png", PNG)

    response = gateway.get(url, {"Range": parse_request})

    assert (response.status_code, response.data) == (200, PNG)
    assert "Content-Range" not in response.headers


def test_an_origin_without_ranges_gives_the_whole_file_and_no_promise_to_resume(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    url = origin.serve("/v/cat.png", PNG, ranges=False, ETag='"v1"')

    response = gateway.get(url, {"Range": "bytes=5-9"})

    assert (response.status_code, response.data) == (200, PNG)
    assert names(response) == STREAM_HEADERS - {"accept-ranges", "etag"}


def test_an_origin_without_validator_gets_no_tag_and_still_gives_parts(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    url = origin.serve("/v/cat.png", PNG)

    response = gateway.get(url, {"Range": "bytes=5-9"})

    assert (response.status_code, response.data) == (206, PNG[5:10])
    assert "ETag" not in response.headers


def test_an_origin_that_only_promises_ranges_gives_the_whole_file(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG, ranges=False, Accept_Ranges="bytes")

    response = gateway.get(url, {"Range": "bytes=5-9"})

    assert (response.status_code, response.data) == (200, PNG)


@pytest.mark.parametrize(
    ("content_range", "body"),
    [
        pytest.param(None, PNG[5:10], id="no-content-range"),
        pytest.param("bytes 6-10/10248", PNG[6:11], id="another-beginning"),
        pytest.param("bytes 5-99/10248", PNG[5:100], id="more-than-asked"),
        pytest.param("bytes 5-9/7", PNG[5:10], id="beyond-its-own-length"),
        pytest.param("bytes 5-9/*", PNG[5:10], id="no-length"),
        pytest.param("bytes 9-5/10248", b"", id="backwards"),
        pytest.param("bytes 5-9/10248", PNG[5:9], id="fewer-bytes-than-it-says"),
        pytest.param("items 5-9/10248", PNG[5:10], id="another-unit"),
    ],
)
def test_a_part_that_is_not_the_one_asked_for_is_an_error(
    gateway: Gateway, origin: ScriptedServer, content_range: str | None, body: bytes
) -> None:
    def route(request: Request) -> bytes:
        if request.headers.get("range") != "bytes=5-9":
            return file_answer(request, PNG, {})
        return answer(206, body, {"Content-Range": content_range} if content_range else {})

    response = gateway.get(origin.route("/v/cat.png", route), {"Range": "bytes=5-9"})

    assert response.status_code == 502
    assert "origin_failed" in response.text


@pytest.mark.parametrize("status", [201, 203, 204, 206, 300, 304, 400, 416, 418, 500, 999])
def test_a_status_that_brings_no_whole_file_is_an_error(gateway: Gateway, origin: ScriptedServer, status: int) -> None:
    url = origin.route("/v/cat.png", answer(status, PNG, {"Content-Range": "bytes 0-10247/20000"}))

    response = gateway.get(url)

    assert response.status_code == 502


@pytest.mark.parametrize(
    ("status", "shown", "code"),
    [
        (404, 404, "file_not_found"),
        (410, 410, "file_gone"),
        (401, 502, "origin_refused"),
        (403, 502, "origin_refused"),
        (429, 503, "origin_busy"),
        (503, 503, "origin_busy"),
        (502, 502, "origin_failed"),
    ],
)
def test_what_the_origin_refuses_is_told_as_ours(
    gateway: Gateway, origin: ScriptedServer, status: int, shown: int, code: str
) -> None:
    url = origin.route("/v/cat.png", answer(status, b"<h1>secret</h1>", {"WWW-Authenticate": "Basic"}))

    response = gateway.get(url)

    assert response.status_code == shown
    assert code in response.text
    assert "secret" not in response.text
    assert "WWW-Authenticate" not in response.headers


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_direct_url_that_has_died_is_asked_for_afresh_and_the_visitor_sees_nothing_of_it(
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


def test_a_fresh_direct_url_that_the_origin_refuses_is_not_asked_for_again_and_again(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    url = convert(provider, origin.route("/direct/dead.png", answer(403)))

    response = upstream_gateway.get(url)

    assert response.status_code == 502
    assert len(provider.seen) == 1


# --- files of every kind


def test_an_empty_file_is_an_empty_download(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/empty.txt", b"")

    response = gateway.get(url)

    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Content-Length"] == "0"
    assert response.headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param([("Transfer-Encoding", "chunked")], chunked(PNG[:70], PNG[70:]), id="chunked"),
        pytest.param(
            [("Transfer-Encoding", "chunked")], chunked(*(PNG[i : i + 9] for i in range(0, 10248, 9))), id="crumbs"
        ),
        pytest.param(
            [("Transfer-Encoding", "chunked")], chunked(PNG, last=b"0;x=y\r\nTrailer: x\r\n\r\n"), id="trailer"
        ),
        pytest.param([("Connection", "close")], PNG, id="until-the-connection-ends"),
    ],
)
def test_a_file_of_unknown_length_is_streamed_without_a_length(
    gateway: Gateway, origin: ScriptedServer, headers: list[tuple[str, str]], body: bytes
) -> None:
    url = origin.route("/v/cat.png", raw(*headers, body=body))

    response = gateway.get(url)

    assert (response.status_code, response.data) == (200, PNG)
    assert names(response) == STREAM_HEADERS - {"content-length", "accept-ranges", "etag"}


def test_a_large_file_arrives_unchanged(gateway: Gateway, origin: ScriptedServer) -> None:
    body = PNG * 900
    url = origin.serve("/v/cat.png", body)

    response = gateway.get(url)

    assert response.data == body


def test_a_file_larger_than_the_limit_is_refused(origin: ScriptedServer) -> None:
    gateway = Gateway(make_settings(origin.address, max_bytes=str(len(PNG) - 1)))
    link = gateway.link(origin.serve("/v/cat.png", PNG))

    responses = [
        gateway.client.get(link),
        gateway.client.head(link),
        gateway.client.get(link, headers={"Range": "bytes=0-9"}),
    ]

    assert [response.status_code for response in responses] == [502, 502, 502]
    assert "file_too_large" in responses[0].text


def test_a_file_as_large_as_the_limit_is_sent(origin: ScriptedServer) -> None:
    gateway = Gateway(make_settings(origin.address, max_bytes=str(len(PNG))))
    url = origin.route("/v/cat.png", raw(("Transfer-Encoding", "chunked"), body=chunked(PNG)))

    assert gateway.get(url).data == PNG


def test_a_file_that_grows_beyond_the_limit_is_cut(origin: ScriptedServer) -> None:
    gateway = Gateway(make_settings(origin.address, max_bytes="20000"))
    url = origin.route("/v/cat.png", raw(("Transfer-Encoding", "chunked"), body=chunked(*[PNG] * 50)))

    got, whole = read_until_cut(gateway.get(url))

    assert not whole
    assert got <= 20000 + SMALL_CHUNK


# --- the exact headers


def test_a_stream_has_exactly_our_headers(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG, ETag='"v1"', Last_Modified=DATE)

    response = gateway.get(url)

    assert names(response) == STREAM_HEADERS
    assert len(list(response.headers)) == len(STREAM_HEADERS)
    assert response.headers["Cache-Control"] == "private, no-store"
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert response.headers["Accept-Ranges"] == "bytes"


def test_a_part_has_exactly_our_headers(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG, ETag='"v1"', Last_Modified=DATE)

    response = gateway.get(url, {"Range": "bytes=5-9"})

    assert names(response) == STREAM_HEADERS | {"content-range"}
    assert len(list(response.headers)) == len(STREAM_HEADERS) + 1


def test_a_redirect_has_exactly_our_headers_and_does_not_repeat_the_url(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    url = direct(provider, origin, Content_Disposition=ATTACHMENT)

    response = upstream_gateway.get(url)

    assert names(response) == REDIRECT_HEADERS
    assert len(list(response.headers)) == len(REDIRECT_HEADERS)
    assert response.headers["Cache-Control"] == "private, no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Content-Length"] == "0"
    assert response.data == b""


@pytest.mark.parametrize("validator", [{"ETag": '"v1-origin"'}, {"ETag": 'W/"v1-origin"'}, {"Last-Modified": DATE}])
def test_the_origins_validators_never_leave(
    gateway: Gateway, origin: ScriptedServer, validator: dict[str, Any]
) -> None:
    url = origin.serve("/v/cat.png", PNG, **validator)

    response = gateway.get(url)

    assert "Last-Modified" not in response.headers
    assert "v1-origin" not in str(response.headers)


def test_a_file_has_one_tag_at_every_gateway_and_direct_url(provider: ScriptedServer, origin: ScriptedServer) -> None:
    settings = make_settings(origin.address, resolver="upstream", upstream_url=provider.url(""))
    tags = set()

    for path in ("/direct/one?X-Amz-Signature=1", "/direct/two?X-Amz-Signature=2"):
        origin.serve(path.partition("?")[0], PNG, ETag='"v1"')
        tags.add(Gateway(settings).get(convert(provider, origin.url(path))).headers["ETag"])

    assert len(tags) == 1


def test_no_header_of_the_corpus_reaches_the_visitor(
    gateway: Gateway, origin: ScriptedServer, corpora: dict[str, Any]
) -> None:
    corpus = corpora["proxy_headers"]
    listed = [*corpus["response_must_not_reach_browser"], *corpus["hop_by_hop_never_forwarded"]]
    sent = [name.split(" ")[0].replace("*", "Leak") for name in listed]
    headers = [(name, "leak") for name in sent if name not in {"Transfer-Encoding", "Connection"}]
    url = origin.route("/v/cat.png", raw(*headers, ("Content-Length", str(len(PNG))), body=PNG))

    response = gateway.get(url)

    assert (response.status_code, response.data) == (200, PNG)
    assert names(response) == STREAM_HEADERS - {"accept-ranges", "etag"}
    assert "leak" not in str(response.headers)


def test_headers_that_the_origin_lists_as_its_connections_own_stay_there(
    gateway: Gateway, origin: ScriptedServer, corpora: dict[str, Any]
) -> None:
    listed = [(name, value) for name, value in corpora["proxy_headers"]["connection_listed"]["response"]]
    url = origin.route("/v/cat.png", raw(*listed, ("Content-Length", str(len(PNG))), body=PNG))

    response = gateway.get(url)

    assert names(response) == STREAM_HEADERS - {"accept-ranges", "etag"}


NAMES = one_of(
    sampled_from(["Set-Cookie", "Location", "Refresh", "X-Accel-Redirect", "Content-Type", "ETag", "Last-Modified"]),
    sampled_from(["Content-Disposition", "Accept-Ranges", "Cache-Control", "Content-Security-Policy", "Vary", "Date"]),
    sampled_from(["X-Gateway-Delivery", "X-Request-Id", "Access-Control-Allow-Origin", "Age", "Warning", "Trailer"]),
    from_regex(r"X[A-Za-z0-9!#$%&'*+.^_`|~-]{0,30}", fullmatch=True),
)
VALUES = from_regex(r"leak[\x20-\x7e\x80-\xff\t]{0,60}", fullmatch=True)


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(headers=lists(tuples(NAMES, VALUES), max_size=20))
def test_whatever_headers_the_origin_sends_the_visitor_gets_ours(
    gateway: Gateway, origin: ScriptedServer, headers: list[tuple[str, str]]
) -> None:
    url = origin.route("/v/cat.png", raw(*headers, ("Content-Length", str(len(PNG))), body=PNG))

    response = gateway.get(url, mode="stream")

    assert response.data == PNG
    assert names(response) - {"accept-ranges", "etag"} == STREAM_HEADERS - {"accept-ranges", "etag"}
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


# --- scripts of other origins


@pytest.fixture
def cors_gateway(provider: ScriptedServer, origin: ScriptedServer) -> Gateway:
    """A gateway whose files a script of one origin may fetch."""
    return Gateway(
        make_settings(origin.address, resolver="upstream", upstream_url=provider.url(""), cors_origins=SCRIPT)
    )


def cors_names(response: TestResponse) -> set[str]:
    return {name for name in names(response) if name.startswith("access-control-")}


def test_a_script_of_an_allowed_origin_can_read_the_file_and_its_headers(
    cors_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    url = direct(provider, origin, Content_Disposition=ATTACHMENT)

    response = cors_gateway.get(url, {"Origin": SCRIPT, "Sec-Fetch-Mode": "cors"})

    assert (response.status_code, response.data) == (200, PNG)
    assert names(response) == STREAM_HEADERS | {
        "access-control-allow-origin",
        "access-control-expose-headers",
        "vary",
    }
    assert response.headers["Access-Control-Allow-Origin"] == SCRIPT
    assert response.headers["Vary"] == "Origin"
    exposed = set(response.headers["Access-Control-Expose-Headers"].split(", "))
    assert {"Content-Disposition", "Content-Length", "Content-Range", "ETag", "Retry-After", "X-Request-Id"} <= exposed


def test_a_script_of_an_allowed_origin_can_read_an_error(cors_gateway: Gateway, provider: ScriptedServer) -> None:
    provider.route(PROVIDER_CALL, envelope(code=404, msg="not found"))

    response = cors_gateway.get("http://127.0.0.1:1/x", {"Origin": SCRIPT, "Sec-Fetch-Mode": "cors"})

    assert response.headers["Access-Control-Allow-Origin"] == SCRIPT
    assert response.mimetype == "application/problem+json"


@pytest.mark.parametrize("stranger", ["https://evil.example", "http://app.example", f"{SCRIPT}:8443", "null", "*"])
def test_a_stranger_gets_no_leave_to_read(
    cors_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, stranger: str
) -> None:
    url = direct(provider, origin)

    response = cors_gateway.get(url, {"Origin": stranger, "Sec-Fetch-Mode": "cors"}, mode="stream")

    assert response.status_code == 200
    assert names(response) == STREAM_HEADERS


def test_a_navigation_from_an_allowed_origin_is_nobodys_script(
    cors_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    url = direct(provider, origin, Content_Disposition=ATTACHMENT)

    response = cors_gateway.get(url, {"Origin": SCRIPT, "Sec-Fetch-Mode": "navigate"})

    assert response.status_code == 302
    assert cors_names(response) == set()


def test_a_preflight_of_an_allowed_origin_says_what_may_be_sent(
    cors_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    link = cors_gateway.link(direct(provider, origin))

    response = cors_gateway.client.options(
        link,
        headers={"Origin": SCRIPT, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range"},
    )

    assert (response.status_code, response.data) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == SCRIPT
    assert response.headers["Access-Control-Allow-Methods"] == "GET, HEAD"
    assert "Range" in response.headers["Access-Control-Allow-Headers"]
    assert "Origin" in response.headers["Vary"]
    assert (origin.seen, provider.seen) == ([], [])


def test_a_preflight_of_a_stranger_allows_nothing(cors_gateway: Gateway) -> None:
    response = cors_gateway.client.options(
        "/download/task1", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    )

    assert cors_names(response) == set()


# --- guesses and loops


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Sec-Purpose": "prefetch;anonymous-client-ip"},
        {"Purpose": "prefetch"},
    ],
    ids=str,
)
def test_a_prefetch_is_refused_without_asking_anybody(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, headers: dict[str, str]
) -> None:
    url = direct(provider, origin)

    response = upstream_gateway.get(url, headers)

    assert response.status_code == 503
    assert response.headers["Cache-Control"] == "no-store"
    assert (origin.seen, provider.seen) == ([], [])


def test_a_request_of_our_own_that_comes_round_is_refused(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG)
    gateway.get(url)
    via = origin.seen[0].headers["via"]

    response = gateway.get(url, {"Via": f"1.1 cache.example, {via}"})

    assert response.status_code == 508
    assert len(origin.seen) == 1


def test_other_proxies_on_the_way_do_no_harm(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG)

    response = gateway.get(url, {"Via": "1.1 cache.example, 2 gateway.example"})

    assert response.status_code == 200


# --- a file that changes


class Changing:
    """A file at an origin, of which there are editions; each request takes the next, the last stays."""

    def __init__(self, *editions: bytes) -> None:
        self.editions = list(editions)

    def __call__(self, request: Request) -> bytes:
        body = self.editions.pop(0) if len(self.editions) > 1 else self.editions[0]
        return file_answer(request, body, {"ETag": f'"{hash(body)}"'})


def test_a_part_is_of_the_file_as_it_is_now(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.route("/v/cat.png", Changing(PNG, JPEG)))
    before = gateway.client.head(link)

    response = gateway.client.get(link, headers={"Range": "bytes=100-199"})

    assert (response.status_code, response.data) == (206, JPEG[100:200])
    assert response.headers["Content-Range"] == f"bytes 100-199/{len(JPEG)}"
    assert response.headers["Content-Type"] == "image/jpeg"
    assert response.headers["ETag"] != before.headers["ETag"]


@pytest.mark.parametrize("beginning", [100, 9000], ids=["inside-the-new-file", "beyond-the-new-file"])
def test_a_download_of_the_old_file_starts_again_with_the_new_one(
    gateway: Gateway, origin: ScriptedServer, beginning: int
) -> None:
    link = gateway.link(origin.route("/v/cat.png", Changing(PNG, JPEG)))
    tag = gateway.client.head(link).headers["ETag"]

    response = gateway.client.get(link, headers={"Range": f"bytes={beginning}-", "If-Range": tag})

    assert (response.status_code, response.data) == (200, JPEG)


def test_a_part_beyond_a_file_that_shrank_is_refused_with_the_new_length(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    link = gateway.link(origin.route("/v/cat.png", Changing(PNG, JPEG)))
    gateway.client.head(link)

    response = gateway.client.get(link, headers={"Range": "bytes=9000-"})

    assert response.status_code == 416
    assert response.headers["Content-Range"] == f"bytes */{len(JPEG)}"


def test_parts_of_a_file_that_changes_all_the_time_are_never_mixed(gateway: Gateway, origin: ScriptedServer) -> None:
    editions = [PNG[: 9000 + number] for number in range(20)]
    url = origin.route("/v/cat.png", Changing(*editions))

    response = gateway.get(url, {"Range": "bytes=100-199"})

    assert response.status_code == 200
    assert response.data in editions


def test_parts_go_on_where_every_answer_has_a_tag_of_its_own(gateway: Gateway, origin: ScriptedServer) -> None:
    tags = count()
    url = origin.route("/v/cat.png", lambda request: file_answer(request, PNG, {"ETag": f'"{next(tags)}"'}))

    response = gateway.get(url, {"Range": "bytes=100-199"})

    assert (response.status_code, response.data) == (200, PNG)


def test_a_part_that_dies_before_its_first_byte_is_an_error_page(gateway: Gateway, origin: ScriptedServer) -> None:
    def route(request: Request) -> bytes:
        if request.headers.get("range") != "bytes=5000-5999":
            return file_answer(request, PNG, {"ETag": '"v1"'})
        return answer(206, b"", {"Content-Range": f"bytes 5000-5999/{len(PNG)}", "Content-Length": "1000"})

    response = gateway.get(origin.route("/v/cat.png", route), {"Range": "bytes=5000-5999"})

    assert response.status_code == 502


def test_a_redirect_to_an_address_with_other_letters_is_in_ascii(gateway: Gateway, origin: ScriptedServer) -> None:
    response = gateway.get(origin.url("/v/кот.png?q=%2F"), mode="redirect")

    assert response.status_code == 302
    assert response.headers["Location"] == origin.url("/v/%D0%BA%D0%BE%D1%82.png?q=%2F")


def test_an_attachment_beyond_the_limit_is_redirected_to_at_every_click(origin: ScriptedServer) -> None:
    gateway = Gateway(make_settings(origin.address, max_bytes="1000"))
    url = origin.serve("/v/cat.png", PNG, Content_Disposition="attachment")

    assert [gateway.get(url).status_code for _ in range(2)] == [302, 302]


def test_any_tag_matches_only_where_there_is_one(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG, ranges=False)

    response = gateway.get(url, {"If-None-Match": "*"})

    assert (response.status_code, response.data) == (200, PNG)


# --- links with a limit


def test_a_completed_download_counts_once_for_a_visitor(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.serve("/v/cat.png", PNG), link_id="limited")
    limit(gateway, "limited", 2)

    statuses = [take(gateway, link, address) for address in (ALICE, ALICE, ALICE, BOB, CAROL)]

    assert statuses == [200, 200, 200, 200, 410]


def test_a_link_that_is_used_up_says_so(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.serve("/v/cat.png", PNG), link_id="limited")
    limit(gateway, "limited", 1)
    take(gateway, link, ALICE)

    response = gateway.client.get(link, environ_overrides={"REMOTE_ADDR": BOB})

    assert response.status_code == 410
    assert "link_used_up" in response.text


def test_a_redirect_counts_when_it_is_handed_out(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    link = upstream_gateway.link(direct(provider, origin, Content_Disposition=ATTACHMENT), link_id="limited")
    limit(upstream_gateway, "limited", 1)

    assert [take(upstream_gateway, link, address) for address in (ALICE, BOB)] == [302, 410]


def test_an_empty_file_counts(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.serve("/v/empty.txt", b""), link_id="limited")
    limit(gateway, "limited", 1)

    assert [take(gateway, link, address) for address in (ALICE, BOB)] == [200, 410]


def test_a_download_completed_by_its_last_part_counts(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.serve("/v/cat.png", PNG), link_id="limited")
    limit(gateway, "limited", 1)

    assert take(gateway, link, ALICE, Range="bytes=5000-") == 206
    assert take(gateway, link, BOB) == 410


def test_the_visitor_who_was_counted_still_gets_the_other_parts(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.serve("/v/cat.png", PNG), link_id="limited")
    limit(gateway, "limited", 1)

    # A download manager asks for several parts at once, and the last may be there first.
    statuses = [take(gateway, link, ALICE, Range=part) for part in ("bytes=5000-", "bytes=0-2499", "bytes=2500-4999")]

    assert statuses == [206, 206, 206]


def test_what_does_not_complete_is_free(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.serve("/v/cat.png", PNG, ETag='"v1"'), link_id="limited")
    limit(gateway, "limited", 1)
    tag = gateway.client.head(link).headers["ETag"]

    gateway.client.get(link).close()
    statuses = [
        take(gateway, link, ALICE, Range="bytes=0-4999"),
        take(gateway, link, ALICE, Range="bytes=99999-"),
        take(gateway, link, ALICE, If_None_Match=tag),
        take(gateway, link, ALICE, Sec_Purpose="prefetch"),
        take(gateway, link, BOB),
    ]

    assert statuses == [206, 416, 304, 503, 200]


def test_a_download_that_the_origin_cuts_is_free(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.route("/v/cat.png", raw(("Content-Length", "99999"), body=PNG)), link_id="limited")
    limit(gateway, "limited", 1)
    take(gateway, link, ALICE)

    origin.serve("/v/cat.png", PNG)

    assert take(gateway, link, BOB) == 200


def test_a_revoked_link_says_so(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.serve("/v/cat.png", PNG), link_id="revoked")
    gateway.services.ledger.revoke("revoked")

    response = gateway.client.get(link)

    assert response.status_code == 410
    assert "link_revoked" in response.text


# --- how much one visitor may begin


@pytest.fixture
def two_a_minute(origin: ScriptedServer) -> Gateway:
    """A gateway where a visitor may begin two downloads in a minute."""
    return Gateway(make_settings(origin.address, downloads_per_minute="2"))


def links(gateway: Gateway, origin: ScriptedServer, amount: int) -> list[str]:
    """Links to so many different files."""
    return [gateway.link(origin.serve(f"/v/{number}.png", PNG)) for number in range(amount)]


def test_a_visitor_who_begins_too_many_downloads_is_told_when_to_come_again(
    two_a_minute: Gateway, origin: ScriptedServer
) -> None:
    first, second, third = links(two_a_minute, origin, 3)

    statuses = [take(two_a_minute, link, ALICE) for link in (first, second)]
    refused = two_a_minute.client.get(third, environ_overrides={"REMOTE_ADDR": ALICE})

    assert statuses == [200, 200]
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert len(origin.seen) == 2


def test_another_visitor_has_a_minute_of_his_own(two_a_minute: Gateway, origin: ScriptedServer) -> None:
    all_links = links(two_a_minute, origin, 3)

    for link in all_links:
        take(two_a_minute, link, ALICE)

    assert take(two_a_minute, all_links[2], BOB) == 200


def test_coming_back_with_the_same_link_is_free(two_a_minute: Gateway, origin: ScriptedServer) -> None:
    first, second, third = links(two_a_minute, origin, 3)
    for link in (first, second, third):
        take(two_a_minute, link, ALICE)

    again = [take(two_a_minute, link, ALICE) for link in (first, second)]
    part = take(two_a_minute, first, ALICE, Range="bytes=5000-")

    assert (again, part) == ([200, 200], 206)


def test_looking_is_free(two_a_minute: Gateway, origin: ScriptedServer) -> None:
    statuses = [
        two_a_minute.client.head(link, environ_overrides={"REMOTE_ADDR": ALICE}).status_code
        for link in links(two_a_minute, origin, 4)
    ]

    assert statuses == [200] * 4


def test_a_forged_link_spends_nothing(two_a_minute: Gateway, origin: ScriptedServer) -> None:
    real = links(two_a_minute, origin, 2)

    forged = [take(two_a_minute, f"{link}x", ALICE) for link in real * 2]

    assert forged == [403] * 4
    assert [take(two_a_minute, link, ALICE) for link in real] == [200, 200]


def test_all_addresses_of_an_ipv6_subscriber_are_one_visitor(two_a_minute: Gateway, origin: ScriptedServer) -> None:
    addresses = ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:1::3", "2001:db8:0:2::1"]

    statuses = [
        take(two_a_minute, link, address)
        for link, address in zip(links(two_a_minute, origin, 4), addresses, strict=True)
    ]

    assert statuses == [200, 200, 429, 200]


def test_visitors_whose_ipv4_addresses_come_in_ipv6_form_are_not_one_visitor(
    two_a_minute: Gateway, origin: ScriptedServer
) -> None:
    addresses = [f"::ffff:{address}" for address in (ALICE, BOB, CAROL)]

    statuses = [
        take(two_a_minute, link, address)
        for link, address in zip(links(two_a_minute, origin, 3), addresses, strict=True)
    ]

    assert statuses == [200, 200, 200]


# --- places, and letting go


def test_when_all_places_are_taken_the_next_is_told_to_come_again(origin: ScriptedServer) -> None:
    gateway = with_places(origin, 1)
    link = gateway.link(origin.serve("/v/cat.png", PNG))
    running = gateway.client.get(link)

    refused = gateway.client.get(link)
    running.close()
    after = gateway.client.get(link)

    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert "gateway_busy" in refused.text
    assert (after.status_code, after.data) == (200, PNG)


def test_a_redirect_is_given_when_all_places_are_taken(origin: ScriptedServer) -> None:
    gateway = with_places(origin, 1)
    running = gateway.get(origin.serve("/v/cat.png", PNG))
    attachment = gateway.link(origin.serve("/v/dog.png", PNG, Content_Disposition=ATTACHMENT))

    redirected = gateway.client.get(attachment)
    running.close()

    assert redirected.status_code == 302


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="whole"),
        pytest.param({"Range": "bytes=5-9"}, id="part"),
        pytest.param({"Range": "bytes=99999-"}, id="beyond-the-end"),
        pytest.param({"If-None-Match": "{tag}"}, id="not-modified"),
        pytest.param({"If-Range": '"x"', "Range": "bytes=5-9"}, id="another-edition"),
    ],
)
def test_every_answer_gives_its_place_back(origin: ScriptedServer, headers: dict[str, str]) -> None:
    gateway = with_places(origin, 1)
    link = gateway.link(origin.serve("/v/cat.png", PNG, ETag='"v1"'))
    tag = gateway.client.head(link).headers["ETag"]

    for _ in range(3):
        gateway.client.get(link, headers={name: value.format(tag=tag) for name, value in headers.items()}).close()

    assert gateway.client.get(link).data == PNG


def test_a_redirect_in_auto_mode_gives_its_place_back(origin: ScriptedServer) -> None:
    gateway = with_places(origin, 1)
    link = gateway.link(origin.serve("/v/cat.png", PNG, Content_Disposition=ATTACHMENT))

    redirected = gateway.client.get(link)
    streamed = gateway.client.get(link, headers={"Range": "bytes=0-"})

    assert redirected.status_code == 302
    assert (streamed.status_code, streamed.data) == (206, PNG)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(answer(404), id="missing"),
        pytest.param(answer(200, PNG, {"Content-Encoding": "compress"}), id="unusable"),
        pytest.param(answer(200, PNG, {"Content-Length": "6000000000"}), id="too-large"),
        pytest.param(b"", id="no-answer"),
        pytest.param(raw(("Content-Length", "99999"), body=PNG), id="cut"),
    ],
)
def test_every_failure_gives_its_place_back(origin: ScriptedServer, sent: bytes) -> None:
    gateway = with_places(origin, 1)
    link = gateway.link(origin.route("/v/cat.png", sent))

    for _ in range(3):
        take(gateway, link, ALICE)

    assert gateway.get(origin.serve("/v/dog.png", PNG)).data == PNG


def test_an_abandoned_download_lets_the_origin_go_and_gives_its_place_back(origin: ScriptedServer) -> None:
    gateway = with_places(origin, 1)
    left = threading.Event()
    abandoned = gateway.get(origin.route("/v/long.png", held(left)))

    abandoned.close()

    assert left.wait(5)
    assert gateway.get(origin.serve("/v/cat.png", PNG)).data == PNG


def test_an_origin_with_a_limit_is_let_go_at_once_when_the_file_is_too_large(origin: ScriptedServer) -> None:
    gateway = Gateway(make_settings(origin.address, max_bytes="1000"))
    left = threading.Event()

    response = gateway.get(origin.route("/v/long.png", held(left)))

    assert response.status_code == 502
    assert left.wait(5)


# --- an origin that breaks off


CHUNKED = ("Transfer-Encoding", "chunked")
CUT = {
    "content-length-not-reached": raw(("Content-Length", "20000"), body=PNG),
    "one-byte-missing": raw(("Content-Length", str(len(PNG) + 1)), body=PNG),
    "no-last-chunk": raw(CHUNKED, body=chunked(PNG, last=b"")),
    "chunk-cut": raw(CHUNKED, body=chunked(PNG, last=b"4e20\r\n" + PNG)),
    "chunk-size-cut": raw(CHUNKED, body=chunked(PNG, last=b"4e2")),
    "chunk-size-no-number": raw(CHUNKED, body=chunked(PNG, last=b"zz\r\n" + PNG + b"\r\n0\r\n\r\n")),
    "chunk-size-empty": raw(CHUNKED, body=chunked(PNG, last=b"\r\n\r\n")),
    "chunk-size-negative": raw(CHUNKED, body=chunked(PNG, last=b"-5\r\nhello\r\n0\r\n\r\n")),
    "chunk-size-with-a-sign": raw(CHUNKED, body=chunked(PNG, last=b"+5\r\nhello\r\n0\r\n\r\n")),
    "chunk-size-with-a-prefix": raw(CHUNKED, body=chunked(PNG, last=b"0x5\r\nhello\r\n0\r\n\r\n")),
    "chunk-size-with-an-underscore": raw(CHUNKED, body=chunked(PNG, last=b"0_5\r\nhello\r\n0\r\n\r\n")),
    "chunk-size-without-end": raw(CHUNKED, body=chunked(PNG, last=b"5" * 100_000)),
    "chunk-longer-than-it-says": raw(CHUNKED, body=chunked(PNG, last=b"5\r\nhello you\r\n0\r\n\r\n")),
    "chunk-shorter-than-it-says": raw(CHUNKED, body=chunked(PNG, last=b"9\r\nhello\r\n0\r\n\r\n")),
    "chunk-not-ended": raw(CHUNKED, body=chunked(PNG, last=b"5\r\nhelloXX0\r\n\r\n")),
}


@pytest.mark.parametrize("sent", CUT.values(), ids=CUT)
def test_a_broken_transfer_is_cut_and_never_ends_like_a_whole_file(
    gateway: Gateway, origin: ScriptedServer, sent: bytes
) -> None:
    response = gateway.get(origin.route("/v/cat.png", sent))

    got, whole = read_until_cut(response)

    assert response.status_code == 200
    assert got >= len(PNG)
    assert not whole


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 200 X\r\nContent-Le", id="headers-cut"),
        pytest.param(raw(("Content-Length", "20000"), body=b"\x89PNG"), id="first-bytes-cut"),
        pytest.param(raw(CHUNKED, body=b"zz\r\n"), id="first-chunk-broken"),
        pytest.param(raw(("Content-Length", "5"), ("Content-Length", "6"), body=b"hello!"), id="two-lengths"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="another-protocol"),
    ],
)
def test_an_origin_that_breaks_off_before_the_file_begins_is_an_error_page(
    gateway: Gateway, origin: ScriptedServer, sent: bytes
) -> None:
    response = gateway.get(origin.route("/v/cat.png", sent))

    assert response.status_code == 502
    assert "Content-Disposition" not in response.headers


def test_a_part_that_breaks_off_is_cut_when_nothing_vouches_for_the_rest(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    def route(request: Request) -> bytes:
        whole = file_answer(request, PNG, {})
        return whole[:-1] if request.headers["range"] == "bytes=5000-10247" else whole

    response = gateway.get(origin.route("/v/cat.png", route), {"Range": "bytes=5000-"})

    got, whole = read_until_cut(response)

    assert response.status_code == 206
    assert (got, whole) == (len(PNG) - 5001, False)
