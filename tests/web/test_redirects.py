"""When a download is a redirect to the direct URL, and what the redirect looks like."""

import pytest

from tests.support.downloads import ATTACHMENT, REDIRECT_HEADERS, SCRIPT, convert, direct, names, summary
from tests.support.factories import PNG, Gateway, make_settings
from tests.support.servers import ScriptedServer

RAW_UTF_8 = 'attachment; filename="кот Åà.png"'.encode().decode("latin-1")


@pytest.mark.parametrize(
    ("disposition", "fields", "delivery"),
    [
        (ATTACHMENT, {}, "redirect; reason=attachment"),
        (RAW_UTF_8, {}, "redirect; reason=attachment"),
        ("", {}, "stream; reason=no-attachment"),
        ("inline", {}, "stream; reason=no-attachment"),
        ('inline; filename="attachment"', {}, "stream; reason=no-attachment"),
        ("form-data", {}, "stream; reason=no-attachment"),
        (ATTACHMENT, {"filename": "котик.png"}, "stream; reason=filename"),
        (ATTACHMENT, {"mode": "stream"}, "stream; reason=mode"),
        ("inline", {"mode": "redirect"}, "redirect; reason=mode"),
    ],
)
def test_mode_disposition_and_signed_name_decide_between_redirect_and_stream(
    upstream_gateway: Gateway,
    provider: ScriptedServer,
    origin: ScriptedServer,
    disposition: str,
    fields: dict[str, str],
    delivery: str,
) -> None:
    url = direct(provider, origin, Content_Disposition=disposition)

    response = upstream_gateway.get(url, None, **fields)

    if delivery.startswith("redirect"):
        assert (summary(response), response.data) == ((302, delivery), b"")
        assert response.headers["Location"] == origin.url("/direct/cat.png")
    else:
        assert (summary(response), response.data) == ((200, delivery), PNG)
    assert len(origin.seen) == (0 if delivery == "redirect; reason=mode" else 1)


def test_the_decision_to_redirect_is_remembered_for_the_next_click(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    url = direct(provider, origin, Content_Disposition=ATTACHMENT)

    assert [upstream_gateway.get(url).status_code for _ in range(2)] == [302, 302]
    assert (len(origin.seen), len(provider.seen)) == (1, 1)


def test_a_signed_mode_overrides_the_default_mode(origin: ScriptedServer) -> None:
    gateway = Gateway(make_settings(origin.address, default_mode="redirect"))
    url = origin.serve("/v/cat.png", PNG)

    statuses = {mode: gateway.get(url, mode=mode).status_code for mode in (None, "stream", "redirect", "auto")}

    assert statuses == {None: 302, "stream": 200, "redirect": 302, "auto": 200}


def test_ranges_and_cross_origin_fetches_are_streamed_and_other_conditions_are_redirected(
    provider: ScriptedServer, origin: ScriptedServer
) -> None:
    settings = make_settings(origin.address, resolver="upstream", upstream_url=provider.url(""), cors_origins=SCRIPT)
    gateway = Gateway(settings)
    url = direct(provider, origin, Content_Disposition=ATTACHMENT)

    for mode in ("auto", "redirect"):
        for headers, status, reason in [
            ({"Range": "bytes=0-"}, 206, "range"),
            ({"If-Range": '"x"'}, 200, "range"),
            ({"Origin": SCRIPT, "Sec-Fetch-Mode": "cors"}, 200, "cors"),
        ]:
            response = gateway.get(url, headers, mode=mode)
            assert (summary(response), response.data) == ((status, f"stream; reason={reason}"), PNG)
        for headers in ({"If-None-Match": '"x"'}, {"If-Match": '"x"'}):  # RFC 9110 section 13.2.1
            assert gateway.get(url, headers, mode=mode).status_code == 302


def test_a_redirect_to_plain_http_needs_the_setting(origin: ScriptedServer) -> None:
    gateway = Gateway(make_settings(origin.address, allow_http="false"))
    url = origin.serve("/v/cat.png", PNG, Content_Disposition=ATTACHMENT)

    response = gateway.get(url, mode="redirect")

    assert (summary(response), response.data) == ((200, "stream; reason=insecure-target"), PNG)


def test_an_unsigned_request_is_streamed_whatever_its_parameters(origin: ScriptedServer) -> None:
    gateway = Gateway(make_settings(origin.address, require_signature="false", default_mode="redirect"))
    url = origin.serve("/v/cat.png", PNG, Content_Disposition=ATTACHMENT)

    response = gateway.client.get(
        "/download/task1", query_string={"url": url, "mode": "redirect", "filename": "evil.exe", "id": "a"}
    )

    assert (summary(response), response.data) == ((200, "stream; reason=unsigned"), PNG)
    assert "evil" not in response.headers["Content-Disposition"]


def test_the_location_is_the_direct_url_byte_for_byte(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    paths = [
        "/d/a%2fb%2Fc.png?X-Amz-Credential=k%2f1%2F2",
        "/d/~cat%7e.png?t=~%7E",
        "/d/it's.png?name='x'",
        "/d/a+b.png?x=1+1%2B1%20",
        "/d/(a)!*;:@$,=&x.png?a=(b)!*;:@$,=&c",
        "/d/%41%c3%a9%E2%82%ac?x=%41",
        "/d/../a/./b.png",
        "/d//a///b.png?x=//",
        "/d/a.png?a=1&a=2&&b",
        "/d/%zz%.png?x=%",
        "/d/a.png?x=1?y=2?",
        "/d/a.png?",
        "/d/a.png?tags[]=1&x={1|2}",
        "/d/a.png?x=1#part",
    ]

    for number, path in enumerate(paths):
        url = convert(provider, origin.url(path))
        response = upstream_gateway.get(f"{url}?{number}", mode="redirect")
        assert (response.status_code, response.headers["Location"]) == (302, origin.url(path))


def test_the_location_is_ascii(gateway: Gateway, origin: ScriptedServer) -> None:
    response = gateway.get(origin.url("/v/кот.png?q=%2F"), mode="redirect")

    assert response.headers["Location"] == origin.url("/v/%D0%BA%D0%BE%D1%82.png?q=%2F")


def test_a_redirect_has_exactly_our_headers_and_no_body(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    response = upstream_gateway.get(direct(provider, origin, Content_Disposition=ATTACHMENT))

    assert names(response) == REDIRECT_HEADERS
    assert len(list(response.headers)) == len(REDIRECT_HEADERS)
    assert response.headers["Cache-Control"] == "private, no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert (response.headers["Content-Length"], response.data) == ("0", b"")


def test_the_size_limit_does_not_apply_to_redirects(origin: ScriptedServer) -> None:
    gateway = Gateway(make_settings(origin.address, max_bytes="1000"))
    url = origin.serve("/v/cat.png", PNG, Content_Disposition="attachment")

    assert [gateway.get(url).status_code for _ in range(2)] == [302, 302]
