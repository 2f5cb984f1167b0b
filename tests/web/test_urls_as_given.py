"""What a URL is fetched and redirected to as: percent-encoded where a URI must be, and otherwise exactly as given."""

import json

import pytest

from gateway.egress.urls import resolve_reference, to_uri
from gateway.origins.allowlist import parse_origin
from tests.support.factories import API_KEY, PNG, Gateway, make_settings
from tests.support.servers import ScriptedServer, answer, envelope

PROVIDER_CALL = "/api/v1/gpt4o-image/download-url"
UNTOUCHED = [
    "/v/a%2cb.png",
    "/v/a%2Cb.png?sig=x%3d%3D",
    "/v/bad%zz%.png?x=%",
    "/v/[1].png?tags[]=1",
    "/v/a|b.png?x={1|2}",
    '/v/"<>`^.png?a="<>`^',
    "/v/~a%7e'b'.png",
    "/v//a///b.png?x=//",
    "/v/../a/./b.png",
    "/v/a.png?",
    "/v/a.png?x=1?y=2?&&b",
    "/v/a;b=1;.png;",
    "/v/a+b%20c.png?q=a+b",
    "/v/a:b@c.png",
]
ENCODED = {
    "/v/кот.png": "/v/%D0%BA%D0%BE%D1%82.png",
    "/v/café.png?q=é%c3%a9|[1]%zz": "/v/caf%C3%A9.png?q=%C3%A9%c3%a9|[1]%zz",
    "/v/a b.png": "/v/a%20b.png",
    "/v/a b%20c.png?q=a b+c": "/v/a%20b%20c.png?q=a%20b+c",
    "/v/猫\N{CAT FACE}.png": "/v/%E7%8C%AB%F0%9F%90%B1.png",
    "/v/a\N{NO-BREAK SPACE}b.png": "/v/a%C2%A0b.png",
}


def targets(origin: ScriptedServer) -> list[str]:
    return [request.target for request in origin.seen]


def served_at_any(origin: ScriptedServer, *targets: str) -> None:
    for target in targets:
        origin.serve(target.partition("?")[0], PNG)


def test_a_url_and_a_location_are_requested_exactly_as_given(gateway: Gateway, origin: ScriptedServer) -> None:
    for number, (given, sent) in enumerate([*zip(UNTOUCHED, UNTOUCHED, strict=True), *ENCODED.items()]):
        served_at_any(origin, sent)
        locations = [origin.url(given), given] if "/../" not in given else [origin.url(given)]
        for location in locations:
            origin.seen.clear()
            raw = location.encode().decode("latin-1")
            begin = origin.route(f"/begin-{number}", answer(302, b"", {"Location": raw}))
            assert gateway.get(f"{begin}?{locations.index(location)}").data == PNG, location
            assert targets(origin)[1:] == [sent]

        origin.seen.clear()
        response = Gateway(gateway.settings).get(origin.url(given))
        assert (response.status_code, response.data) == (200, PNG), given
        assert targets(origin) == [sent]


def test_a_location_that_is_no_utf8_is_percent_encoded_byte_for_byte(gateway: Gateway, origin: ScriptedServer) -> None:
    served_at_any(origin, "/v/caf%E9.png")
    origin.route("/begin", answer(302, b"", {"Location": "/v/café.png"}))

    assert gateway.get(origin.url("/begin")).data == PNG


def test_a_location_with_other_letters_is_checked_by_the_guard_again(gateway: Gateway, origin: ScriptedServer) -> None:
    origin.route("/begin", answer(302, b"", {"Location": "http://169.254.169.254/é b"}))

    response = gateway.get(origin.url("/begin"))

    assert (response.status_code, response.text.split(":")[0]) == (502, "502 origin_unsafe")


