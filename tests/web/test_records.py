"""A gateway without a provider: tell it of a task, follow a link, get the image."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.records.record import DAY_MS
from tests.support.factories import API_KEY, PNG, Gateway, make_settings, store_gateway
from tests.support.servers import Request, ScriptedServer, answer


@pytest.fixture
def gateway(origin: ScriptedServer, tmp_path: Path) -> Gateway:
    return store_gateway(tmp_path, origin.address, max_bytes="100000")


def call(gateway: Gateway, method: str, task_id: str = "task12345", body: object = None, key: str = API_KEY) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return gateway.client.open(f"/api/v1/records/{task_id}", method=method, data=data, headers=headers)


def download(gateway: Gateway, url: str, headers: dict[str, str] | None = None) -> Any:
    """Follow a fresh link and close the response, as a server does."""
    return gateway.client.get(gateway.link(url), headers=headers, buffered=True)


def put_record(gateway: Gateway, *urls: str, status: str = "SUCCESS", **more: object) -> None:
    response = call(gateway, "PUT", body={"status": status, "resultUrls": list(urls), **more})
    assert response.status_code == 200, response.text


def test_an_image_of_a_known_task_is_downloaded_and_fetched_once(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG)
    put_record(gateway, url)

    first = download(gateway, url)
    origin.route("/v/cat.png", answer(404))
    gateway.clock.now += 3600
    second = download(gateway, url)

    assert (first.status_code, first.data, first.headers["Content-Type"]) == (200, PNG, "image/png")
    assert first.headers["X-Gateway-Delivery"] == "stream; reason=own-bytes"
    assert (second.status_code, second.data) == (200, PNG)
    assert origin.paths() == ["/v/cat.png"]


def test_a_stored_image_supports_ranges_and_resuming(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG)
    put_record(gateway, url)
    tag = download(gateway, url).headers["ETag"]

    part = download(gateway, url, headers={"Range": "bytes=100-199", "If-Range": tag})
    looked = gateway.client.head(gateway.link(url))

    assert (part.status_code, part.data) == (206, PNG[100:200])
    assert looked.headers["Content-Length"] == str(len(PNG))


def test_a_stored_image_that_was_evicted_is_fetched_again(
    gateway: Gateway, origin: ScriptedServer, tmp_path: Path
) -> None:
    url = origin.serve("/v/cat.png", PNG)
    put_record(gateway, url)
    download(gateway, url)
    for path in (tmp_path / "store").glob("??/*"):
        path.unlink()
    gateway.clock.now += 3600

    response = download(gateway, url)

    assert (response.status_code, response.data) == (200, PNG)


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (None, "record_not_found"),
        ({"status": "GENERATING"}, "record_not_ready"),
        ({"status": "GENERATE_FAILED"}, "record_not_ready"),
        ({"status": "SUCCESS"}, "result_missing"),
        ({"status": "SUCCESS", "resultUrls": []}, "result_empty"),
        ({"status": "SUCCESS", "resultUrls": [" "]}, "result_blank"),
        ({"status": "SUCCESS", "resultUrls": [], "createdAt": 1}, "record_too_old"),
    ],
)
def test_a_task_without_the_image_says_why(
    gateway: Gateway, origin: ScriptedServer, record: dict[str, object] | None, code: str
) -> None:
    url = origin.serve("/v/cat.png", PNG)
    if record is not None:
        assert call(gateway, "PUT", body=record).status_code == 200

    response = download(gateway, url)

    assert response.text.split(":")[0].split(" ")[1] == code
    assert origin.seen == []


def test_a_record_is_served_until_its_last_day(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG)
    put_record(gateway, url, createdAt=int(gateway.clock.now * 1000) - 14 * DAY_MS + 60_000)

    assert download(gateway, url).status_code == 200
    gateway.clock.now += 3600
    assert download(gateway, url).status_code == 410


def test_an_image_that_the_record_does_not_name_is_not_fetched(gateway: Gateway, origin: ScriptedServer) -> None:
    put_record(gateway, origin.url("/v/cat.png"))

    response = download(gateway, origin.serve("/v/other.png", PNG))

    assert response.status_code == 404
    assert origin.seen == []


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(answer(200, b"<!doctype html><title>no</title>"), 451, id="a-page"),
        pytest.param(answer(200, b""), 451, id="empty"),
        pytest.param(answer(404, PNG), 451, id="missing"),
        pytest.param(answer(302, b"", {"Location": "http://10.0.0.1/x.png"}), 451, id="leads-inside"),
        pytest.param(answer(200, PNG, {"Content-Length": "99999"}), 451, id="cut"),
        pytest.param(answer(200, PNG + bytes(200_000)), 451, id="too-large"),
        pytest.param(answer(200, PNG, {"Content-Length": "10737418240"}), 451, id="ten-gigabytes"),
        pytest.param(answer(200, gzip.compress(PNG + bytes(50_000_000)), {"Content-Encoding": "gzip"}), 451, id="bomb"),
    ],
)
def test_an_incomplete_or_invalid_image_is_not_stored(
    gateway: Gateway, origin: ScriptedServer, tmp_path: Path, sent: bytes, status: int
) -> None:
    url = origin.route("/v/cat.png", sent)
    put_record(gateway, url)

    response = download(gateway, url)

    assert response.status_code == status
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []


def test_a_record_is_returned_in_the_providers_format_and_can_be_deleted(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    put_record(gateway, origin.url("/v/cat.png"))

    found = call(gateway, "GET")
    forgotten = call(gateway, "DELETE")

    assert found.json["data"]["response"] == {"resultUrls": [origin.url("/v/cat.png")]}
    assert forgotten.json == {"code": 200, "msg": "success", "data": None}
    assert call(gateway, "GET").status_code == call(gateway, "DELETE").status_code == 404


def test_a_changed_record_takes_effect_immediately(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG)
    put_record(gateway, url, status="GENERATING")
    statuses = [download(gateway, url).status_code]

    put_record(gateway, url)
    statuses.append(download(gateway, url).status_code)
    put_record(gateway)
    statuses.append(download(gateway, url).status_code)
    put_record(gateway, url)
    statuses.append(download(gateway, url).status_code)
    call(gateway, "DELETE")
    statuses.append(download(gateway, url).status_code)

    assert statuses == [404, 200, 404, 200, 404]


def test_a_record_changed_in_another_worker_takes_effect_within_ten_seconds(
    gateway: Gateway, origin: ScriptedServer, tmp_path: Path
) -> None:
    url, other = origin.serve("/v/cat.png", PNG), store_gateway(tmp_path, origin.address)
    for task_id in ("task12345", "another"):  # which keeps the same image
        call(other, "PUT", task_id, {"status": "SUCCESS", "resultUrls": [url]})
        assert gateway.client.get(gateway.link(url, task_id), buffered=True).status_code == 200

    call(other, "DELETE")
    gateway.clock.now += 11

    assert download(gateway, url).status_code == 404


def test_nothing_is_stored_of_a_task_that_is_deleted_during_the_fetch(
    gateway: Gateway, origin: ScriptedServer, tmp_path: Path
) -> None:
    def deleted_meanwhile(_request: Request) -> bytes:
        assert gateway.services.store is not None
        assert gateway.services.store.record_files.delete("task12345")
        return answer(200, PNG)

    url = origin.route("/v/cat.png", deleted_meanwhile)
    put_record(gateway, url)
    download(gateway, url)

    assert gateway.services.store is not None
    assert gateway.services.store.index.find("task12345", url) is None
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []


def test_links_to_a_deleted_record_stop_working_even_if_another_record_has_the_image(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    url = origin.serve("/v/cat.png", PNG)
    put_record(gateway, url)
    call(gateway, "PUT", "another", {"status": "SUCCESS", "resultUrls": [url]})
    assert download(gateway, url).data == gateway.client.get(gateway.link(url, "another"), buffered=True).data == PNG

    call(gateway, "DELETE")

    assert download(gateway, url).text.startswith("404 record_not_found")
    assert gateway.client.get(gateway.link(url, "another"), buffered=True).data == PNG


def test_links_to_an_image_removed_from_its_record_stop_working(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG)
    put_record(gateway, url)
    assert download(gateway, url).data == PNG

    put_record(gateway, origin.url("/v/another.png"))

    assert download(gateway, url).text.startswith("404 image_rejected")


def test_a_record_that_was_deleted_and_created_again_has_working_direct_urls(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    url = origin.serve("/v/cat.png", PNG)
    body, headers = {"taskId": "task12345", "url": url}, {"Authorization": f"Bearer {API_KEY}"}
    put_record(gateway, url)
    gateway.client.post("/api/v1/gpt4o-image/download-url", json=body, headers=headers)
    call(gateway, "DELETE")
    put_record(gateway, url)

    direct: Any = gateway.client.post("/api/v1/gpt4o-image/download-url", json=body, headers=headers)

    assert gateway.client.get(direct.json["data"], buffered=True).data == PNG


def test_a_new_record_takes_effect_immediately(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG)
    assert download(gateway, url).status_code == 404

    put_record(gateway, url)

    assert download(gateway, url).data == PNG


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("key", ["", "wrong-wrong-wrong-wrong-wrong-wrong-wrong"])
def test_records_need_a_key(gateway: Gateway, method: str, key: str) -> None:
    response = call(gateway, method, body={"status": "SUCCESS"}, key=key)

    assert response.status_code == response.json["code"] == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"not json", "not JSON"),
        ([], "object"),
        ({}, "status"),
        ({"status": "DONE"}, "status"),
        ({"status": "SUCCESS", "resultUrls": "x"}, "resultUrls"),
        ({"status": "SUCCESS", "resultUrls": [1]}, "resultUrls.0"),
        ({"status": "SUCCESS", "resultUrls": ["http://10.0.0.1/x"]}, "resultUrls.0"),
        ({"status": "SUCCESS", "resultUrls": ["x"] * 101}, "resultUrls"),
        ({"status": "SUCCESS", "createdAt": "yesterday"}, "createdAt"),
        ({"status": "SUCCESS", "createdAt": -1}, "createdAt"),
    ],
)
def test_a_body_that_cannot_be_used_names_the_field(gateway: Gateway, body: object, field: str) -> None:
    response = call(gateway, "PUT", body=body)

    assert response.status_code == response.json["code"] == 422
    assert field in response.json["msg"]


def test_unknown_fields_are_ignored(gateway: Gateway) -> None:
    assert call(gateway, "PUT", body={"status": "GENERATING", "prompt": "a cat"}).status_code == 200


def test_a_body_that_is_too_large_is_413(gateway: Gateway) -> None:
    assert call(gateway, "PUT", body=b" " * 70_000).status_code == 413


@pytest.mark.parametrize("task_id", ["..", "a b", ".x", "x" * 129, "%2e%2e%2fetc"])
def test_an_invalid_task_id_has_no_record(gateway: Gateway, task_id: str) -> None:
    assert call(gateway, "PUT", task_id, {"status": "SUCCESS"}).status_code in {404, 405}


def test_a_gateway_with_a_provider_has_no_records(origin: ScriptedServer) -> None:
    assert call(Gateway(make_settings(origin.address)), "PUT", body={"status": "SUCCESS"}).status_code == 404


def test_without_its_database_the_gateway_responds_503_and_is_not_ready(
    gateway: Gateway, origin: ScriptedServer, tmp_path: Path
) -> None:
    assert gateway.services.store is not None
    gateway.services.database.engine.dispose()
    for path in tmp_path.glob("gateway.db*"):
        path.unlink()

    response = download(gateway, origin.serve("/v/cat.png", PNG))

    assert response.status_code == 503
    assert call(gateway, "GET").status_code == 503


def test_a_swept_record_still_says_that_it_is_too_old(gateway: Gateway, origin: ScriptedServer, tmp_path: Path) -> None:
    old, young = origin.serve("/v/old.png", PNG), origin.serve("/v/young.png", PNG + b"!")
    put_record(gateway, old)
    download(gateway, old)
    gateway.clock.now += 14.5 * 86_400
    body = {"status": "SUCCESS", "resultUrls": [young], "createdAt": int(gateway.clock.now * 1000)}
    assert call(gateway, "PUT", "young", body).status_code == 200
    gateway.client.get(gateway.link(young, "young"), buffered=True)

    swept = gateway.app.test_cli_runner().invoke(args=["sweep"])

    assert swept.output == "Records swept: 1. Tombstones deleted: 0. Orphaned objects deleted: 0.\n"
    assert len([path for path in (tmp_path / "store").rglob("*") if path.is_file()]) == 1
    assert download(gateway, old).status_code == 410
    gateway.clock.now += 61 * 86_400
    gateway.app.test_cli_runner().invoke(args=["sweep"])
    assert download(gateway, old).status_code == 404
