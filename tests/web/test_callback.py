"""The provider tells of finished tasks: only the provider is believed, and a success stays what it was."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.records.record import Record
from tests.support.factories import API_KEY, PNG, Gateway, make_settings, store_gateway
from tests.support.servers import ScriptedServer

PATH = "/api/v1/gpt4o-image/callback"
PROVIDER_KEY = "the-key-the-provider-signs-with"
URL = "https://origin.example/v/cat.png"


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return store_gateway(tmp_path)


@pytest.fixture
def signed(tmp_path: Path) -> Gateway:
    return store_gateway(tmp_path, callback_key=PROVIDER_KEY)


def success(*urls: str, task_id: str = "task12345", **more: Any) -> dict[str, Any]:
    return {"code": 200, "msg": "success", "data": {"taskId": task_id, "info": {"result_urls": list(urls)}}} | more


def failure(code: float = 400) -> dict[str, Any]:
    return {"code": code, "msg": "Your content was flagged", "data": {"taskId": "task12345", "info": None}}


def send_callback(
    gateway: Gateway, body: object, query: str | None = None, headers: dict[str, str] | None = None
) -> Any:
    assert gateway.services.store is not None
    url = gateway.services.store.callbacks.url if query is None else PATH + query
    data = body if isinstance(body, bytes) else json.dumps(body)
    return gateway.client.post(url, data=data, headers=headers)


def signature(
    gateway: Gateway, task_id: str = "task12345", age_s: float = 0, key: str = PROVIDER_KEY
) -> dict[str, str]:
    timestamp = str(int(gateway.clock.now - age_s))
    mac = hmac.new(key.encode(), f"{task_id}.{timestamp}".encode(), hashlib.sha256).digest()
    return {"X-Webhook-Timestamp": timestamp, "X-Webhook-Signature": base64.b64encode(mac).decode()}


def stored_record(gateway: Gateway, task_id: str = "task12345") -> Record | None:
    assert gateway.services.store is not None
    return gateway.services.store.records.find(task_id)


def test_an_image_of_a_callback_can_be_downloaded(tmp_path: Path, origin: ScriptedServer) -> None:
    gateway = store_gateway(tmp_path, origin.address)
    url = origin.serve("/v/cat.png", PNG)

    response = send_callback(gateway, success(url))

    assert (response.status_code, response.json) == (200, {"code": 200, "msg": "success", "data": None})
    assert gateway.client.get(gateway.link(url), buffered=True).data == PNG


def test_an_image_that_was_requested_too_early_is_available_after_the_callback(
    tmp_path: Path, origin: ScriptedServer
) -> None:
    gateway = store_gateway(tmp_path, origin.address)
    url = origin.serve("/v/cat.png", PNG)
    early = gateway.client.get(gateway.link(url))

    send_callback(gateway, success(url))

    assert early.status_code == 404
    assert gateway.client.get(gateway.link(url), buffered=True).data == PNG


@pytest.mark.parametrize(
    "data",
    [
        {"taskId": "task12345", "info": {"result_urls": [URL]}},
        {"task_id": "task12345", "info": {"result_urls": [URL]}},
        {"taskId": "task12345", "info": {"resultUrls": [URL]}},
        {"task_id": "task12345", "info": {"resultUrls": [URL]}, "more": 1},
    ],
)
def test_both_spellings_are_accepted(gateway: Gateway, data: dict[str, Any]) -> None:
    assert send_callback(gateway, {"code": 200, "msg": "success", "data": data}).status_code == 200

    record = stored_record(gateway)
    assert record is not None
    assert (record.status, record.result_urls) == ("SUCCESS", (URL,))


@pytest.mark.parametrize("code", [451, 451.0])
def test_a_failure_is_stored_with_its_reason(gateway: Gateway, code: float) -> None:
    assert send_callback(gateway, failure(code)).status_code == 200

    record = stored_record(gateway)
    assert record is not None
    assert (record.status, record.error_code, record.error_message) == (
        "GENERATE_FAILED",
        451,
        "Your content was flagged",
    )


def test_a_callback_keeps_the_creation_time_of_the_task(gateway: Gateway) -> None:
    body = json.dumps({"status": "GENERATING", "createdAt": 1_700_000_000_000})
    gateway.client.put("/api/v1/records/task12345", data=body, headers={"Authorization": f"Bearer {API_KEY}"})

    send_callback(gateway, success(URL))

    record = stored_record(gateway)
    assert record is not None
    assert (record.status, record.created_at) == ("SUCCESS", 1_700_000_000_000)


@pytest.mark.parametrize("body", [success(URL), failure()], ids=["success", "failure"])
def test_a_repeated_callback_is_accepted(gateway: Gateway, body: dict[str, Any]) -> None:
    first = send_callback(gateway, body)
    gateway.clock.now += 30
    again = send_callback(gateway, body)

    assert (first.status_code, again.status_code) == (200, 200)


@pytest.mark.parametrize("other", [success(URL + "?2"), success(), failure()], ids=["another", "none", "failure"])
def test_a_success_is_never_overwritten(gateway: Gateway, other: dict[str, Any]) -> None:
    send_callback(gateway, success(URL))
    before = stored_record(gateway)

    response = send_callback(gateway, other)

    assert response.status_code == response.json["code"] == 409
    assert stored_record(gateway) == before


def test_a_failure_may_still_become_a_success(gateway: Gateway) -> None:
    send_callback(gateway, failure())

    assert send_callback(gateway, success(URL)).status_code == 200
    record = stored_record(gateway)
    assert record is not None
    assert (record.status, record.error_code, record.error_message) == ("SUCCESS", None, None)


@pytest.mark.parametrize(
    "query", ["", "?token=", "?token=" + "A" * 43, "?token=%C3%BC", "?token=%ED%A0%80", "?tokens=x"]
)
@pytest.mark.parametrize("body", [success(URL), b"not json"])
def test_without_the_token_a_callback_is_refused(gateway: Gateway, query: str, body: object) -> None:
    response = send_callback(gateway, body, query)

    assert response.status_code == response.json["code"] == 401
    assert stored_record(gateway) is None


@pytest.mark.parametrize("age_s", [0, 299, -299])
def test_the_providers_signature_is_sufficient(signed: Gateway, age_s: float) -> None:
    assert send_callback(signed, success(URL), "", signature(signed, age_s=age_s)).status_code == 200
    assert stored_record(signed) is not None


@pytest.mark.parametrize(
    "proof",
    [
        lambda _: {},
        lambda gateway: signature(gateway, age_s=302),
        lambda gateway: signature(gateway, age_s=-302),
        lambda gateway: signature(gateway, task_id="another"),
        lambda gateway: signature(gateway, key="another"),
        lambda gateway: {**signature(gateway), "X-Webhook-Timestamp": str(int(gateway.clock.now) + 1)},
        lambda gateway: {**signature(gateway), "X-Webhook-Timestamp": ""},
        lambda gateway: {**signature(gateway), "X-Webhook-Signature": "ü"},
    ],
    ids=["none", "stale", "future", "other-task", "other-key", "other-time", "no-time", "odd"],
)
def test_a_bad_or_stale_signature_is_refused(signed: Gateway, proof: Callable[[Gateway], dict[str, str]]) -> None:
    response = send_callback(signed, success(URL), "", proof(signed))

    assert response.status_code == 401
    assert stored_record(signed) is None


def test_with_the_providers_key_the_token_is_not_accepted(signed: Gateway, tmp_path: Path) -> None:
    other = store_gateway(tmp_path)
    assert other.services.store is not None
    token = other.services.store.callbacks.url.partition("?")[2]

    assert send_callback(signed, success(URL), f"?{token}").status_code == 401


def test_a_result_on_an_unlisted_origin_is_refused_by_name(gateway: Gateway) -> None:
    response = send_callback(gateway, success(URL, "https://10.0.0.1/x.png"))

    assert response.status_code == 422
    assert "data.info.result_urls.1" in response.json["msg"]
    assert stored_record(gateway) is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"not json", "JSON"),
        (b"[]", "JSON"),
        ({}, "taskId"),
        ({"code": 200, "data": {"taskId": "../x"}}, "taskId"),
        ({"code": 200, "data": {"taskId": 5}}, "taskId"),
        ({"code": "200", "data": {"taskId": "task1"}}, "code"),
        ({"code": 10**30, "data": {"taskId": "task1"}}, "code"),
        ({"code": 200, "data": {"taskId": "task1", "info": {"result_urls": "x"}}}, "result_urls"),
        ({"code": 200, "data": {"taskId": "task1", "info": {"result_urls": [1]}}}, "result_urls"),
        ({"code": 200, "data": {"taskId": "task1", "info": {"result_urls": ["x"] * 101}}}, "result_urls"),
    ],
)
def test_a_body_that_cannot_be_used_names_the_field(gateway: Gateway, body: object, field: str) -> None:
    response = send_callback(gateway, body)

    assert response.status_code == response.json["code"] == 422
    assert field in response.json["msg"]
    assert stored_record(gateway, "task1") is None


def test_characters_that_databases_refuse_are_replaced(gateway: Gateway) -> None:
    body = b'{"code":400,"msg":"\\ud800\\u0000 x","data":{"taskId":"task12345"}}'

    assert send_callback(gateway, body).status_code == 200
    record = stored_record(gateway)
    assert record is not None
    assert record.error_message == "\ufffd\ufffd x"


def test_a_success_without_results_is_stored_without_results(gateway: Gateway) -> None:
    send_callback(gateway, {"code": 200, "msg": "success", "data": {"taskId": "task12345", "info": None}})

    record = stored_record(gateway)
    assert record is not None
    assert (record.status, record.result_urls) == ("SUCCESS", None)


def test_a_gateway_without_a_store_has_no_callback() -> None:
    gateway = Gateway(make_settings())

    assert gateway.client.post(PATH, data=json.dumps(success(URL))).status_code == 404
