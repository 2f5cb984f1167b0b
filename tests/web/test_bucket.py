"""A gateway whose images lie in a bucket: what a click, a caller of the API and an operator get."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

import pytest

from gateway.records.record import Record
from gateway.settings import Bucket
from tests.support.buckets import SECRET, Cable, S3Server
from tests.support.factories import API_KEY, PNG, Clock, Gateway, make_settings
from tests.support.real_logs import real_logs
from tests.support.servers import ScriptedServer

CAT = "Рыжий кот.png"
MakeGateway = Callable[..., Gateway]


@pytest.fixture
def make_gateway(origin: ScriptedServer, s3: S3Server, bucket: Bucket, tmp_path: Path) -> MakeGateway:
    """Make a gateway whose store is the bucket, reached at an endpoint, and that may send browsers to ``listed``."""

    def make(*listed: str, endpoint_url: str = s3.url, **changes: Any) -> Gateway:
        values = {
            "resolver": "store",
            "upstream_api_key": "",
            "database_url": f"sqlite:///{tmp_path}/gateway.db",
            "store": str(bucket),
            "s3_endpoint_url": endpoint_url,
        }
        settings = make_settings(origin.address, *listed, **values | changes)
        gateway = Gateway(settings, clock=Clock())
        assert gateway.services.store is not None
        gateway.services.database.migrate()
        return gateway

    return make


@pytest.fixture
def private(make_gateway: MakeGateway) -> Gateway:
    """A gateway that alone reaches the bucket's server."""
    return make_gateway()


@pytest.fixture
def public(make_gateway: MakeGateway, s3: S3Server) -> Gateway:
    """A gateway whose visitors reach the bucket's server too."""
    return make_gateway(s3.address)


@pytest.fixture
def url(origin: ScriptedServer) -> str:
    """Where an image was published."""
    return origin.serve("/v/cat.png", PNG)


def click(gateway: Gateway, url: str, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    """Follow a link to an image of a task that is known."""
    assert gateway.services.store is not None
    gateway.services.store.records.put(Record("task12345", "SUCCESS", (url,), int(gateway.clock.now * 1000)))
    return gateway.client.get(gateway.link(url, **fields), headers=headers, buffered=True)


def direct_url(gateway: Gateway, url: str) -> str:
    """What a caller of the provider's API gets."""
    response = call(gateway, url)
    assert response.json["code"] == 200, response.json
    return str(response.json["data"])


def call(gateway: Gateway, url: str) -> Any:
    body = json.dumps({"taskId": "task12345", "url": url})
    headers = {"Authorization": f"Bearer {API_KEY}"}
    return gateway.client.post("/api/v1/gpt4o-image/download-url", data=body, headers=headers)


def fetched(target: str) -> tuple[bytes, str, str]:
    with urlopen(target) as response:
        return response.read(), response.headers["Content-Disposition"], response.headers["Content-Type"]


def check(gateway: Gateway) -> tuple[int, str]:
    """Exit code and last line of ``flask --app wsgi check``."""
    result = gateway.app.test_cli_runner().invoke(args=["check"])
    return result.exit_code, result.output.splitlines()[-1]


def ready(gateway: Gateway) -> tuple[int, str]:
    response: Any = gateway.client.get("/readyz")
    return response.status_code, response.json["checks"]["store"]


# --- a server that only we reach


def test_from_a_private_endpoint_the_image_is_streamed_and_fetched_once(
    private: Gateway, url: str, origin: ScriptedServer
) -> None:
    first, second = click(private, url, filename=CAT), click(private, url)

    assert (first.status_code, first.data, second.data) == (200, PNG, PNG)
    assert first.headers["X-Gateway-Delivery"] == "stream; reason=private-endpoint"
    assert first.headers["Content-Disposition"].endswith("filename*=UTF-8''" + quote(CAT))
    assert origin.paths() == ["/v/cat.png"]


def test_a_browser_is_not_sent_to_a_private_endpoint_even_where_the_link_says_so(private: Gateway, url: str) -> None:
    response = click(private, url, mode="redirect")

    assert (response.status_code, response.data) == (200, PNG)
    assert "Location" not in response.headers


def test_parts_and_head_of_an_image_in_a_bucket_are_right(private: Gateway, url: str) -> None:
    whole = click(private, url)
    part = click(private, url, {"Range": "bytes=5-9"})
    resumed = click(private, url, {"Range": "bytes=100-", "If-Range": whole.headers["ETag"]})
    head: Any = private.client.head(private.link(url))

    assert (part.status_code, part.data) == (206, PNG[5:10])
    assert (resumed.status_code, resumed.data) == (206, PNG[100:])
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(PNG)))
    assert head.headers["ETag"] == whole.headers["ETag"]


def test_a_caller_gets_our_own_url_for_a_private_endpoint(private: Gateway, url: str) -> None:
    click(private, url)

    target = urlsplit(direct_url(private, url))
    image: Any = private.client.get(f"{target.path}?{target.query}", buffered=True)
    part: Any = private.client.get(f"{target.path}?{target.query}", headers={"Range": "bytes=5-9"}, buffered=True)

    assert target.path.startswith("/files/")
    assert (image.status_code, image.data, part.data) == (200, PNG, PNG[5:10])
    assert image.headers["Content-Disposition"].startswith('attachment; filename="cat.png"')


# --- a server that visitors reach


