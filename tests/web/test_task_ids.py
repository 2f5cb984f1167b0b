"""Task ids of unusual form, and urls with a blank, are taken wherever the contract's call takes them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.factories import API_KEY, PNG, Gateway, store_gateway
from tests.support.servers import ScriptedServer, envelope

AUTHORIZED = {"Authorization": f"Bearer {API_KEY}"}
DOWNLOAD_URL = "/api/v1/gpt4o-image/download-url"
RECORD_INFO = "/api/v1/gpt4o-image/record-info"
UNUSUAL = ["_abc", "-Xk3_9", "task:12345", "a~b@c,d;e=f+g", "!$&'()*"]


def post(gateway: Gateway, path: str, **body: str) -> Any:
    return gateway.client.post(path, data=json.dumps(body), headers=AUTHORIZED).json


@pytest.mark.parametrize("task_id", UNUSUAL)
def test_a_task_id_is_relayed_to_the_provider_as_it_is(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, task_id: str
) -> None:
    url = origin.serve("/v/cat.png", PNG)
    provider.route(DOWNLOAD_URL, envelope(data=url))

    answer = post(upstream_gateway, DOWNLOAD_URL, taskId=task_id, url=url)

    assert (answer["code"], answer["data"]) == (200, url)
    assert json.loads(provider.seen[-1].body)["taskId"] == task_id


@pytest.mark.parametrize("task_id", UNUSUAL)
def test_a_task_id_is_kept_told_and_downloaded_by_a_signed_link(tmp_path: Path, task_id: str) -> None:
    gateway = store_gateway(tmp_path)
    put = gateway.client.put(f"/api/v1/records/{task_id}/files/cat.png", data=PNG, headers=AUTHORIZED)
    record: Any = gateway.client.get(RECORD_INFO, query_string={"taskId": task_id}, headers=AUTHORIZED).json

    link = post(gateway, "/api/v1/links", taskId=task_id, url="gateway:cat.png")["data"]["link"]

    assert put.status_code == 200
    assert record["data"]["taskId"] == task_id
    assert gateway.client.get(link, buffered=True).data == PNG


@pytest.mark.parametrize(
    "task_id", ["", ".", "..", ".a", "a/b", "a\\b", "a b", "a\n", "a?b", "a#b", "a%b", "кот", "a" * 129]
)
def test_what_a_path_cannot_carry_is_refused_by_every_call(upstream_gateway: Gateway, task_id: str) -> None:
    codes = [
        post(upstream_gateway, path, taskId=task_id, url="https://origin.example/cat.png")["code"]
        for path in (DOWNLOAD_URL, "/api/v1/links")
    ]

    assert codes == [422, 422]


def test_a_url_with_a_blank_is_taken_by_download_url_and_links_alike(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    origin.serve("/v/a%20b.png", PNG)
    url = origin.url("/v/a b.png")
    provider.route(DOWNLOAD_URL, envelope(data=url))

    converted = post(upstream_gateway, DOWNLOAD_URL, taskId="task12345", url=url)
    minted = post(upstream_gateway, "/api/v1/links", taskId="task12345", url=url)

    assert (converted["code"], minted["code"]) == (200, 200)
    assert json.loads(provider.seen[-1].body)["url"] == url
    assert upstream_gateway.client.get(minted["data"]["link"], buffered=True).data == PNG
