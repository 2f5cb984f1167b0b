"""The request id, and the log line of every request, which holds nothing secret."""

import json
import re
from contextlib import suppress
from typing import Any

import pytest
from gevent import GreenletExit
from werkzeug.test import TestResponse

from tests.support.downloads import PROVIDER_CALL
from tests.support.factories import API_KEY, PNG, PROVIDER_KEY, SECRET, Gateway
from tests.support.real_logs import lines, real_logs
from tests.support.servers import ScriptedServer, answer, envelope

HEX = re.compile(r"[0-9a-f]{16}")


def take(gateway: Gateway, link: str, method: str = "GET", **headers: str) -> TestResponse:
    """Follow a link and read the body to its end, or to where it is cut."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = gateway.client.open(link, method=method, headers=named)
    with suppress(ConnectionResetError):
        _ = response.data
    response.close()
    return response


def logged(gateway: Gateway, link: str, method: str = "GET", **headers: str) -> dict[str, Any]:
    """The one log line of a request."""
    with real_logs() as written:
        take(gateway, link, method, **headers)
    [line] = lines(written)
    return line


# --- the request id


def test_a_valid_request_id_of_the_proxy_is_used_and_any_other_is_replaced(gateway: Gateway) -> None:
    for valid in ("1", "abc-123_x.Y", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "x" * 64):
        assert gateway.client.get("/", headers={"X-Request-Id": valid}).headers["X-Request-Id"] == valid
    invalid = ("", "x" * 65, "two words", "<script>", '{"a":1}', "a;b", "\xe9")
    ids = [gateway.client.get("/", headers={"X-Request-Id": each}).headers["X-Request-Id"] for each in invalid]
    ids.append(gateway.client.get("/").headers["X-Request-Id"])
    assert all(map(HEX.fullmatch, ids))
    assert len({*ids}) == len(ids)


def test_every_response_has_the_request_id(gateway: Gateway) -> None:
    for path in ("/", "/nothing", "/download/task1", "/download/task1?x=1", "/healthz", "/readyz"):
        assert gateway.client.get(path, headers={"X-Request-Id": "1"}).headers["X-Request-Id"] == "1", path


# --- one line per request


def test_a_download_is_one_line_with_its_outcome(gateway: Gateway, origin: ScriptedServer) -> None:
    line = logged(gateway, gateway.link(origin.serve("/v/cat.png", PNG), link_id="link1"), X_Request_Id="request-1")

    assert line.pop("ms") >= 0
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request",
        "level": "info",
        "logger": "gateway.access",
        "method": "GET",
        "path": "/download/task12345",
        "status": 200,
        "delivery": "stream",
        "reason": "no-attachment",
        "outcome": "completed",
        "sent": len(PNG),
        "heals": 0,
        "task": "task12345",
        "link": "link1",
        "request_id": "request-1",
    }


def test_the_line_is_written_when_the_download_ends(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.serve("/v/cat.png", PNG))

    with real_logs() as written:
        response = gateway.client.get(link)
        before = written.getvalue()
        _ = response.data
        response.close()

    assert before == ""
    assert len(lines(written)) == 1


def test_every_request_is_one_line_without_its_query_and_health_checks_are_none(gateway: Gateway) -> None:
    for path, status, outcome in [
        ("/", 200, "answered"),
        ("/download/task1", 200, "answered"),
        ("/nothing", 404, "not_found"),
        ("/download/task1?url=x", 403, "link_invalid"),
        ("/static/page.css", 200, "answered"),
        ("/static/none.css", 404, "not_found"),
        ("/api/v1/download-urls", 404, "not_found"),
    ]:
        line = logged(gateway, path)
        assert (line["path"], line["status"], line["outcome"]) == (path.partition("?")[0], status, outcome)

    with real_logs() as written:
        for path in ("/healthz", "/readyz", "/metrics"):
            take(gateway, path)
    assert written.getvalue() == ""


def test_the_line_has_the_outcome_and_the_bytes_of_each_kind_of_download(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    link = gateway.link(origin.serve("/v/cat.png", PNG, ETag='"v1"'))
    tag = gateway.client.head(link).headers["ETag"]
    cut = gateway.link(origin.route("/v/cut.png", answer(200, PNG, {"Content-Length": "99999"})))

    for url, method, headers, expected in [
        (link, "GET", {"Range": "bytes=5-9"}, (206, "completed", 5)),
        (link, "GET", {"If-None-Match": tag}, (304, "not_modified", 0)),
        (link, "HEAD", {}, (200, "looked", 0)),
        (link, "GET", {"Range": "bytes=99999-"}, (416, "range_not_satisfiable", None)),
        (link, "GET", {"Sec-Purpose": "prefetch"}, (503, "prefetch_refused", None)),
        (cut, "GET", {}, (200, "origin_failed", len(PNG))),
    ]:
        line = logged(gateway, url, method, **headers)
        assert (line["method"], line["status"], line["outcome"], line.get("sent")) == (method, *expected)

    redirect = logged(gateway, gateway.link(origin.url("/v/cat.png"), mode="redirect"))
    assert (redirect["status"], redirect["delivery"], redirect["outcome"]) == (302, "redirect", "redirected")
    assert redirect["reason"] == "mode"


@pytest.mark.parametrize(
    ("raised", "outcome"),
    [
        (None, "left"),
        (BrokenPipeError, "left"),
        (ConnectionResetError, "left"),
        (TimeoutError, "cut"),
        (GreenletExit, "stopped"),
    ],
)
def test_the_outcome_says_who_ended_an_incomplete_download(
    gateway: Gateway, origin: ScriptedServer, raised: type[BaseException] | None, outcome: str
) -> None:
    response = gateway.client.get(gateway.link(origin.serve("/v/cat.png", PNG * 10)))

    with real_logs() as written, suppress(raised or GeneratorExit):
        try:
            if raised:
                raise raised  # as the server does when it writes to the client
        finally:
            response.close()

    [line] = lines(written)
    assert line["outcome"] == outcome
    assert line["sent"] < len(PNG * 10)


# --- nothing secret in the log

SIGNATURE = "5a0b15c0ffee5a0b15c0ffee"


def secrets_in(text: str, link: str) -> list[str]:
    """What of a link, of the settings and of a direct URL is in a text."""
    return [each for each in (SIGNATURE, link.partition("sig=")[2], SECRET, API_KEY, PROVIDER_KEY) if each in text]


def direct_urls(origin: ScriptedServer) -> dict[str, str]:
    """Direct URLs, by how a download of them ends."""
    moved = {"Location": f"http://10.0.0.1/direct?X-Amz-Signature={SIGNATURE}"}
    return {
        "stream": origin.serve("/direct-stream.png", PNG),
        "redirect": origin.serve("/direct-redirect.png", PNG, Content_Disposition="attachment"),
        "missing": origin.url("/direct-missing.png"),
        "refused": origin.route("/direct-refused.png", answer(403, SIGNATURE.encode())),
        "cut": origin.route("/direct-cut.png", answer(200, PNG, {"Content-Length": "99999"})),
        "no response": origin.route("/direct-no-answer.png", b""),
        "not HTTP": origin.route("/direct-no-http.png", f"SSH-2.0-{SIGNATURE}\r\n".encode()),
        "unreachable": "http://127.0.0.1:9/direct-elsewhere.png",
        "moved": origin.route("/direct-moved.png", answer(302, b"", moved)),
        "too large": origin.route("/direct-large.png", answer(200, PNG, {"Content-Length": "9999999999999"})),
        "no URL": f"direct url {SIGNATURE}",
    }


def test_no_signature_key_or_direct_url_is_ever_logged(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    for number, (ending, direct_url) in enumerate(direct_urls(origin).items()):
        provider.route(PROVIDER_CALL, envelope(data=f"{direct_url}?X-Amz-Signature={SIGNATURE}"))
        filename = "a.png" if ending == "stream" else None
        link = upstream_gateway.link(origin.url(f"/published-{number}.png"), filename=filename)

        with real_logs() as written:
            for headers in ({}, {"Range": "bytes=5-9"}, {"Accept": "text/html"}):
                take(upstream_gateway, link, Referer=link, Authorization=f"Bearer {API_KEY}", **headers)
            take(upstream_gateway, link, "HEAD")

        assert len([line for line in lines(written) if line["event"] == "request"]) == 4
        assert secrets_in(written.getvalue(), link) == [], ending
        assert not [url for url in ("direct-", "published") if url in written.getvalue()], ending


def test_no_text_of_the_provider_is_logged_or_shown(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    for number, response in enumerate(
        [
            envelope(code=422, msg=SIGNATURE),
            envelope(code=999, msg=SIGNATURE),
            envelope(data={"url": SIGNATURE}),
            envelope(code=401, msg=f"You do not have {PROVIDER_KEY}"),
            envelope(code=500, msg=SIGNATURE),
            answer(200, f"<html>{SIGNATURE}".encode()),
            answer(302, b"", {"Location": f"https://x.example/?{SIGNATURE}"}),
            f"SSH-2.0-{SIGNATURE}\r\n".encode(),
        ]
    ):
        upstream_gateway.services.breaker.succeeded()
        provider.route(PROVIDER_CALL, response)
        provider.seen.clear()
        link = upstream_gateway.link(origin.url(f"/published-{number}.png"))

        with real_logs() as written:
            shown = take(upstream_gateway, link)

        assert provider.seen, response
        assert shown.status_code >= 400
        assert secrets_in(written.getvalue() + shown.text + str(shown.headers), link) == [], response


def test_refused_links_and_api_keys_are_not_logged(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.url("/v/cat.png"))
    body = json.dumps({"taskId": "task1", "url": origin.url("/v/cat.png")})

    with real_logs() as written:
        shown = [take(gateway, link + change) for change in ("&sig=topsecret", "x", "&mode=stream", "&id=topsecret")]
        for key in (API_KEY, "topsecret"):
            gateway.client.post("/api/v1/links", data=body, headers={"Authorization": f"Bearer {key}"}).close()

    assert [response.status_code for response in shown] == [403] * 4
    assert len(lines(written)) == 6
    text = written.getvalue() + "".join(response.text for response in shown)
    assert secrets_in(text, link) == []
    assert not [secret for secret in ("topsecret", "sig=", "cat.png") if secret in written.getvalue()]
    assert not [secret for secret in ("topsecret", "cat.png") if secret in text]
