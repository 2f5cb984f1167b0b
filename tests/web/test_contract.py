"""The provider's contract, served by us: from our own records, or relayed."""

import json
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.records.record import DAY_MS, Record
from tests.support.factories import API_KEY, PNG, PROVIDER_KEY, Gateway, make_settings, store_gateway
from tests.support.live_gateway import happens
from tests.support.servers import Request, ScriptedServer, answer, envelope

PATH = "/api/v1/gpt4o-image/download-url"
INFO = "/api/v1/gpt4o-image/record-info"
VALIDATION = "The request parameters failed validation checks"
BASE = "https://dl.example.com"


@pytest.fixture
def store(origin: ScriptedServer, tmp_path: Path) -> Gateway:
    return store_gateway(tmp_path, origin.address, public_url=BASE)


def ask(gateway: Gateway, body: object, key: str | None = API_KEY) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body)
    headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
    return gateway.client.post(PATH, data=data, headers=headers)


def keep(gateway: Gateway, urls: tuple[str, ...] | None, status: Any = "SUCCESS", age_days: float = 0) -> None:
    assert gateway.services.store is not None
    created_at = int(gateway.clock.now * 1000 - age_days * DAY_MS)
    gateway.services.store.records.put(Record("task12345", status, urls, created_at))


def follow(gateway: Gateway, direct_url: str, headers: dict[str, str] | None = None) -> Any:
    parts = urlsplit(direct_url)
    return gateway.client.get(f"{parts.path}?{parts.query}", headers=headers, buffered=True)


def refusal(response: Any, code: int, msg: str) -> None:
    assert response.status_code == 200
    assert response.json == {"code": code, "msg": msg, "data": None}
    assert response.headers["Content-Type"] == "application/json;charset=UTF-8"


def test_an_image_url_becomes_a_direct_url_that_downloads(store: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG)
    keep(store, (url,))

    response = ask(store, {"taskId": "task12345", "url": url})
    direct_url = response.json["data"]
    image = follow(store, direct_url)

    assert response.status_code == 200
    assert (response.json["code"], response.json["msg"]) == (200, "success")
    assert direct_url.startswith(f"{BASE}/files/")
    assert (image.status_code, image.data) == (200, PNG)
    assert image.headers["Content-Disposition"].startswith('attachment; filename="cat.png"')
    assert follow(store, direct_url, {"Range": "bytes=5-9"}).data == PNG[5:10]


def test_a_direct_url_is_good_for_twenty_minutes_and_no_longer(store: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG)
    keep(store, (url,))
    direct_url = ask(store, {"taskId": "task12345", "url": url}).json["data"]

    store.clock.now += 19 * 60 + 50
    before = follow(store, direct_url)
    store.clock.now += 20
    after = follow(store, direct_url)

    assert (before.status_code, after.status_code) == (200, 410)


def test_every_answer_promises_twenty_minutes(store: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG)
    keep(store, (url,))
    ask(store, {"taskId": "task12345", "url": url})
    store.clock.now += 600

    direct_url = ask(store, {"taskId": "task12345", "url": url}).json["data"]

    assert f"expires={int(store.clock.now) + 1200}&" in direct_url
    assert origin.paths() == ["/v/cat.png"]


def test_an_altered_direct_url_is_refused(store: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG)
    keep(store, (url,))
    direct_url = ask(store, {"taskId": "task12345", "url": url}).json["data"]

    for altered in (
        direct_url[:-1] + ("A" if direct_url[-1] != "A" else "B"),
        direct_url.replace("cat.png", "cat.exe"),
        direct_url.replace("expires=1", "expires=2"),
        direct_url.partition("?")[0],
        direct_url + "=",
    ):
        assert follow(store, altered).status_code == 403, altered


@pytest.mark.parametrize(
    ("record", "msg"),
    [
        (None, "record is null"),
        ({"urls": (), "age_days": 14.01}, "Temporarily supports records within 14 days"),
        ({"urls": (" ",)}, "record result data is blank"),
        ({"urls": None, "status": "GENERATING"}, "record status is not success"),
        ({"urls": None}, "record result data not exist"),
        ({"urls": ()}, "record result data is empty"),
        ({"urls": ("https://origin.example/other.png",)}, VALIDATION),
    ],
)
def test_every_record_that_permits_nothing_has_its_message(
    store: Gateway, origin: ScriptedServer, record: dict[str, Any] | None, msg: str
) -> None:
    if record is not None:
        keep(store, **record)

    refusal(ask(store, {"taskId": "task12345", "url": origin.url("/v/cat.png")}), 422, msg)


def test_a_body_that_cannot_be_used_is_a_validation_failure(store: Gateway) -> None:
    bodies: tuple[object, ...] = (
        b"not json",
        b"",
        b"\xff",
        b"[" * 50_000,
        b" " * 70_000,
        [],
        None,
        {},
        {"taskId": "task12345"},
        {"url": "https://origin.example/"},
        {"taskId": 1, "url": "https://origin.example/"},
        {"taskId": "../x", "url": "https://origin.example/"},
        {"taskId": "task12345", "url": ""},
        {"taskId": "task12345", "url": "\n"},
        {"taskId": "task12345", "url": "https://origin.example/" + "x" * 2048},
    )
    for body in bodies:
        refusal(ask(store, body), 422, VALIDATION)


def test_common_other_spellings_of_the_fields_are_accepted(store: Gateway, origin: ScriptedServer) -> None:
    for fields in (
        ("task_id", "url"),
        ("taskId", "imageUrl"),
        ("task_id", "imageUrl"),
    ):
        url = origin.serve("/v/cat.png", PNG)
        keep(store, (url,))
        response = ask(store, {fields[0]: "task12345", fields[1]: url, "more": 1})
        assert response.json["code"] == 200


