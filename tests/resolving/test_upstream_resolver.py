"""The upstream resolver: which direct URLs of the provider are taken, how long they live, and that none is shown."""

import json
import traceback

import pytest

from gateway import errors
from gateway.provider.client import DOWNLOAD_URL
from gateway.resolving.upstream_resolver import DIRECT_URL_LIFE_S, expiry_of
from tests.support.factories import PNG, PROVIDER_KEY, Clock, Gateway
from tests.support.provider_harness import TASK, URL, ProviderHarness, reply
from tests.support.servers import ScriptedServer, answer, envelope

DIRECT = (
    "https://xxxxxx.xxxxxxxx.r2.cloudflarestorage.com/v/xxxxxxx.png?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Date=20250415T101007Z&X-Amz-SignedHeaders=host&X-Amz-Expires=1200"
    "&X-Amz-Credential=2464206aa3e576aa7c035d889be3a84e%2F20250415%2Fapac%2Fs3%2Faws4_request"
    "&X-Amz-Signature=122ae8bef09110e620841ab2ef8061c1818e754fc201408a9d1c6847b36fd3df"
)
SIGNATURE = DIRECT.rpartition("=")[2]
SIGNED_AT = 1744711807


@pytest.fixture
def harness(provider: ScriptedServer, clock: Clock) -> ProviderHarness:
    return ProviderHarness(provider, clock)


# --- direct URLs that are taken


def test_the_call_is_the_contracts(harness: ProviderHarness) -> None:
    harness.answer(envelope(data=DIRECT))

    harness.resolve()

    (request,) = harness.server.seen
    assert (request.method, request.target) == ("POST", "/api/v1/gpt4o-image/download-url")
    assert request.json == {"taskId": TASK, "url": URL}
    assert request.headers["authorization"] == f"Bearer {PROVIDER_KEY}"


def test_a_direct_url_is_taken_byte_for_byte(harness: ProviderHarness) -> None:
    for body in (
        {"code": 200, "msg": "success", "data": DIRECT},
        {"code": "200", "msg": "success", "data": DIRECT},
        {"code": 200.0, "msg": None, "data": DIRECT},
        {"code": 200, "data": DIRECT, "requestId": "x", "more": [1, {"a": None}]},
        {"code": 200, "msg": "success", "data": {"downloadUrl": DIRECT + "\n"}},
        {"code": 200, "data": f"\r\n {DIRECT}\t"},
        b"\xef\xbb\xbf" + json.dumps({"code": 200, "data": DIRECT}).encode(),
        b" \n" + json.dumps({"code": 200, "data": DIRECT}).encode() + b"\n",
    ):
        harness.answer(reply(body))

        source = harness.resolve()

        assert not source.redirect_blocker, body
        assert source.expires_at == SIGNED_AT + 1200, body
        assert source.direct_url("", "") == DIRECT, body


def test_the_image_is_fetched_from_the_direct_url(
    upstream_gateway: Gateway, origin: ScriptedServer, provider: ScriptedServer
) -> None:
    direct_url = origin.serve("/direct/cat.png", PNG)
    provider.route(DOWNLOAD_URL, envelope(data=direct_url + "?X-Amz-Signature=5ec7e7"))

    response = upstream_gateway.get(origin.url("/v/cat.png"))

    assert (response.status_code, response.data) == (200, PNG)
    assert [request.target for request in origin.seen] == ["/direct/cat.png?X-Amz-Signature=5ec7e7"]


# --- answers without a direct URL


