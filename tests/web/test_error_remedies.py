"""Errors and warnings name what to change: the setting, the field, the remedy."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.web.links import LinkBody
from gateway.web.request_body import format_errors
from tests.support.factories import API_KEY, Gateway, make_settings, store_gateway

AUTHORIZED = {"Authorization": f"Bearer {API_KEY}"}
UNLISTED = "https://elsewhere.example/cat.png"
SETTING = "GATEWAY_ORIGIN_HOSTS"


@pytest.fixture
def gateway() -> Gateway:
    return Gateway(make_settings())


def mint(gateway: Gateway, url: str, **fields: object) -> Any:
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
def test_a_disabled_call_names_the_setting_that_enables_it(gateway: Gateway, method: str, path: str) -> None:
    response: Any = gateway.client.open(path, method=method, headers=AUTHORIZED)

    assert response.status_code == 404
    assert ("GATEWAY_METRICS_TOKEN" if path == "/metrics" else "GATEWAY_RESOLVER=store") in response.text


def test_an_api_caller_learns_the_setting_that_lists_hosts(gateway: Gateway, tmp_path: Path) -> None:
    body = json.dumps({"status": "SUCCESS", "resultUrls": [UNLISTED]})
    response = store_gateway(tmp_path).client.put("/api/v1/records/task12345", data=body, headers=AUTHORIZED)

    for error in (mint(gateway, UNLISTED), response):
        assert (error.status_code, SETTING in error.text) == (422, True)


def test_a_visitor_does_not_learn_the_names_of_settings(gateway: Gateway) -> None:
    response: Any = gateway.client.get(gateway.link(UNLISTED))

    assert (response.status_code, SETTING in response.text) == (403, False)


@pytest.mark.parametrize(("days", "warned"), [(13, False), (15, True)])
def test_a_link_that_outlives_its_record_causes_a_warning(tmp_path: Path, days: int, *, warned: bool) -> None:
    gateway = store_gateway(tmp_path, public_url="https://dl.example.com", origin_hosts="origin.example")

    response = mint(gateway, "https://origin.example/cat.png", expiresIn=days * 86_400)

    assert any("outlives its record" in text for text in response.json["data"].get("warnings", [])) is warned


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("expires_in", "expires_in: there is no such field; did you mean expiresIn?"),
        ("colour", "colour: there is no such field"),
    ],
)
def test_an_unknown_field_suggests_the_closest_known_one(field: str, message: str) -> None:
    with pytest.raises(ValidationError) as error:
        LinkBody.model_validate({"taskId": "t", "url": "https://a.example/c.png", field: 60})

    assert format_errors(error.value, LinkBody) == message