def test_without_a_key_the_call_is_refused(store: Gateway) -> None:
    for key in (
        None,
        "",
        "wrong",
    ):
        refusal(ask(store, {"taskId": "task12345", "url": "x"}, key), 401, "You do not have access permissions")


@pytest.mark.parametrize(
    "sent", [answer(404), answer(200, b"<!doctype html>"), b""], ids=["missing", "a-page", "nothing"]
)
def test_an_image_that_cannot_be_fetched_is_451(store: Gateway, origin: ScriptedServer, sent: bytes) -> None:
    url = origin.route("/v/cat.png", sent)
    keep(store, (url,))

    response = ask(store, {"taskId": "task12345", "url": url})

    assert response.status_code == 200
    assert response.json["code"] == 451


def test_in_maintenance_the_contract_says_455(origin: ScriptedServer) -> None:
    gateway = Gateway(make_settings(origin.address, maintenance="true"))

    response = ask(gateway, {"taskId": "task12345", "url": "x"})

    assert (response.status_code, response.json["code"]) == (200, 455)


def test_a_method_that_the_contract_does_not_have_is_a_real_405(store: Gateway) -> None:
    response: Any = store.client.get(PATH)

    assert response.status_code == 405
    assert response.json == {"code": 405, "msg": "Request method is not supported", "data": None}
    assert "POST" in response.headers["Allow"]


def test_a_record_is_told_in_wire_form(store: Gateway) -> None:
    keep(store, ("https://origin.example/v/cat.png",))
    headers = {"Authorization": f"Bearer {API_KEY}"}

    found: Any = store.client.get(INFO + "?taskId=task12345", headers=headers)
    unknown = store.client.get(INFO + "?taskId=other", headers=headers)

    assert found.json["data"]["response"] == {"resultUrls": ["https://origin.example/v/cat.png"]}
    refusal(unknown, 422, "record is null")
    refusal(store.client.get(INFO + "?taskId=task12345"), 401, "You do not have access permissions")


def test_an_invalid_task_id_is_a_validation_failure(store: Gateway) -> None:
    for query in (
        "",
        "?taskId=",
        "?taskId=%00",
        "?taskId=a%20b",
        "?taskId=%FF",
        "?taskId=" + "a" * 129,
    ):
        response = store.client.get(INFO + query, headers={"Authorization": f"Bearer {API_KEY}"})
        refusal(response, 422, VALIDATION)


def test_a_providers_direct_url_is_relayed_and_its_key_never_leaves(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    direct_url = origin.url("/d/cat.png?X-Amz-Date=20990101T000000Z&X-Amz-Expires=1200")
    provider.route(PATH, envelope(data=direct_url))

    first = ask(upstream_gateway, {"taskId": "task12345", "url": origin.url("/v/cat.png")})
    second = ask(upstream_gateway, {"taskId": "task12345", "url": origin.url("/v/cat.png")})

    assert first.json["data"] == second.json["data"] == direct_url
    assert len(provider.seen) == 1
    assert PROVIDER_KEY not in first.text + str(first.headers)


def test_a_providers_direct_url_is_obtained_anew_when_it_is_not_nearly_new(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    provider.route(PATH, lambda _request: envelope(data=origin.url(f"/d/{len(provider.seen)}.png")))
    body = {"taskId": "task12345", "url": origin.url("/v/cat.png")}

    first = ask(upstream_gateway, body).json["data"]
    upstream_gateway.clock.now += 130
    second = ask(upstream_gateway, body).json["data"]

    assert first != second


@pytest.mark.parametrize(
    ("reply", "code", "msg", "http_status"),
    [
        ((422, "record is null"), 422, "record is null", 200),
        ((422, "record result data is empty"), 422, "record result data is empty", 200),
        ((422, "something new"), 422, VALIDATION, 200),
        ((404, "x"), 404, "The requested resource or endpoint does not exist", 200),
        ((429, "x"), 429, "Too many requests, please try again later", 429),
        ((499, "x"), 500, "Server exception, please try again later or contact customer service", 500),
        ((401, "x"), 500, "Server exception, please try again later or contact customer service", 500),
    ],
)
def test_what_the_provider_refuses_is_told_in_the_contracts_words(
    upstream_gateway: Gateway,
    provider: ScriptedServer,
    reply: tuple[int, str],
    code: int,
    msg: str,
    http_status: int,
) -> None:
    provider.route(PATH, envelope(*reply))

    response = ask(upstream_gateway, {"taskId": "task12345", "url": "https://origin.example/v/cat.png"})

    assert response.status_code == http_status
    assert response.json == {"code": code, "msg": msg, "data": None}


def test_a_conversion_that_takes_long_is_answered_in_time_and_goes_on(
    store: Gateway, origin: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.resolving.caching_resolver.TIMEOUT_S", 0.2)
    go = threading.Event()

    def slowly(_request: Request) -> bytes:
        assert go.wait(20)
        return answer(200, PNG)

    url = origin.route("/v/cat.png", slowly)
    keep(store, (url,))

    response = ask(store, {"taskId": "task12345", "url": url})
    shown = store.get(url, headers={"Accept": "text/html"})
    go.set()

    assert (response.status_code, response.json["code"], response.headers["Retry-After"]) == (500, 500, "5")
    assert (shown.status_code, shown.headers["Retry-After"]) == (503, "5")
    assert shown.headers["Refresh"].startswith("5; url=?url=")
    assert "The image is being prepared" in shown.text
    assert happens(lambda: ask(store, {"taskId": "task12345", "url": url}).json["code"] == 200)
    assert store.client.get(store.link(url), buffered=True).data == PNG
    assert origin.paths() == ["/v/cat.png"]