GARBLED = [
    b"",
    b"<!doctype html><title>Just a moment...</title>",
    b"null",
    b"[]",
    b'["code", 200]',
    b'"success"',
    b"200",
    b"{}",
    b'{"code":200',
    b'{"code":200,"msg":"success"}',
    b'{"code":200,"msg":"success","data":null}',
    b'{"code":200,"msg":"success","data":""}',
    b'{"code":200,"msg":"success","data":5}',
    b'{"code":200,"msg":"success","data":true}',
    b'{"code":200,"msg":"success","data":[]}',
    b'{"code":200,"msg":"success","data":["https://bucket.example/x"]}',
    b'{"code":200,"msg":"success","data":{}}',
    b'{"code":200,"msg":"success","data":{"downloadUrl":null}}',
    b'{"code":200,"msg":"success","data":{"downloadUrl":{"downloadUrl":"https://bucket.example/x"}}}',
    b'{"code":200,"msg":"success","data":{"url":"https://bucket.example/x"}}',
    b'{"code":null,"data":"https://bucket.example/x"}',
    b'{"code":true,"data":"https://bucket.example/x"}',
    b'{"code":"OK","data":"https://bucket.example/x"}',
    b'{"code":"","data":"https://bucket.example/x"}',
    b'{"code":"-200","data":"https://bucket.example/x"}',
    b'{"code":" 200","data":"https://bucket.example/x"}',
    b'{"code":"\\u0662\\u0660\\u0660","data":"https://bucket.example/x"}',
    b'{"code":[200],"data":"https://bucket.example/x"}',
    b'{"code":NaN,"data":"https://bucket.example/x"}',
    b'{"code":Infinity,"data":"https://bucket.example/x"}',
    b'{"code":0,"data":"https://bucket.example/x"}',
    b'{"code":1,"data":"https://bucket.example/x"}',
    b'{"code":-1,"data":"https://bucket.example/x"}',
    b'{"code":201,"data":"https://bucket.example/x"}',
    b'{"code":302,"data":"https://bucket.example/x"}',
    b'{"code":400,"msg":"Bad Request"}',
    b'{"code":600,"msg":"?"}',
    b'{"code":' + b"2" * 400 + b"}",
    b'{"code":' + b"2" * 20_000 + b"}",
    b'{"code":200,"data":"https://bucket.example/\xff\xfe"}',
    b"\xff\xfe\xfd",
    b"\x00" * 100,
    b"[" * 60_000,
    b'{"code":' * 8_000,
    b"x" * 100_000,
    *(envelope(code, "record is null", DIRECT).partition(b"\r\n\r\n")[2] for code in (200.5, 401.25, 1e300)),
]


def test_a_success_without_a_direct_url_is_garbled_and_not_retried(harness: ProviderHarness) -> None:
    for body in GARBLED:
        assert type(harness.failure_of(reply(body))) is errors.ProviderGarbled, body[:60]
        assert harness.calls == 1, body[:60]


FORBIDDEN = [
    "http://bucket.example/x.png",
    "http://127.0.0.1/x.png",
    "https://127.0.0.1/x.png",
    "https://127.1/x.png",
    "https://2130706433/x.png",
    "https://10.0.0.1/x.png",
    "https://169.254.169.254/latest/meta-data/",
    "https://[::1]/x.png",
    "https://[::ffff:127.0.0.1]/x.png",
    "https://user:password@bucket.example/x.png",
    "https://bucket.example@127.0.0.1/x.png",
    "https://bucket.example:8443/x.png",
    "https://bucket.example:22/x.png",
    "ftp://bucket.example/x.png",
    "file:///etc/passwd",
    "data:image/png;base64,AAAA",
    "javascript:alert(1)",
    "//bucket.example/x.png",
    "/v/x.png",
    "x.png",
    "https:///x.png",
    "https://bucket.example/x.png\r\nSet-Cookie: a=b",
    "https://bucket.example\\@127.0.0.1/",
    "https://bucket.example/" + "x" * 9000,
    "null",
    "success",
]


def test_a_forbidden_direct_url_is_refused_and_not_shown(harness: ProviderHarness) -> None:
    for direct_url in FORBIDDEN:
        failure = harness.failure_of(envelope(data=direct_url))

        assert type(failure) is errors.DirectUrlRefused, direct_url
        assert harness.calls == 1, direct_url
        assert "example" not in str(failure) + failure.detail, direct_url


# --- expiry


def test_a_direct_url_without_an_expiry_lives_for_twenty_minutes(harness: ProviderHarness) -> None:
    harness.answer(envelope(data="https://bucket.example/x.png"))

    assert harness.resolve().expires_at == harness.clock.now + DIRECT_URL_LIFE_S == harness.clock.now + 1200


