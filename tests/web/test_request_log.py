"""Every request has an ID and one line in the log, which contains no secret."""

import json
import re
from contextlib import suppress

import pytest
from gevent import GreenletExit
from werkzeug.test import TestResponse

from tests.support.factories import API_KEY, PNG, PROVIDER_KEY, SECRET, Gateway
from tests.support.real_logs import lines, real_logs
from tests.support.servers import ScriptedServer, answer, envelope

PROVIDER_CALL = "/api/v1/gpt4o-image/download-url"
HEX = re.compile(r"[0-9a-f]{16}")


def follow(gateway: Gateway, link: str, method: str = "GET", **headers: str) -> TestResponse:
    """Request a link, and read the response to its end."""
    dashed = {name.replace("_", "-"): value for name, value in headers.items()}
    response = gateway.client.open(link, method=method, headers=dashed)
    with suppress(ConnectionResetError):
        _ = response.data
    response.close()
    return response


# --- X-Request-Id


@pytest.mark.parametrize("request_id", ["1", "abc-123_x.Y", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "x" * 64])
def test_a_valid_request_id_is_kept(gateway: Gateway, request_id: str) -> None:
    response = gateway.client.get("/", headers={"X-Request-Id": request_id})

    assert response.headers["X-Request-Id"] == request_id


@pytest.mark.parametrize(
    "request_id",
    [
        pytest.param("", id="empty"),
        pytest.param("x" * 65, id="too-long"),
        pytest.param("two words", id="blank"),
        pytest.param("<script>", id="markup"),
        pytest.param('{"a":1}', id="json"),
        pytest.param("a;b", id="semicolon"),
        pytest.param("\xe9", id="not-ascii"),
    ],
)
def test_an_invalid_request_id_is_replaced(gateway: Gateway, request_id: str) -> None:
    response = gateway.client.get("/", headers={"X-Request-Id": request_id})

    assert HEX.fullmatch(response.headers["X-Request-Id"])


def test_every_request_has_its_own_id(gateway: Gateway) -> None:
    ids = {gateway.client.get("/").headers["X-Request-Id"] for _ in range(20)}

    assert len(ids) == 20


@pytest.mark.parametrize("path", ["/", "/nothing", "/download/task1", "/download/task1?x=1", "/healthz", "/readyz"])
def test_every_response_has_the_request_id(gateway: Gateway, path: str) -> None:
    assert gateway.client.get(path, headers={"X-Request-Id": "1"}).headers["X-Request-Id"] == "1"


# --- one line for each request


def test_a_download_is_logged_as_one_line_with_its_outcome(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.serve("/v/cat.png", PNG), link_id="link1")

    with real_logs() as written:
        follow(gateway, link, X_Request_Id="request-1")

    [line] = lines(written)
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


def test_the_line_is_written_only_when_the_download_has_ended(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.serve("/v/cat.png", PNG))

    with real_logs() as written:
        response = gateway.client.get(link)
        before = written.getvalue()
        _ = response.data
        response.close()

    assert before == ""
    assert len(lines(written)) == 1


@pytest.mark.parametrize(
    ("path", "status", "outcome"),
    [
        ("/", 200, "answered"),
        ("/download/task1", 200, "answered"),
        ("/nothing", 404, "not_found"),
        ("/download/task1?url=x", 403, "link_invalid"),
        ("/static/page.css", 200, "answered"),
        ("/static/none.css", 404, "not_found"),
        ("/api/v1/links", 405, "method_not_allowed"),
    ],
)
def test_every_request_is_one_line_without_its_query(gateway: Gateway, path: str, status: int, outcome: str) -> None:
    with real_logs() as written:
        follow(gateway, path)

    [line] = lines(written)
    assert (line["path"], line["status"], line["outcome"]) == (path.partition("?")[0], status, outcome)


def test_health_checks_are_not_logged(gateway: Gateway) -> None:
    with real_logs() as written:
        follow(gateway, "/healthz")
        follow(gateway, "/readyz")
        follow(gateway, "/metrics")

    assert written.getvalue() == ""


