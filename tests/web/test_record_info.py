"""``record-info``, relayed: the provider's record in its own form, without its key, and not too often."""

import json
from typing import Any

import pytest

from tests.support.factories import API_KEY, PROVIDER_KEY, Gateway, make_settings
from tests.support.servers import ScriptedServer, envelope

PATH = "/api/v1/gpt4o-image/record-info"
# As recorded on the wire.
RUNNING = {
    "taskId": "task12345",
    "paramJson": '{"enableFallback":false,"prompt":"A serene mountain lake","size":"1:1"}',
    "completeTime": None,
    "response": None,
    "successFlag": 0,
    "status": "GENERATING",
    "errorCode": None,
    "errorMessage": None,
    "createTime": 1774788500000,
    "progress": "0.00",
}
DONE = RUNNING | {
    "completeTime": 1774788518000,
    "response": {"resultUrls": ["https://tempfile.aiquickdraw.com/s/5fd1b68d_0_1774788516_2971.png"]},
    "successFlag": 1,
    "status": "SUCCESS",
    "progress": "1.00",
}


def ask(gateway: Gateway, query: str = "taskId=task12345", key: str = API_KEY) -> Any:
    return gateway.client.get(f"{PATH}?{query}", headers={"Authorization": f"Bearer {key}"} if key else {})


def test_a_record_is_relayed_as_it_is(upstream_gateway: Gateway, provider: ScriptedServer) -> None:
    for record in (
        RUNNING,
        DONE,
    ):
        upstream_gateway.clock.now += 2
        provider.route(PATH, envelope(data=record))
        response = ask(upstream_gateway)
        assert (response.status_code, response.json) == (200, {"code": 200, "msg": "success", "data": record})
        assert response.headers["Content-Type"] == "application/json;charset=UTF-8"
        assert provider.seen[-1].query == {"taskId": ["task12345"]}
        assert provider.seen[-1].headers["authorization"] == f"Bearer {PROVIDER_KEY}"
        assert PROVIDER_KEY not in response.text + str(response.headers)


def test_what_the_contract_does_not_know_is_left_out(upstream_gateway: Gateway, provider: ScriptedServer) -> None:
    odd = DONE | {
        "internal": "x",
        "progress": 5,
        "successFlag": True,
        "response": {"result_urls": ["https://a.example/x", 7], "more": 1},
    }
    provider.route(PATH, envelope(data=odd))

    data = ask(upstream_gateway).json["data"]

    assert data == DONE | {"progress": None, "successFlag": None, "response": {"resultUrls": ["https://a.example/x"]}}


def test_the_provider_is_asked_once_a_second_at_most(upstream_gateway: Gateway, provider: ScriptedServer) -> None:
    provider.route(PATH, envelope(data=RUNNING))

    for _ in range(3):
        ask(upstream_gateway)
    ask(upstream_gateway, "taskId=task99999")
    upstream_gateway.clock.now += 1.1
    ask(upstream_gateway)

    assert [request.query["taskId"][0] for request in provider.seen] == ["task12345", "task99999", "task12345"]


@pytest.mark.parametrize(
    ("reply", "code", "msg"),
    [
        (envelope(422, "recordInfo is null"), 422, "record is null"),
        (envelope(200, "success", None), 422, "record is null"),
        (envelope(455, "x"), 455, "System is currently undergoing maintenance"),
        (envelope(499, "x"), 500, "Server exception, please try again later or contact customer service"),
    ],
)
def test_what_the_provider_refuses_is_told_in_the_contracts_words(
    upstream_gateway: Gateway, provider: ScriptedServer, reply: bytes, code: int, msg: str
) -> None:
    provider.route(PATH, reply)

    response = ask(upstream_gateway)

    assert response.json == {"code": code, "msg": msg, "data": None}
    assert response.status_code == (500 if code == 500 else 200)


def test_without_a_task_id_the_provider_is_not_called(upstream_gateway: Gateway, provider: ScriptedServer) -> None:
    for query in (
        "",
        "taskId=",
        "taskId=../x",
        "task=1",
        "taskId=a%00b",
    ):
        assert ask(upstream_gateway, query).json["code"] == 422
        assert provider.seen == []


def test_a_record_opens_to_keys_alone(upstream_gateway: Gateway, provider: ScriptedServer) -> None:
    assert ask(upstream_gateway, key="").json["code"] == 401
    assert provider.seen == []


def test_where_nobody_keeps_records_there_is_none() -> None:
    response = ask(Gateway(make_settings()))

    assert json.loads(response.data) == {"code": 422, "msg": "record is null", "data": None}
