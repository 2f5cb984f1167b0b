"""API keys: scopes, rate limits and quotas, and their response headers."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.keys.authentication import CACHE_TTL_S
from gateway.keys.key import SCOPES, Key, Scope, new_token
from gateway.keys.quotas import DAY_S
from gateway.records.completion_callback import PATH as CALLBACK
from gateway.web.reference.operations import OPERATIONS
from tests.support.databases import statements
from tests.support.factories import API_KEY, PNG, Clock, Gateway, make_settings
from tests.support.real_logs import lines, real_logs
from tests.support.servers import ScriptedServer, envelope

DOWNLOAD_URL = "/api/v1/gpt4o-image/download-url"
RECORD_INFO = "/api/v1/gpt4o-image/record-info"
LINKS = "/api/v1/links"
RECORD = "/api/v1/records/<task_id>"
FILE = RECORD + "/files/<name>"
CALLS: dict[tuple[str, str], Scope] = {
    ("POST", DOWNLOAD_URL): "download-url",
    ("GET", RECORD_INFO): "download-url",
    ("POST", LINKS): "links",
    ("GET", LINKS): "links",
    ("GET", LINKS + "/<link_id>"): "links",
    ("DELETE", LINKS + "/<link_id>"): "links",
    ("PUT", RECORD): "records",
    ("GET", RECORD): "records",
    ("DELETE", RECORD): "records",
    ("PUT", FILE): "records",
}
HAS_A_PROOF_OF_ITS_OWN = {("POST", CALLBACK)}
CONTRACT = {DOWNLOAD_URL, RECORD_INFO}
NO_ACCESS = "You do not have access permissions"
RATE_LIMIT_HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


@pytest.fixture
def gateway(origin: ScriptedServer, tmp_path: Path) -> Gateway:
    """A gateway with every call that there is."""
    settings = make_settings(
        origin.address,
        resolver="store",
        upstream_api_key="",
        database_url=f"sqlite:///{tmp_path}/gateway.db",
        store=str(tmp_path / "store"),
    )
    gateway = Gateway(settings, clock=Clock())
    gateway.clock.now = gateway.clock.now // DAY_S * DAY_S + 3600.0
    gateway.services.database.migrate()
    return gateway


def create_key(gateway: Gateway, *scopes: Scope, name: str = "shop", days: int | None = None, **limits: int) -> str:
    """The token of a new key; with every scope, when none is named."""
    token = gateway.services.key_store.create(Key(name, frozenset(scopes or SCOPES), **limits), days)
    assert token is not None
    return token


def call(gateway: Gateway, method: str, path: str, token: str | None, body: object = None) -> Any:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return gateway.client.open(
        path.replace("<task_id>", "task1").replace("<link_id>", "link1"),
        method=method,
        data=json.dumps(body),
        headers=headers,
    )


def create_link(gateway: Gateway, token: str | None, url: str = "https://origin.example/a.png") -> Any:
    return call(gateway, "POST", LINKS, token, {"taskId": "task1", "url": url})


def convert(gateway: Gateway, token: str | None, url: str = "https://origin.example/a.png") -> Any:
    return call(gateway, "POST", DOWNLOAD_URL, token, {"taskId": "task1", "url": url})


def rate_limit(response: Any) -> dict[str, int]:
    """The values of the ``RateLimit-*`` headers."""
    names = [name for name in dict(response.headers) if name.lower().startswith("ratelimit")]
    assert sorted(names) in ([], sorted(RATE_LIMIT_HEADERS))
    return {name.removeprefix("RateLimit-"): int(response.headers[name]) for name in names}


def lose_database(gateway: Gateway, tmp_path: Path) -> None:
    gateway.services.database.engine.dispose()
    for path in tmp_path.glob("gateway.db*"):
        path.unlink()


# --- scopes


def test_every_call_of_the_api_has_its_scope_in_this_table(gateway: Gateway) -> None:
    rules = [rule for rule in gateway.app.url_map.iter_rules() if rule.rule.startswith("/api/")]

    calls = {(method, rule.rule) for rule in rules for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}

    assert calls == set(CALLS) | HAS_A_PROOF_OF_ITS_OWN


def test_the_document_names_the_scope_of_every_call() -> None:
    secured = {(each.method.upper(), each.path): each.security for each in OPERATIONS if each.takes_key}

    assert secured == {
        (method, path.replace("<", "{").replace(">", "}")): [{"BearerAuth": [scope]}]
        for (method, path), scope in CALLS.items()
    }


@pytest.mark.parametrize(("method", "path"), CALLS, ids=lambda value: value)
def test_a_key_without_the_scope_gets_403_naming_the_scope(gateway: Gateway, method: str, path: str) -> None:
    scope = CALLS[method, path]
    token = create_key(gateway, *(other for other in SCOPES if other != scope))

    response = call(gateway, method, path, token)

    if path in CONTRACT:
        assert (response.status_code, response.json) == (200, {"code": 401, "msg": NO_ACCESS, "data": None})
    else:
        assert (response.status_code, response.json["code"]) == (403, 403)
        assert f"lacks the scope {scope}" in response.json["msg"]
        assert response.headers["WWW-Authenticate"] == f'Bearer error="insufficient_scope", scope="{scope}"'


@pytest.mark.parametrize(("method", "path"), CALLS, ids=lambda value: value)
def test_a_key_with_only_the_scope_is_accepted(gateway: Gateway, method: str, path: str) -> None:
    token = create_key(gateway, CALLS[method, path])

    response = call(gateway, method, path, token)

    assert response.json["code"] in {200, 404, 422}


@pytest.mark.parametrize(("method", "path"), CALLS, ids=lambda value: value)
def test_a_configured_key_has_every_scope_and_no_limit(gateway: Gateway, method: str, path: str) -> None:
    response = call(gateway, method, path, API_KEY)

    assert response.json["code"] in {200, 404, 422}
    assert rate_limit(response) == {}


# --- who is no caller


@pytest.mark.parametrize("reason", ["unknown", "expired", "revoked"])
def test_every_invalid_key_gets_the_same_response_and_the_log_has_the_reason(gateway: Gateway, reason: str) -> None:
    token = create_key(gateway, days=1)
    reasons = {"unknown": "unknown key", "expired": "the key shop is expired", "revoked": "the key shop is revoked"}
    if reason == "unknown":
        token = new_token()
    elif reason == "expired":
        gateway.clock.now += DAY_S
    else:
        gateway.services.key_store.revoke("shop")

    with real_logs() as written:
        server_fault, contracts = create_link(gateway, token), convert(gateway, token)
        server_fault.close()
        contracts.close()

    assert (server_fault.status_code, server_fault.json["msg"]) == (401, "This API key is not valid.")
    assert contracts.json == {"code": 401, "msg": NO_ACCESS, "data": None}
    assert (rate_limit(server_fault), rate_limit(contracts)) == ({}, {})
    assert [(line["outcome"], line["reason"]) for line in lines(written)] == [("key_invalid", reasons[reason])] * 2
    assert token not in written.getvalue()


def test_a_rotated_key_works_with_its_new_token(gateway: Gateway) -> None:
    old = create_key(gateway)
    assert create_link(gateway, old).status_code == 422

    new = gateway.services.key_store.rotate("shop")
    gateway.clock.now += CACHE_TTL_S

    assert (create_link(gateway, old).status_code, create_link(gateway, new).status_code) == (401, 422)


def test_without_the_database_configured_keys_work_and_others_get_a_server_error(
    gateway: Gateway, tmp_path: Path
) -> None:
    token = create_key(gateway)
    lose_database(gateway, tmp_path)

    server_fault, contracts = create_link(gateway, token), convert(gateway, token)

    assert create_link(gateway, API_KEY).status_code == 422
    assert (server_fault.status_code, server_fault.json["code"]) == (503, 503)
    assert (contracts.status_code, contracts.json["code"]) == (500, 500)


# --- what a call costs


def test_every_response_to_a_limited_key_has_ratelimit_headers(gateway: Gateway, origin: ScriptedServer) -> None:
    token = create_key(gateway, "links", "download-url", per_day=100)
    url = origin.serve("/v/a.png", PNG)

    answers = [
        create_link(gateway, token, url),
        create_link(gateway, token, "https://elsewhere.example/"),
        convert(gateway, token, url),
        call(gateway, "GET", RECORD_INFO, token),
        call(gateway, "GET", RECORD, token),
    ]

    assert [answer.json["code"] for answer in answers] == [200, 422, 422, 422, 403]
    assert [rate_limit(answer) for answer in answers] == [
        {"Limit": 100, "Remaining": 100 - number, "Reset": DAY_S - 3600} for number in range(1, 6)
    ]


def test_a_key_without_limits_gets_no_ratelimit_headers(gateway: Gateway) -> None:
    assert rate_limit(create_link(gateway, create_key(gateway))) == {}


@pytest.mark.parametrize("token", [None, "wrong", "gw_" + "a" * 43], ids=["none", "malformed", "unknown"])
def test_an_unauthenticated_call_counts_against_no_key(gateway: Gateway, token: str | None) -> None:
    shop = create_key(gateway, per_day=2)

    for _ in range(5):
        assert create_link(gateway, token).status_code == 401

    assert rate_limit(create_link(gateway, shop))["Remaining"] == 1


def test_an_unknown_route_or_method_does_not_count(gateway: Gateway) -> None:
    token = create_key(gateway, per_day=2)

    assert call(gateway, "PUT", LINKS, token).status_code == 405
    assert call(gateway, "GET", "/api/v1/nothing", token).status_code == 404

    assert rate_limit(create_link(gateway, token))["Remaining"] == 1


def test_a_rate_limited_key_gets_retry_after(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", gateway.clock)  # the minute must not end in the middle
    token = create_key(gateway, per_minute=2)

    server_fault = [create_link(gateway, token) for _ in range(3)][-1]
    contracts = convert(gateway, token)

    assert (server_fault.status_code, server_fault.json["code"]) == (429, 429)
    assert server_fault.json["msg"] == "This API key made too many calls in a short time. Please wait a moment."
    assert contracts.status_code == 429
    assert contracts.json == {"code": 429, "msg": "Too many requests, please try again later", "data": None}
    for response in (server_fault, contracts):
        assert 1 <= int(response.headers["Retry-After"]) <= 61
        assert rate_limit(response) == {"Limit": 2, "Remaining": 0, "Reset": int(response.headers["Retry-After"])}


def test_an_exhausted_quota_has_retry_after_until_midnight_utc(gateway: Gateway) -> None:
    token = create_key(gateway, per_day=2)

    server_fault = [create_link(gateway, token) for _ in range(3)][-1]
    contracts = convert(gateway, token)

    assert server_fault.status_code == 429
    assert "no calls left today" in server_fault.json["msg"]
    assert (contracts.status_code, contracts.json["code"]) == (429, 429)
    for response in (server_fault, contracts):
        assert response.headers["Retry-After"] == str(DAY_S - 3600)
        assert rate_limit(response) == {"Limit": 2, "Remaining": 0, "Reset": DAY_S - 3600}
    gateway.clock.now += DAY_S - 3600
    assert create_link(gateway, token).status_code == 422


def test_rotation_does_not_reset_the_quota(gateway: Gateway) -> None:
    old = create_key(gateway, per_day=1)
    create_link(gateway, old)

    new = gateway.services.key_store.rotate("shop")

    assert create_link(gateway, new).status_code == 429


# --- what the database notices


def test_a_cached_conversion_makes_no_database_query(
    provider: ScriptedServer, origin: ScriptedServer, tmp_path: Path
) -> None:
    settings = make_settings(
        origin.address,
        resolver="upstream",
        upstream_url=provider.url(""),
        database_url=f"sqlite:///{tmp_path}/gateway.db",
    )
    gateway = Gateway(settings)
    gateway.services.database.migrate()
    provider.route(DOWNLOAD_URL, envelope(data=origin.url("/d/a.png")))
    token = create_key(gateway, per_minute=60, per_day=1000)
    assert convert(gateway, token).json["code"] == 200

    with statements(gateway.services.database) as sent:
        answers = [convert(gateway, token) for _ in range(10)]

    assert {answer.json["code"] for answer in answers} == {200}
    assert sent == []


def test_a_conversion_from_the_store_writes_nothing_to_the_database(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/a.png", PNG)
    token = create_key(gateway, per_day=1000)
    call(gateway, "PUT", RECORD, API_KEY, {"status": "SUCCESS", "resultUrls": [url]})
    assert convert(gateway, token, url).json["code"] == 200

    with statements(gateway.services.database) as sent:
        answers = [convert(gateway, token, url) for _ in range(10)]

    assert {answer.json["code"] for answer in answers} == {200}
    assert {statement.split(maxsplit=1)[0] for statement in sent} <= {"BEGIN", "SELECT"}
    assert "BEGIN IMMEDIATE" not in sent
