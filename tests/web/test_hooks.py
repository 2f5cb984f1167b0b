"""Around every request: an id, one line in the log, the proxies in front, and whether the gateway is there at all."""

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from gevent import GreenletExit
from werkzeug.test import TestResponse

from gateway.provider.circuit_breaker import FAILURES_IN_A_ROW
from gateway.settings import RELATIVE_LINKS
from tests.support.factories import API_KEY, PNG, PROVIDER_KEY, SECRET, Gateway, make_settings
from tests.support.real_logs import lines, real_logs
from tests.support.servers import ScriptedServer, answer, envelope

PROVIDER_CALL = "/api/v1/gpt4o-image/download-url"
HEX = re.compile(r"[0-9a-f]{16}")
ALICE, BOB, CAROL = "198.51.100.1", "198.51.100.2", "198.51.100.3"
PROXY, OUTER_PROXY = "10.0.0.1", "203.0.113.9"


def take(gateway: Gateway, link: str, method: str = "GET", **headers: str) -> TestResponse:
    """Follow a link and take what comes to its end, or to where it is cut."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = gateway.client.open(link, method=method, headers=named)
    with suppress(ConnectionResetError):
        _ = response.data
    response.close()
    return response


# --- the request's id


@pytest.mark.parametrize("given", ["1", "abc-123_x.Y", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "x" * 64])
def test_an_id_that_the_proxy_gave_is_kept(gateway: Gateway, given: str) -> None:
    response = gateway.client.get("/", headers={"X-Request-Id": given})

    assert response.headers["X-Request-Id"] == given


@pytest.mark.parametrize(
    "given",
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
def test_an_id_that_is_none_is_replaced(gateway: Gateway, given: str) -> None:
    response = gateway.client.get("/", headers={"X-Request-Id": given})

    assert HEX.fullmatch(response.headers["X-Request-Id"])


def test_every_request_has_an_id_of_its_own(gateway: Gateway) -> None:
    ids = {gateway.client.get("/").headers["X-Request-Id"] for _ in range(20)}

    assert len(ids) == 20


@pytest.mark.parametrize("path", ["/", "/nothing", "/download/task1", "/download/task1?x=1", "/healthz", "/readyz"])
def test_every_answer_tells_its_id(gateway: Gateway, path: str) -> None:
    assert gateway.client.get(path, headers={"X-Request-Id": "1"}).headers["X-Request-Id"] == "1"


# --- one line for each request


def test_a_download_is_one_line_that_says_how_it_went(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.serve("/v/cat.png", PNG), link_id="link1")

    with real_logs() as written:
        take(gateway, link, X_Request_Id="request-1")

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


def test_the_line_is_written_when_the_download_is_over_and_not_before(gateway: Gateway, origin: ScriptedServer) -> None:
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
def test_every_request_is_one_line(gateway: Gateway, path: str, status: int, outcome: str) -> None:
    with real_logs() as written:
        take(gateway, path)

    [line] = lines(written)
    assert (line["path"], line["status"], line["outcome"]) == (path.partition("?")[0], status, outcome)


def test_health_checks_leave_no_line(gateway: Gateway) -> None:
    with real_logs() as written:
        take(gateway, "/healthz")
        take(gateway, "/readyz")
        take(gateway, "/metrics")

    assert written.getvalue() == ""


@pytest.mark.parametrize(
    ("method", "headers", "told"),
    [
        pytest.param("GET", {"Range": "bytes=5-9"}, (206, "completed", 5), id="part"),
        pytest.param("GET", {"If-None-Match": "{tag}"}, (304, "not_modified", 0), id="not-modified"),
        pytest.param("HEAD", {}, (200, "looked", 0), id="head"),
        pytest.param("GET", {"Range": "bytes=99999-"}, (416, "range_not_satisfiable", None), id="beyond-the-end"),
        pytest.param("GET", {"Sec-Purpose": "prefetch"}, (503, "prefetch_refused", None), id="prefetch"),
    ],
)
def test_the_line_says_what_became_of_the_request(
    gateway: Gateway,
    origin: ScriptedServer,
    method: str,
    headers: dict[str, str],
    told: tuple[int, str, int | None],
) -> None:
    link = gateway.link(origin.serve("/v/cat.png", PNG, ETag='"v1"'))
    tag = gateway.client.head(link).headers["ETag"]

    with real_logs() as written:
        take(gateway, link, method, **{name: value.format(tag=tag) for name, value in headers.items()})

    [line] = lines(written)
    assert line["method"] == method
    assert (line["status"], line["outcome"], line.get("sent")) == told


def test_a_visitor_who_leaves_is_told_from_one_who_stays(gateway: Gateway, origin: ScriptedServer) -> None:
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
def test_a_visitor_who_left_is_told_from_one_who_was_cut(
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


def test_a_transfer_that_the_origin_cut_is_told_with_the_reason(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.route("/v/cat.png", answer(200, PNG, {"Content-Length": "99999"})))

    with real_logs() as written:
        take(gateway, link)

    [line] = lines(written)
    assert (line["status"], line["outcome"], line["sent"]) == (200, "origin_failed", len(PNG))


def test_a_redirect_is_told_as_one(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.url("/v/cat.png"), mode="redirect")

    with real_logs() as written:
        take(gateway, link)

    [line] = lines(written)
    assert (line["status"], line["delivery"], line["outcome"]) == (302, "redirect", "redirected")
    assert line["reason"] == "mode"


# --- nothing secret in the log

SIGNATURE = "5a0b15c0ffee5a0b15c0ffee"


def scene(name: str, provider: ScriptedServer, origin: ScriptedServer) -> None:
    """Have a download end in one way or another."""
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
            take(upstream_gateway, link, Referer=link, Authorization=f"Bearer {API_KEY}", **headers)
        take(upstream_gateway, link, "HEAD")

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
def test_nothing_that_the_provider_says_is_logged_or_shown(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, reply: bytes
) -> None:
    provider.route(PROVIDER_CALL, reply)
    link = upstream_gateway.link(origin.url("/published.png"))

    with real_logs() as written:
        response = take(upstream_gateway, link)

    assert response.status_code >= 400
    for secret in (SIGNATURE, link.partition("sig=")[2], SECRET, PROVIDER_KEY):
        assert secret not in written.getvalue() + response.text + str(response.headers)


@pytest.mark.parametrize("change", ["&sig=topsecret", "x", "&mode=stream", "&filename=topsecret"])
def test_a_refused_link_is_not_logged(gateway: Gateway, origin: ScriptedServer, change: str) -> None:
    link = gateway.link(origin.url("/v/cat.png"))

    with real_logs() as written:
        response = take(gateway, link + change)

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


# --- below a path

PREFIXED = "https://example.com/gate"


@pytest.fixture
def prefixed(origin: ScriptedServer) -> Gateway:
    """A gateway that visitors reach below a path."""
    return Gateway(make_settings(origin.address, public_url=PREFIXED))


@pytest.mark.parametrize("prefix", ["/gate", ""], ids=["not-stripped-by-the-proxy", "stripped-by-the-proxy"])
def test_a_link_works_below_the_path_whether_the_proxy_strips_it_or_not(
    prefixed: Gateway, origin: ScriptedServer, prefix: str
) -> None:
    link = prefixed.link(origin.serve("/v/cat.png", PNG))

    response = prefixed.client.get(link.replace(PREFIXED, prefix))

    assert link.startswith(f"{PREFIXED}/download/task12345/cat.png?")
    assert (response.status_code, response.data) == (200, PNG)


@pytest.mark.parametrize("path", ["/gate", "/gate/", "/", "/gate/nothing", "/nothing", "/gate/download/x"])
def test_every_page_loads_and_names_what_lies_below_the_path(prefixed: Gateway, path: str) -> None:
    page = prefixed.client.get(path, headers={"Accept": "text/html"}).text

    addresses = re.findall(r'(?:href|src)="([^"]*)"', page)
    assert any(re.fullmatch(r"/gate/static/[0-9a-f]+/page\.css", address) for address in addresses)
    assert all(address.startswith("/gate/") for address in addresses if address)


@pytest.mark.parametrize("path", ["/gate/static/page.css", "/static/page.css", "/gate/healthz", "/healthz", "/readyz"])
def test_what_lies_below_the_path_answers_with_it_and_without(prefixed: Gateway, path: str) -> None:
    with prefixed.client.get(path) as response:
        assert response.status_code == 200


@pytest.mark.parametrize("path", ["/gateway", "/gatehealthz", "/gate/gate/healthz", "/x/gate/healthz"])
def test_only_the_whole_path_is_taken_off(prefixed: Gateway, path: str) -> None:
    assert prefixed.client.get(path).status_code == 404


def test_links_that_the_api_mints_have_the_path(prefixed: Gateway, origin: ScriptedServer) -> None:
    order = {"taskId": "task1", "url": origin.serve("/v/cat.png", PNG)}

    minted = prefixed.client.post("/gate/api/v1/links", json=order, headers={"Authorization": f"Bearer {API_KEY}"})

    assert minted.json is not None
    link = minted.json["data"]["link"]
    assert link.startswith(f"{PREFIXED}/download/task1/cat.png?")
    assert prefixed.client.get(link).data == PNG


def test_the_help_page_shows_a_link_below_the_path(prefixed: Gateway) -> None:
    assert f"{PREFIXED}/download/task1/x.png?url=" in prefixed.client.get("/gate/download/task1").text


@pytest.mark.parametrize("trusted_proxies", ["0", "1"])
def test_no_page_or_link_is_named_after_what_the_request_says(origin: ScriptedServer, trusted_proxies: str) -> None:
    gateway = Gateway(make_settings(origin.address, trusted_proxies=trusted_proxies))
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil"}
    order = {"taskId": "task1", "url": origin.url("/v/cat.png")}

    shown = [gateway.client.get(path, headers=headers).text for path in ("/", "/download/task1", "/nothing")]
    minted = gateway.client.post("/api/v1/links", json=order, headers=headers | {"Authorization": f"Bearer {API_KEY}"})

    assert minted.status_code == 200
    assert "evil" not in "".join([*shown, minted.text])


# --- proxies in front


def one_a_minute(origin: ScriptedServer, trusted_proxies: int) -> Gateway:
    """A gateway where a visitor may begin one download in a minute, behind so many proxies."""
    return Gateway(make_settings(origin.address, downloads_per_minute="1", trusted_proxies=str(trusted_proxies)))


def from_visitors(gateway: Gateway, origin: ScriptedServer, *forwarded: str) -> list[int]:
    """The statuses of one download each, asked for by a proxy that sends these ``X-Forwarded-For``."""
    return [
        gateway.client.get(
            gateway.link(origin.serve(f"/v/{number}.png", PNG)),
            headers={"X-Forwarded-For": value} if value else {},
            environ_overrides={"REMOTE_ADDR": PROXY},
        ).status_code
        for number, value in enumerate(forwarded)
    ]


def test_without_a_trusted_proxy_nobody_can_pass_for_somebody_else(origin: ScriptedServer) -> None:
    gateway = one_a_minute(origin, 0)

    assert from_visitors(gateway, origin, ALICE, BOB, "") == [200, 429, 429]


def test_behind_one_proxy_the_last_address_is_the_visitor(origin: ScriptedServer) -> None:
    gateway = one_a_minute(origin, 1)

    assert from_visitors(gateway, origin, ALICE, BOB, f"{CAROL}, {ALICE}", f"{ALICE}, {CAROL}") == [200, 200, 429, 200]


def test_behind_two_proxies_the_last_but_one_is_the_visitor(origin: ScriptedServer) -> None:
    gateway = one_a_minute(origin, 2)
    first, other, forged = f"{ALICE}, {OUTER_PROXY}", f"{BOB}, {OUTER_PROXY}", f"{CAROL}, {ALICE}, {OUTER_PROXY}"

    assert from_visitors(gateway, origin, first, other, forged) == [200, 200, 429]


@pytest.mark.parametrize("forwarded", ["", "unknown", "<script>", ALICE])
def test_a_visitor_that_the_proxies_do_not_name_is_served_all_the_same(origin: ScriptedServer, forwarded: str) -> None:
    assert from_visitors(one_a_minute(origin, 2), origin, forwarded) == [200]


def test_a_proxy_that_nobody_told_of_is_warned_of_once(gateway: Gateway) -> None:
    with real_logs() as written:
        for _ in range(3):
            take(gateway, "/", X_Forwarded_For=ALICE)

    [warning] = [line for line in lines(written) if line["level"] == "warning"]
    assert warning["event"] == "untrusted_proxy"
    assert "GATEWAY_TRUSTED_PROXIES" in warning["remedy"]


def test_a_proxy_that_is_trusted_is_not_warned_of(origin: ScriptedServer) -> None:
    with real_logs() as written:
        take(one_a_minute(origin, 1), "/", X_Forwarded_For=ALICE)

    assert [line["level"] for line in lines(written)] == ["info"]


# --- alive and ready


def test_the_process_says_that_it_is_alive_and_asks_nobody(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    response = upstream_gateway.client.get("/healthz", headers={"Host": "10.1.2.3:8000"})

    assert (response.status_code, response.text) == (200, "ok\n")
    assert response.headers["Cache-Control"] == "no-store"
    assert (provider.seen, origin.seen) == ([], [])


def test_a_gateway_that_can_serve_is_ready(upstream_gateway: Gateway, provider: ScriptedServer) -> None:
    response = upstream_gateway.client.get("/readyz")

    assert response.status_code == 200
    assert response.json == {
        "status": "ready",
        "checks": {"database": "ok", "store": "not used", "provider": "unknown", "maintenance": "off"},
        "warnings": [RELATIVE_LINKS],
    }
    assert response.headers["Cache-Control"] == "no-store"
    assert provider.seen == []


def test_a_gateway_whose_provider_keeps_failing_is_not_ready(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    for _ in range(FAILURES_IN_A_ROW):
        upstream_gateway.services.breaker.failed()

    ready: Any = upstream_gateway.client.get("/readyz")
    download = upstream_gateway.get(origin.url("/v/cat.png"))

    assert ready.status_code == 503
    checks = ready.json["checks"]
    assert re.fullmatch(
        r"paused after failures \(fails\) since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", checks.pop("provider")
    )
    assert (ready.json["status"], checks) == (
        "not ready",
        {"database": "ok", "store": "not used", "maintenance": "off"},
    )
    assert upstream_gateway.client.get("/healthz").status_code == 200
    assert download.status_code == 503
    assert 1 <= int(download.headers["Retry-After"]) <= 15
    assert provider.seen == []


@pytest.mark.parametrize(
    ("resolver", "status", "told"), [("origin", 200, "degraded"), ("store", 503, "not ready")], ids=lambda value: value
)
def test_without_its_database_a_gateway_is_ready_for_page_links_to_what_others_keep(
    tmp_path: Path, resolver: str, status: int, told: str
) -> None:
    slots = {"database_url": f"sqlite:///{tmp_path}/none/gateway.db", "store": str(tmp_path / "store")}
    gateway = Gateway(make_settings(resolver=resolver, **slots))

    response: Any = gateway.client.get("/readyz")

    assert (response.status_code, response.json["status"]) == (status, told)
    assert response.json["checks"]["database"] == "down"


@pytest.fixture
def closed(origin: ScriptedServer) -> Gateway:
    """A gateway that its operator has closed."""
    return Gateway(make_settings(origin.address, maintenance="true"))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_in_maintenance_every_download_says_when_to_come_again(
    closed: Gateway, origin: ScriptedServer, method: str
) -> None:
    link = closed.link(origin.serve("/v/cat.png", PNG))

    response = closed.client.open(link, method=method, headers={"Accept": "text/html"})

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "120"
    assert response.headers["Cache-Control"] == "no-store"
    assert origin.seen == []


def test_in_maintenance_the_page_is_in_the_visitors_language(closed: Gateway) -> None:
    response = closed.client.get("/download/task1?x=1", headers={"Accept": "text/html", "Accept-Language": "ru"})

    assert response.status_code == 503
    assert '<html lang="ru">' in response.text
    assert "503 maintenance" in response.text


@pytest.mark.parametrize("path", ["/", "/healthz", "/static/page.css"])
def test_in_maintenance_the_rest_still_answers(closed: Gateway, path: str) -> None:
    with closed.client.get(path) as response:
        assert response.status_code == 200


def test_in_maintenance_the_gateway_is_not_ready(closed: Gateway) -> None:
    response = closed.client.get("/readyz")

    assert response.status_code == 503
    assert response.json == {
        "status": "not ready",
        "checks": {"database": "ok", "store": "not used", "provider": "not used", "maintenance": "on"},
        "warnings": [RELATIVE_LINKS],
    }
