"""Images that were uploaded, as clients of the contract see them: at URLs that can be fetched."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.support.factories import API_KEY, PNG, Gateway, store_gateway

AUTHORIZED = {"Authorization": f"Bearer {API_KEY}"}
PUBLIC_URL = "https://dl.example.com"


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return store_gateway(tmp_path, public_url=PUBLIC_URL)


def put(gateway: Gateway, name: str, task_id: str = "task12345") -> None:
    path = f"/api/v1/records/{task_id}/files/{quote(name)}"
    assert gateway.client.put(path, data=PNG, headers=AUTHORIZED).status_code == 200


def result_urls(gateway: Gateway, task_id: str = "task12345") -> list[str]:
    answer: Any = gateway.client.get(f"/api/v1/gpt4o-image/record-info?taskId={task_id}", headers=AUTHORIZED)
    urls: list[str] = answer.json["data"]["response"]["resultUrls"]
    return urls


def fetched(gateway: Gateway, url: str) -> bytes:
    parts = urlsplit(url)
    return bytes(gateway.client.get(f"{parts.path}?{parts.query}", buffered=True).data)


def converted(gateway: Gateway, url: str, task_id: str = "task12345") -> Any:
    body = json.dumps({"taskId": task_id, "url": url})
    return gateway.client.post("/api/v1/gpt4o-image/download-url", data=body, headers=AUTHORIZED).json


@pytest.mark.parametrize("name", ["cat.png", "狗 dog.png"])
def test_record_info_lists_a_url_of_ours_that_can_be_fetched_as_long_as_the_record_is_kept(
    gateway: Gateway, name: str
) -> None:
    put(gateway, name)

    (url,) = result_urls(gateway)
    gateway.clock.now += 13 * 24 * 3600

    assert url.startswith(f"{PUBLIC_URL}/files/")
    assert result_urls(gateway) == [url]
    assert fetched(gateway, url) == PNG


def test_download_url_takes_either_form(gateway: Gateway) -> None:
    put(gateway, "cat.png")

    for url in ("gateway:cat.png", *result_urls(gateway)):
        answer = converted(gateway, url)
        assert (answer["code"], fetched(gateway, answer["data"])) == (200, PNG)


def test_links_are_minted_for_either_form(gateway: Gateway) -> None:
    put(gateway, "cat.png")
    body = json.dumps({"taskId": "task12345", "url": result_urls(gateway)[0]})

    minted: Any = gateway.client.post("/api/v1/links", data=body, headers=AUTHORIZED)

    assert fetched(gateway, minted.json["data"]["link"]) == PNG


def test_the_url_of_another_task_or_of_a_forger_is_refused(gateway: Gateway) -> None:
    put(gateway, "cat.png")
    put(gateway, "other.png", "task99999")
    (url,) = result_urls(gateway)

    assert converted(gateway, url, "task99999")["code"] != 200
    assert converted(gateway, url.replace("sig=", "sig=A"))["code"] != 200


def test_created_at_is_unix_milliseconds_or_rfc_3339(gateway: Gateway) -> None:
    for created_at, unix_ms in (
        (15561, 15561),
        (15561.0, 15561),
        ("2026-11-28T06:00:00Z", 1795845600000),
        ("2026-11-28t07:00:00.25+01:00", 1795845600250),
        ("2026-11-28T06:00:00.123456789Z", 1795845600123),
        ("2016-12-31T23:59:60Z", 1483228799000),
    ):
        body = json.dumps({"status": "SUCCESS", "resultUrls": [], "createdAt": created_at})
        record: Any = gateway.client.put("/api/v1/records/task12345", data=body, headers=AUTHORIZED)
        assert (record.status_code, record.json["data"]["createTime"]) == (200, unix_ms)


def test_any_other_created_at_is_refused_by_name(gateway: Gateway) -> None:
    for created_at in (
        15561.5,
        -1,
        True,
        "15561",
        "2026-11-28",
        "2026-11-28T06:00:00",
        "2026-13-28T06:00:00Z",
        "2026-11-28T06:00:00+24:00",
        2**53,
    ):
        body = json.dumps({"status": "SUCCESS", "resultUrls": [], "createdAt": created_at})
        refused: Any = gateway.client.put("/api/v1/records/task12345", data=body, headers=AUTHORIZED)
        assert refused.status_code == 422
        assert refused.json["msg"].startswith("createdAt: ")
        assert "Value error" not in refused.json["msg"]


@pytest.mark.parametrize("created_at", [15561, "the record's last minute"])
def test_a_url_that_is_listed_can_be_fetched_for_an_hour_at_least(gateway: Gateway, created_at: object) -> None:
    put(gateway, "cat.png")
    now_ms = int(gateway.clock.now * 1000)
    created_ms = now_ms - 14 * 86_400_000 + 60_000 if isinstance(created_at, str) else created_at
    body = json.dumps({"status": "SUCCESS", "resultUrls": result_urls(gateway), "createdAt": created_ms})

    assert gateway.client.put("/api/v1/records/task12345", data=body, headers=AUTHORIZED).status_code == 200
    (url,) = result_urls(gateway)
    gateway.clock.now += 3600

    assert fetched(gateway, url) == PNG
