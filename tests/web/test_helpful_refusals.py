"""Refusals and warnings name what to change: the setting, the field, the remedy."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.factories import API_KEY, Gateway, make_settings, store_gateway

AUTHORIZED = {"Authorization": f"Bearer {API_KEY}"}
UNLISTED = "https://elsewhere.example/cat.png"
SETTING = "GATEWAY_ORIGIN_HOSTS"


@pytest.fixture
def gateway() -> Gateway:
    return Gateway(make_settings())


def minted(gateway: Gateway, url: str, **fields: object) -> Any:
    body = json.dumps({"taskId": "task12345", "url": url, **fields})
    return gateway.client.post("/api/v1/links", data=body, headers=AUTHORIZED)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/v1/records/task12345"),
        ("GET", "/api/v1/records/task12345"),
        ("POST", "/api/v1/gpt4o-image/callback"),
        ("GET", "/files/0/cat.png?expires=1&sig=x"),
        ("GET", "/metrics"),
    ],
)
def test_a_call_that_is_closed_says_which_setting_opens_it(gateway: Gateway, method: str, path: str) -> None:
    answer: Any = gateway.client.open(path, method=method, headers=AUTHORIZED)

    assert answer.status_code == 404
    assert ("GATEWAY_METRICS_TOKEN" if path == "/metrics" else "GATEWAY_RESOLVER=store") in answer.text


def test_a_caller_with_a_key_is_told_where_hosts_are_listed(gateway: Gateway, tmp_path: Path) -> None:
    body = json.dumps({"status": "SUCCESS", "resultUrls": [UNLISTED]})
    stored = store_gateway(tmp_path).client.put("/api/v1/records/task12345", data=body, headers=AUTHORIZED)

    for refused in (minted(gateway, UNLISTED), stored):
        assert (refused.status_code, SETTING in refused.text) == (422, True)


def test_a_visitor_is_not_told_the_names_of_settings(gateway: Gateway) -> None:
    refused: Any = gateway.client.get(gateway.link(UNLISTED))

    assert (refused.status_code, SETTING in refused.text) == (403, False)


@pytest.mark.parametrize(("days", "warned"), [(13, False), (15, True)])
def test_a_link_that_outlives_its_record_is_warned_of(tmp_path: Path, days: int, *, warned: bool) -> None:
    gateway = store_gateway(tmp_path, public_url="https://dl.example.com", origin_hosts="origin.example")

    answer = minted(gateway, "https://origin.example/cat.png", expiresIn=days * 86_400)

    assert any("outlives its record" in text for text in answer.json["data"].get("warnings", [])) is warned