def test_the_expiry_is_that_of_a_well_formed_signature_or_none() -> None:
    known = {
        "X-Amz-Date=20250415T101007Z&X-Amz-Expires=1200": SIGNED_AT + 1200,
        "X-Amz-Expires=1&X-Amz-Date=19700101T000000Z": 1,
        "X-Amz-Date=20240229T235959Z&X-Amz-Expires=604800": 1709251199 + 604800,
        "X-Amz-Date=20250415T101007Z&X-Amz-Expires=0": SIGNED_AT,
        "X-Amz-Date=99991231T235959Z&X-Amz-Expires=999999": 253402300799 + 999999,
        "X-Amz-Date=00010101T000000Z&X-Amz-Expires=1": -62135596799,
        "X-Amz-Date=20250415T101007Z&X-Amz-Expires=1200&X-Amz-Expires=9": SIGNED_AT + 1200,
        "X%2DAmz-Date=20250415T101007%5A&X-Amz-Expires=%31": SIGNED_AT + 1,
    }
    dates = (
        *("", "20250415T101007", "2025-04-15T10:10:07Z", "20250415T101007ZZ", "20250230T101007Z", "20251301T101007Z"),
        *("20250415T251007Z", "20250415T101060Z", "20250229T101007Z", "00000000T000000Z"),
        "\u0662\u0660\u0662\u0665\u0660\u0664\u0661\u0665T101007Z",
    )
    lives = ("", "-5", "1e3", "+5", "\u0661\u0662", "9999999", "9" * 5000)
    malformed = [
        *("", "X-Amz-Date=20250415T101007Z", "X-Amz-Expires=1200", "x-amz-date=20250415T101007Z&x-amz-expires=1200"),
        *(f"X-Amz-Date={date}&X-Amz-Expires=1200" for date in dates),
        *(f"X-Amz-Date=20250415T101007Z&X-Amz-Expires={life}" for life in lives),
    ]
    table = known | dict.fromkeys(malformed)

    assert {query: expiry_of(f"https://bucket.example/x.png?{query}") for query in table} == table


# --- secrets


def test_no_error_shows_the_key_or_the_direct_url(harness: ProviderHarness) -> None:
    for answered in (
        envelope(200, data=DIRECT.replace("https:", "http:")),
        envelope(200, data=DIRECT.replace("https://", "https://user@")),
        envelope(200, data={"url": DIRECT}),
        envelope(422, DIRECT),
        envelope(401, PROVIDER_KEY),
        envelope(999, DIRECT, DIRECT),
        reply(f"<html>{DIRECT} {PROVIDER_KEY}".encode()),
        reply(f'{{"code":200,"data":"{DIRECT}'.encode()),
        reply((DIRECT + PROVIDER_KEY).encode(), 503),
        reply(b"x", 302, Location=DIRECT),
        b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + DIRECT.encode(),
        b"",
    ):
        failure = harness.failure_of(answered)

        shown = repr(failure) + failure.detail + "".join(traceback.format_exception(failure))
        assert PROVIDER_KEY not in shown
        assert SIGNATURE not in shown


def test_a_failing_origin_does_not_make_the_direct_url_known(
    upstream_gateway: Gateway,
    origin: ScriptedServer,
    provider: ScriptedServer,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.delivery.opening.PAUSES_S", (0.0, 0.0))
    for status in (302, 400, 403, 404, 416, 500, 503):
        path = f"/direct/{status}"
        direct_url = origin.route(path, answer(status, b"secret is 5ec7e7", {"Location": f"{path}?sig=5ec7e7"}))
        provider.route(DOWNLOAD_URL, envelope(data=f"{direct_url}?X-Amz-Signature=5ec7e7"))

        response = upstream_gateway.get(origin.url(f"/v/{status}"))

        assert response.status_code >= 400
        assert "5ec7e7" not in response.text + str(response.headers) + "".join(capfd.readouterr())
