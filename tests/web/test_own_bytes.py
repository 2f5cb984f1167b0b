"""Images that are put in here: no origin, no provider, and links to them like all others."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from gateway.files.media_types import PNG as PNG_MEDIA
from tests.support.factories import API_KEY, PNG, Gateway, make_settings, store_gateway

AUTHORIZED = {"Authorization": f"Bearer {API_KEY}"}
OTHER = PNG[:8] + b"another image" * 50


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return store_gateway(tmp_path, max_bytes="100000")


def put(gateway: Gateway, name: str = "cat.png", body: bytes = PNG, task_id: str = "task12345") -> Any:
    return gateway.client.put(f"/api/v1/records/{task_id}/files/{name}", data=body, headers=AUTHORIZED)


def fetched(gateway: Gateway, url: str = "gateway:cat.png", task_id: str = "task12345", **fields: Any) -> Any:
    return gateway.client.get(gateway.link(url, task_id, **fields), buffered=True)


def objects(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "store").rglob("*") if path.is_file()]


def test_an_image_that_was_put_in_is_downloaded_by_a_link(gateway: Gateway) -> None:
    response = put(gateway)
    image = fetched(gateway)

    assert response.status_code == 200
    assert response.json["data"]["url"] == "gateway:cat.png"
    assert response.json["data"]["response"] == {"resultUrls": ["gateway:cat.png"]}
    assert (image.status_code, image.data, image.content_type) == (200, PNG, PNG_MEDIA.content_type)
    assert image.headers["Content-Disposition"].startswith('attachment; filename="cat.png"')


def test_its_link_can_be_minted_and_its_direct_url_obtained(gateway: Gateway) -> None:
    put(gateway)
    parse_request = {"taskId": "task12345", "url": "gateway:cat.png"}

    minted: Any = gateway.client.post("/api/v1/links", data=json.dumps(parse_request), headers=AUTHORIZED)
    direct: Any = gateway.client.post(
        "/api/v1/gpt4o-image/download-url", data=json.dumps(parse_request), headers=AUTHORIZED
    )

    assert gateway.client.get(minted.json["data"]["link"], buffered=True).data == PNG
    assert gateway.client.get(direct.json["data"], buffered=True).data == PNG


def test_several_images_of_one_task_each_have_their_name(gateway: Gateway) -> None:
    put(gateway, "cat.png")
    response = put(gateway, "狗 dog.png", OTHER)
    url = response.json["data"]["url"]

    assert url == "gateway:%E7%8B%97%20dog.png"
    assert response.json["data"]["response"]["resultUrls"] == ["gateway:cat.png", url]
    assert fetched(gateway, url).data == OTHER
    assert "filename*=UTF-8''%E7%8B%97%20dog.png" in fetched(gateway, url).headers["Content-Disposition"]


def test_the_same_name_again_replaces_the_image_at_once(gateway: Gateway, tmp_path: Path) -> None:
    put(gateway)
    assert fetched(gateway).data == PNG

    response = put(gateway, body=OTHER)

    assert response.json["data"]["response"]["resultUrls"] == ["gateway:cat.png"]
    assert fetched(gateway).data == OTHER
    assert len(objects(tmp_path)) == 1


def test_two_tasks_with_the_same_image_let_go_of_it_together(gateway: Gateway, tmp_path: Path) -> None:
    put(gateway, task_id="task1")
    put(gateway, task_id="task2")

    gateway.client.delete("/api/v1/records/task1", headers=AUTHORIZED)
    assert fetched(gateway, task_id="task2").data == PNG
    gateway.client.delete("/api/v1/records/task2", headers=AUTHORIZED)

    assert objects(tmp_path) == []


def test_an_image_of_ours_outlives_what_could_be_fetched_again(tmp_path: Path) -> None:
    gateway = store_gateway(tmp_path, store_max_bytes="25000")

    for number in range(4):
        put(gateway, f"{number}.png", PNG + bytes([number]))

    assert [fetched(gateway, f"gateway:{number}.png").status_code for number in range(4)] == [200] * 4


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"<!doctype html>", 422, "not those of an image"),
        (b"", 422, "it is empty"),
        (b"\x89PN", 422, "not those of an image"),
        (PNG + bytes(100_000), 413, "larger"),
    ],
    ids=["a-page", "empty", "too-short", "too-large"],
)
def test_what_is_no_image_is_refused_and_nothing_is_kept(
    gateway: Gateway, tmp_path: Path, body: bytes, status: int, message: str
) -> None:
    response = put(gateway, body=body)

    assert response.status_code == response.json["code"] == status
    assert message in response.json["msg"]
    assert objects(tmp_path) == []
    assert gateway.client.get("/api/v1/records/task12345", headers=AUTHORIZED).status_code == 404


@pytest.mark.parametrize("name", ["x" * 251 + ".png", "ж" * 125 + "x.png"], ids=["ascii", "cyrillic"])
def test_a_name_of_255_bytes_is_kept_and_downloaded_under_it(gateway: Gateway, name: str) -> None:
    assert put(gateway, quote(name)).status_code == 200

    response = fetched(gateway, f"gateway:{quote(name)}")

    assert (response.status_code, len(name.encode())) == (200, 255)
    assert response.headers["Content-Disposition"].endswith(f"filename*=UTF-8''{quote(name)}") or name.isascii()


@pytest.mark.parametrize(
    "name", ["..", "%2e%2e", "a%5Cb.png", "a%00.png", "a%0Ab", "x" * 256, "%D0%B6" * 128, "%ED%A0%80"]
)
def test_a_name_that_plays_tricks_is_refused(gateway: Gateway, tmp_path: Path, name: str) -> None:
    response = put(gateway, name)

    assert response.status_code in {404, 405, 422}
    assert objects(tmp_path) == []


def test_a_task_has_so_many_results_and_no_more(gateway: Gateway, tmp_path: Path) -> None:
    urls = [f"gateway:{number}.png" for number in range(100)]
    body = json.dumps({"status": "SUCCESS", "resultUrls": urls})
    gateway.client.put("/api/v1/records/task12345", data=body, headers=AUTHORIZED)

    assert put(gateway, "99.png").status_code == 200
    refused = put(gateway, "100.png")

    assert refused.status_code == 422
    assert "another task id" in refused.json["msg"]
    assert len(objects(tmp_path)) == 1


def test_an_image_that_nobody_put_in_is_not_looked_for_anywhere(gateway: Gateway) -> None:
    body = json.dumps({"status": "SUCCESS", "resultUrls": ["gateway:cat.png"]})
    gateway.client.put("/api/v1/records/task12345", data=body, headers=AUTHORIZED)

    assert fetched(gateway).status_code == 451


def test_putting_an_image_in_needs_a_key(gateway: Gateway) -> None:
    assert gateway.client.put("/api/v1/records/task12345/files/cat.png", data=PNG).status_code == 401


def test_where_nothing_is_kept_links_name_no_kept_image() -> None:
    assert fetched(Gateway(make_settings())).status_code == 403