@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [
        pytest.param("GET", {"Range": "bytes=5-9"}, (206, "completed", 5), id="part"),
        pytest.param("GET", {"If-None-Match": "{tag}"}, (304, "not_modified", 0), id="not-modified"),
        pytest.param("HEAD", {}, (200, "looked", 0), id="head"),
        pytest.param("GET", {"Range": "bytes=99999-"}, (416, "range_not_satisfiable", None), id="beyond-the-end"),
        pytest.param("GET", {"Sec-Purpose": "prefetch"}, (503, "prefetch_refused", None), id="prefetch"),
    ],
)
def test_the_line_has_the_outcome_of_the_request(
    gateway: Gateway,
    origin: ScriptedServer,
    method: str,
    headers: dict[str, str],
    expected: tuple[int, str, int | None],
) -> None:
    link = gateway.link(origin.serve("/v/cat.png", PNG, ETag='"v1"'))
    tag = gateway.client.head(link).headers["ETag"]

    with real_logs() as written:
        follow(gateway, link, method, **{name: value.format(tag=tag) for name, value in headers.items()})

    [line] = lines(written)
    assert line["method"] == method
    assert (line["status"], line["outcome"], line.get("sent")) == expected


def test_a_client_that_disconnects_is_logged_as_left(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.serve("/v/cat.png", PNG * 10))

    with real_logs() as written:
        gateway.client.get(link).close()

    [line] = lines(written)
    assert line["outcome"] == "left"
    assert line["sent"] < len(PNG * 10)


@pytest.mark.parametrize(
    ("raised", "outcome"),
    [(BrokenPipeError, "left"), (ConnectionResetError, "left"), (TimeoutError, "cut"), (GreenletExit, "stopped")],
)
def test_the_line_distinguishes_clients_that_left_from_those_that_were_cut_off(
    gateway: Gateway, origin: ScriptedServer, raised: type[BaseException], outcome: str
) -> None:
    response = gateway.client.get(gateway.link(origin.serve("/v/cat.png", PNG * 10)))

    with real_logs() as written, suppress(raised):
        try:
            raise raised  # as the server does when it writes to the visitor
        finally:
            response.close()

    [line] = lines(written)
    assert line["outcome"] == outcome


def test_a_transfer_that_the_origin_aborts_is_logged_with_the_reason(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.route("/v/cat.png", answer(200, PNG, {"Content-Length": "99999"})))

    with real_logs() as written:
        follow(gateway, link)

    [line] = lines(written)
    assert (line["status"], line["outcome"], line["sent"]) == (200, "origin_failed", len(PNG))


def test_a_redirect_is_logged_as_one(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.url("/v/cat.png"), mode="redirect")

    with real_logs() as written:
        follow(gateway, link)

    [line] = lines(written)
    assert (line["status"], line["delivery"], line["outcome"]) == (302, "redirect", "redirected")
    assert line["reason"] == "mode"


# --- no secrets in the log

SIGNATURE = "5a0b15c0ffee5a0b15c0ffee"


def scene(name: str, provider: ScriptedServer, origin: ScriptedServer) -> None:
    """Have the provider return a direct URL that ends the download in the named way."""
    scenes = {
        "stream": origin.serve("/direct-stream.png", PNG),
        "redirect": origin.serve("/direct-redirect.png", PNG, Content_Disposition="attachment"),
        "missing": origin.url("/direct-missing.png"),
        "refused": origin.route("/direct-refused.png", answer(403, SIGNATURE.encode())),
        "cut": origin.route("/direct-cut.png", answer(200, PNG, {"Content-Length": "99999"})),
        "no-answer": origin.route("/direct-no-answer.png", b""),
        "no-http": origin.route("/direct-no-http.png", f"SSH-2.0-{SIGNATURE}\r\n".encode()),
        "elsewhere": "http://127.0.0.1:9/direct-elsewhere.png",
        "moved": origin.route(
            "/direct-moved.png", answer(302, b"", {"Location": f"http://10.0.0.1/direct?X-Amz-Signature={SIGNATURE}"})
        ),
        "too-large": origin.route("/direct-large.png", answer(200, PNG, {"Content-Length": "9999999999999"})),
        "no-url": f"direct url {SIGNATURE}",
    }
    provider.route(PROVIDER_CALL, envelope(data=f"{scenes[name]}?X-Amz-Signature={SIGNATURE}"))