def test_a_browser_is_sent_to_a_listed_endpoint_where_the_image_downloads_under_the_links_name(
    public: Gateway, url: str, s3: S3Server
) -> None:
    response = click(public, url, filename=CAT)
    body, disposition, content_type = fetched(response.headers["Location"])

    assert response.status_code == 302
    assert response.headers["X-Gateway-Delivery"] == "redirect; reason=attachment"
    assert response.headers["Location"].startswith(s3.url)
    assert (body, content_type) == (PNG, "image/png")
    assert disposition.endswith("filename*=UTF-8''" + quote(CAT))


def test_the_name_of_one_link_never_reaches_another(public: Gateway, url: str) -> None:
    names = ("one.png", "two.png", None)

    said = [fetched(click(public, url, filename=name).headers["Location"])[1] for name in names]

    assert [disposition.rpartition("'")[2] for disposition in said] == ["one.png", "two.png", "cat.png"]


@pytest.mark.parametrize(
    ("fields", "headers", "reason"),
    [
        ({"mode": "stream"}, {}, "mode"),
        ({}, {"Range": "bytes=0-"}, "range"),
    ],
)
def test_what_is_never_redirected_is_streamed_out_of_a_listed_endpoint(
    public: Gateway, url: str, fields: dict[str, Any], headers: dict[str, str], reason: str
) -> None:
    response = click(public, url, headers, **fields)

    assert (response.data, response.headers["X-Gateway-Delivery"]) == (PNG, f"stream; reason={reason}")


def test_a_caller_gets_a_presigned_url_of_twenty_minutes(public: Gateway, url: str, s3: S3Server) -> None:
    click(public, url)

    target = direct_url(public, url)
    body, disposition, _ = fetched(target)

    assert target.startswith(s3.url)
    assert "X-Amz-Expires=1200&" in target
    assert body == PNG
    assert disposition.startswith('attachment; filename="cat.png"')


# --- what goes wrong


def test_an_image_that_was_dropped_from_the_bucket_is_fetched_anew(
    private: Gateway, url: str, s3: S3Server, bucket: Bucket, origin: ScriptedServer
) -> None:
    click(private, url)
    (key,) = s3.keys(bucket)
    s3.client.delete_object(Bucket=bucket.name, Key=key)
    private.clock.now += 1200

    assert click(private, url).data == PNG
    assert origin.paths() == ["/v/cat.png"] * 2


def test_while_the_bucket_cannot_be_reached_visitors_are_told_so_and_the_gateway_is_not_ready(
    make_gateway: MakeGateway, url: str, s3: S3Server
) -> None:
    with Cable(s3.port) as cable:
        gateway = make_gateway(endpoint_url=f"http://127.0.0.1:{cable.port}")
        click(gateway, url)

    page = click(gateway, url, {"Accept": "text/html"})
    new = click(gateway, url + "?2", {"Accept": "text/plain"})
    called = call(gateway, url + "?2")

    assert (page.status_code, page.mimetype) == (503, "text/html")
    assert "Our image store is not available right now" in page.text
    assert (new.status_code, new.text.partition(":")[0]) == (503, "503 storage_down")
    assert (called.status_code, called.json["code"]) == (500, 500)
    assert ready(gateway) == (503, "down")


def test_a_gateway_whose_bucket_answers_is_ready(private: Gateway) -> None:
    assert ready(private) == (200, "ok")


def test_a_wrong_key_is_logged_with_its_remedy_and_nothing_secret(
    private: Gateway, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET + "-wrong")

    with real_logs() as written:
        response = click(private, url, {"Accept": "text/plain"})

    assert (response.status_code, response.text.partition(":")[0]) == (503, "503 storage_down")
    assert "AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is wrong" in written.getvalue()
    assert [secret for secret in (SECRET, "AWS4-HMAC-SHA256", "test:tester") if secret in written.getvalue()] == []
    assert "AWS" not in response.text


# --- check


def test_check_says_that_the_store_works_and_whether_browsers_are_sent_there(
    private: Gateway, public: Gateway, s3: S3Server, bucket: Bucket
) -> None:
    told = "store: writes, reads and deletes; browsers are "

    assert check(private) == (0, told + "not redirected to it (private-endpoint)")
    assert check(public) == (0, told + "redirected to it")
    assert s3.keys(bucket) == []


@pytest.mark.parametrize(
    ("changes", "keys", "told"),
    [
        ({"store": "s3://no-such-bucket"}, {}, "NoSuchBucket: create the bucket, or correct GATEWAY_STORE"),
        ({"endpoint_url": "http://127.0.0.1:9"}, {}, "no response from GATEWAY_S3_ENDPOINT_URL"),
        ({}, {"AWS_SECRET_ACCESS_KEY": "wrong"}, "AWS_SECRET_ACCESS_KEY is wrong"),
        ({}, {"AWS_ACCESS_KEY_ID": "test:guest"}, "the key must be allowed to get, put and delete"),
        ({}, {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS"),
    ],
    ids=["no-bucket", "no-server", "wrong-key", "forbidden", "no-key"],
)
def test_check_says_what_is_wrong_with_the_store_and_the_remedy(
    make_gateway: MakeGateway,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, str],
    keys: dict[str, str],
    told: str,
) -> None:
    for name, value in keys.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)

    code, line = check(make_gateway(**changes))

    assert code == 1
    assert line.startswith("Error: store: storage_down: ")
    assert told in line