def test_a_direct_url_is_percent_encoded_and_the_provider_gets_the_signed_url_unchanged(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    for number, (given, sent) in enumerate(ENCODED.items()):
        served_at_any(origin, sent)
        provider.route(PROVIDER_CALL, envelope(data=origin.url(given)))
        published = origin.url(f"/published/кот b%2c-{number}.png")

        redirected = upstream_gateway.get(published, mode="redirect")
        streamed = upstream_gateway.get(published, mode="stream")

        assert provider.seen[-1].json["url"] == published
        assert (redirected.status_code, redirected.headers["Location"]) == (302, origin.url(sent))
        assert (streamed.status_code, streamed.data, targets(origin)[-1]) == (200, PNG, sent)


def test_white_space_around_the_providers_data_is_trimmed_and_data_that_is_no_url_is_its_failure(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    direct = origin.serve("/direct.png", PNG)
    for number, data in enumerate((f"{direct}\n", f" {direct} ", f"\r\n\t{direct}")):
        provider.route(PROVIDER_CALL, envelope(data=data))
        assert upstream_gateway.get(origin.url(f"/v/{number}.png")).data == PNG
    for data in ("https://cdn.example/a\nb", "https://cdn.example/\ud800", "\n", "кот", "/кот.png"):
        provider.route(PROVIDER_CALL, answer(200, json.dumps({"code": 200, "msg": "success", "data": data}).encode()))
        upstream_gateway.services.breaker.succeeded()
        provider.seen.clear()
        assert upstream_gateway.get(origin.url(f"/v/{ascii(data).encode().hex()}.png")).status_code == 502, data
        assert len(provider.seen) > 0


@pytest.mark.parametrize("url", ["{}/a b.png", "{}/a b.png?x= y", " {}/a%20b.png", "{}/a%20b.png ", "{}/a b.png "])
def test_a_signed_url_with_a_space_is_served_and_minted_alike(origin: ScriptedServer, url: str) -> None:
    origin.serve("/a%20b.png", PNG)
    gateway = Gateway(make_settings(origin.address, public_url="https://dl.example"))
    signed = url.format(origin.url(""))

    response = gateway.get(signed)
    minted = gateway.client.post(
        "/api/v1/links", json={"taskId": "t", "url": signed}, headers={"Authorization": f"Bearer {API_KEY}"}
    )

    assert (response.status_code, response.data) == (200, PNG)
    assert minted.status_code == 200, minted.text


def test_a_reference_is_resolved_without_being_respelled() -> None:
    for base, reference, resolved in (
        ("http://a/b/c/d;p?q", "g", "http://a/b/c/g"),
        ("http://a/b/c/d;p?q", "./g", "http://a/b/c/g"),
        ("http://a/b/c/d;p?q", "g/", "http://a/b/c/g/"),
        ("http://a/b/c/d;p?q", "/g", "http://a/g"),
        ("http://a/b/c/d;p?q", "//g", "http://g"),
        ("http://a/b/c/d;p?q", "?y", "http://a/b/c/d;p?y"),
        ("http://a/b/c/d;p?q", "g?y", "http://a/b/c/g?y"),
        ("http://a/b/c/d;p?q", "#s", "http://a/b/c/d;p?q#s"),
        ("http://a/b/c/d;p?q", "g#s", "http://a/b/c/g#s"),
        ("http://a/b/c/d;p?q", ";x", "http://a/b/c/;x"),
        ("http://a/b/c/d;p?q", "", "http://a/b/c/d;p?q"),
        ("http://a/b/c/d;p?q", ".", "http://a/b/c/"),
        ("http://a/b/c/d;p?q", "..", "http://a/b/"),
        ("http://a/b/c/d;p?q", "../g", "http://a/b/g"),
        ("http://a/b/c/d;p?q", "../../../g", "http://a/g"),
        ("http://a/b/c/d;p?q", "/./g", "http://a/g"),
        ("http://a/b/c/d;p?q", "/../g", "http://a/g"),
        ("http://a/b/c/d;p?q", "g.", "http://a/b/c/g."),
        ("http://a/b/c/d;p?q", "..g", "http://a/b/c/..g"),
        ("http://a/b/c/d;p?q", "./g/.", "http://a/b/c/g/"),
        ("http://a/b/c/d;p?q", "g;x=1/../y", "http://a/b/c/y"),
        ("http://a/b/c/d;p?q", "g?y/../x", "http://a/b/c/g?y/../x"),
        ("http://a/b/c/d;p?q", "https://g/../%2c", "https://g/../%2c"),
        ("http://a", "g", "http://a/g"),
        ("http://a?q", "g?", "http://a/g?"),
        ("http://a/b//c", "d//e;", "http://a/b//d//e;"),
    ):
        assert resolve_reference(base, reference) == resolved


def test_only_what_is_not_ascii_of_a_url_is_encoded() -> None:
    for url, uri in (
        ("https://пример.рф/кот", "https://xn--e1afmkfd.xn--p1ai/%D0%BA%D0%BE%D1%82"),
        ("https://ПРИМЕР.рф:8443?é", "https://xn--e1afmkfd.xn--p1ai:8443?%C3%A9"),
        ("HTTPS://CDN.Example:443/é", "HTTPS://CDN.Example:443/%C3%A9"),
        ("https://[2606:4700::1]/a b", "https://[2606:4700::1]/a%20b"),
        (" https://cdn.example ", "https://cdn.example"),
    ):
        assert to_uri(url) == uri
        assert parse_origin(url) == parse_origin(uri)


def test_a_space_in_the_host_is_no_url() -> None:
    for url in (
        "https://exam ple.com/",
        "https:// a.example/",
        "https://a.example :443/",
        "a b",
    ):
        with pytest.raises(ValueError, match=r"malformed host|cannot be read|must begin"):
            to_uri(url)