SCENES = ["stream", "redirect", "missing", "refused", "cut", "no-answer", "no-http", "elsewhere", "moved", "too-large"]


@pytest.mark.parametrize("name", [*SCENES, "no-url"])
def test_no_signature_key_or_direct_url_is_ever_logged(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, name: str
) -> None:
    scene(name, provider, origin)
    link = upstream_gateway.link(origin.url("/published.png"), filename="a.png" if name == "stream" else None)

    with real_logs() as written:
        for headers in ({}, {"Range": "bytes=5-9"}, {"Accept": "text/html"}):
            follow(upstream_gateway, link, Referer=link, Authorization=f"Bearer {API_KEY}", **headers)
        follow(upstream_gateway, link, "HEAD")

    assert len([line for line in lines(written) if line["event"] == "request"]) == 4
    for secret in (SIGNATURE, link.partition("sig=")[2], SECRET, API_KEY, PROVIDER_KEY, "direct-", "published"):
        assert secret not in written.getvalue()


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(envelope(code=401, msg=f"You do not have {PROVIDER_KEY}"), id="unauthorised"),
        pytest.param(envelope(code=500, msg=SIGNATURE), id="failed"),
        pytest.param(envelope(code=422, msg=SIGNATURE), id="unknown-message"),
        pytest.param(envelope(code=999, msg=SIGNATURE), id="unknown-code"),
        pytest.param(envelope(data={"url": SIGNATURE}), id="no-url"),
        pytest.param(answer(200, f"<html>{SIGNATURE}".encode()), id="a-page"),
        pytest.param(answer(302, b"", {"Location": f"https://x.example/?{SIGNATURE}"}), id="a-redirect"),
        pytest.param(f"SSH-2.0-{SIGNATURE}\r\n".encode(), id="no-http"),
    ],
)
def test_nothing_of_a_provider_response_is_logged_or_shown(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, reply: bytes
) -> None:
    provider.route(PROVIDER_CALL, reply)
    link = upstream_gateway.link(origin.url("/published.png"))

    with real_logs() as written:
        response = follow(upstream_gateway, link)

    assert response.status_code >= 400
    for secret in (SIGNATURE, link.partition("sig=")[2], SECRET, PROVIDER_KEY):
        assert secret not in written.getvalue() + response.text + str(response.headers)


@pytest.mark.parametrize("change", ["&sig=topsecret", "x", "&mode=stream", "&filename=topsecret"])
def test_a_refused_link_is_not_logged(gateway: Gateway, origin: ScriptedServer, change: str) -> None:
    link = gateway.link(origin.url("/v/cat.png"))

    with real_logs() as written:
        response = follow(gateway, link + change)

    assert response.status_code == 403
    for secret in ("topsecret", link.partition("sig=")[2], "cat.png"):
        assert secret not in written.getvalue() + response.text


def test_a_key_sent_to_the_api_is_not_logged(gateway: Gateway, origin: ScriptedServer) -> None:
    body = json.dumps({"taskId": "task1", "url": origin.url("/v/cat.png")})

    with real_logs() as written:
        for key in (API_KEY, "topsecret"):
            gateway.client.post("/api/v1/links", data=body, headers={"Authorization": f"Bearer {key}"}).close()

    assert len(lines(written)) == 2
    for secret in (API_KEY, "topsecret", "sig=", "cat.png"):
        assert secret not in written.getvalue()
