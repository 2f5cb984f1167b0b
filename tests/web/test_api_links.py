"""``POST /api/v1/links``: a program orders a link, and a visitor follows it."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from tests.support.factories import API_KEY, PNG, PROVIDER_KEY, SECRET, Gateway, make_settings
from tests.support.servers import ScriptedServer

PATH = "/api/v1/links"
URL = "https://origin.example/v/cat.png"
AUTHORIZED = {"Authorization": f"Bearer {API_KEY}"}
MOST_BYTES = 64 * 1024


@pytest.fixture(scope="module")
def api() -> Gateway:
    """A gateway that mints links to one host, from which nothing is fetched; it keeps nothing between tests."""
    return Gateway(make_settings())


def post(gateway: Gateway, body: bytes, **headers: str) -> Any:
    """Send a body as it is, with the key."""
    return gateway.client.post(PATH, data=body, headers=AUTHORIZED | headers)


def order(gateway: Gateway, **fields: object) -> Any:
    """Order a link to the image; a field that is ``...`` is left out."""
    body = {name: value for name, value in ({"taskId": "task12345", "url": URL} | fields).items() if value is not ...}
    return post(gateway, json.dumps(body).encode())


def fields_of(link: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(link).query, strict_parsing=True))


def refusal(response: Any, status: int) -> str:
    """The message of an error response, which has the API's envelope, is not cached and holds no secret."""
    assert response.status_code == status
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert set(response.json) == {"code", "msg", "data"}
    assert (response.json["code"], response.json["data"]) == (status, None)
    assert not secrets_in(response)
    return str(response.json["msg"])


def secrets_in(response: Any) -> list[str]:
    everything = f"{response.headers}\n{response.text}"
    return [secret for secret in (SECRET, API_KEY, PROVIDER_KEY) if secret in everything]


# --- what comes back


def test_a_link_is_returned_in_the_envelope_with_what_was_ordered(api: Gateway) -> None:
    response = order(api, kind="page", mode="redirect", filename="Рыжий кот.png")

    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert set(response.json) == {"code", "msg", "data"}
    assert (response.json["code"], response.json["msg"]) == (200, "success")
    data = response.json["data"]
    assert set(data) == {"id", "link", "expiresAt", "warnings"}
    assert not secrets_in(response)
    fields = fields_of(data["link"])
    assert urlsplit(data["link"]).path == f"/download/task12345/{quote('Рыжий кот.png')}"
    assert (fields["url"], fields["mode"], fields["filename"]) == (URL, "redirect", "Рыжий кот.png")
    assert fields["id"] == data["id"]
    assert len({order(api).json["data"]["id"] for _ in range(5)}) == 5


def test_the_link_downloads_the_file_under_the_ordered_name_until_its_id_is_revoked(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    data = order(gateway, url=origin.serve("/v/0123456789.png", PNG), filename="cat.png").json["data"]

    response = gateway.client.get(data["link"])
    gateway.revoke(data["id"])

    assert (response.status_code, response.data) == (200, PNG)
    assert response.headers["Content-Disposition"].startswith('attachment; filename="cat.png"')
    assert gateway.client.get(data["link"]).status_code == 410


def test_a_link_expires_as_ordered_or_after_the_default_lifetime(api: Gateway) -> None:
    lifetimes: list[tuple[dict[str, object], int]] = [
        ({}, 900),
        ({"expiresIn": 60}, 60),
        ({"expiresIn": 2_592_000}, 2_592_000),
        ({"mode": None, "filename": None, "expiresIn": None}, 900),  # optional fields may be null
    ]
    for ordered, lifetime_s in lifetimes:
        data = order(api, **ordered).json["data"]
        fields = fields_of(data["link"])
        expires_at = datetime.strptime(data["expiresAt"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        assert int(fields["expires"]) == int(api.clock.now) + lifetime_s == expires_at.timestamp()
        assert not {"mode", "filename"} & set(fields)

    gateway = Gateway(make_settings(page_link_lifetime_s="7200"))
    expires = int(fields_of(order(gateway).json["data"]["link"])["expires"])
    assert 7190 <= expires - datetime.now(UTC).timestamp() <= 7200


# --- where it leads


def test_without_a_public_url_the_link_is_a_path_whatever_the_host_header_says(api: Gateway) -> None:
    response = post(
        api,
        json.dumps({"taskId": "task12345", "url": URL}).encode(),
        Host="evil.example",
        **{"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Forwarded": "host=evil.example"},
    )

    assert response.json["data"]["link"].startswith("/download/task12345/cat.png?")
    assert "evil.example" not in response.text


def test_with_a_public_url_the_link_is_absolute_and_works(origin: ScriptedServer) -> None:
    gateway = Gateway(make_settings(origin.address, public_url="https://files.example/get"))
    url = origin.serve("/v/cat.png", PNG)

    response: Any = gateway.client.post(
        "/get" + PATH, json={"taskId": "task12345", "url": url}, headers=AUTHORIZED | {"Host": "evil.example"}
    )

    link = response.json["data"]["link"]
    assert link.startswith("https://files.example/get/download/task12345/cat.png?")
    assert gateway.client.get(link.removeprefix("https://files.example")).data == PNG


# --- authentication


def test_without_a_valid_key_the_call_is_401_before_the_body_is_read(api: Gateway) -> None:
    refused: list[dict[str, str]] = [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": API_KEY},
        {"Authorization": f"Basic {API_KEY}"},
        {"Authorization": f"Token {API_KEY}"},
        {"Authorization": f"Bearer{API_KEY}"},
        {"X-Api-Key": API_KEY},
        {"Authorization": f"Bearer {API_KEY[:-1]}"},
        {"Authorization": f"Bearer {API_KEY}x"},
        {"Authorization": f"Bearer {API_KEY.upper()}"},
        {"Authorization": f"Bearer {API_KEY},{API_KEY}"},
        {"Authorization": f"Bearer tests:{API_KEY}"},
        {"Authorization": f"Bearer {SECRET}"},
        {"Authorization": f"Bearer {PROVIDER_KEY}"},
        {"Authorization": "Bearer tests"},
        {"Authorization": "Bearer ключ".encode().decode("latin-1")},
        {"Authorization": "Bearer \xff"},
    ]
    for headers in refused:
        response = api.client.post(PATH, json={"taskId": "task12345", "url": URL}, headers=headers)
        refusal(response, 401)
        assert response.headers["WWW-Authenticate"] == "Bearer", headers
    for body in (b"", b"not json", b"x" * (MOST_BYTES + 1)):
        assert "Authorization: Bearer" in refusal(api.client.post(PATH, data=body), 401)
    unknown = api.client.post(PATH, json={}, headers={"Authorization": "Bearer unknown"})
    assert refusal(unknown, 401) == "This API key is not valid."
    refusal(order(Gateway(make_settings(api_keys=""))), 401)


def test_every_configured_key_is_valid_with_the_scheme_in_any_case() -> None:
    keys = {"shop": "s" * 32, "mail": "m" * 32}
    gateway = Gateway(make_settings(api_keys=",".join(f"{name}:{key}" for name, key in keys.items())))

    for scheme, key in [("Bearer", keys["shop"]), ("bearer", keys["mail"]), ("BEARER", keys["mail"])]:
        headers = {"Authorization": f"{scheme} {key}"}
        response = gateway.client.post(PATH, json={"taskId": "task12345", "url": URL}, headers=headers)
        assert response.status_code == 200


# --- what cannot be ordered


def test_a_body_must_be_a_json_object_of_at_most_64_kib_whatever_its_type(api: Gateway) -> None:
    for body in (
        b"",
        b" ",
        b"{",
        b"hello",
        b"taskId=task12345&url=x",
        b"{'taskId': 'task12345'}",
        b'{"taskId": "task12345",}',
        b"\xff\xfe{\x00}\x00",
        b'{"taskId": "task12345", "url": "\xff"}',
        b'{"taskId": "task12345", "url": "\xed\xa0\x80"}',
        rb'{"taskId": "task12345", "url": "https://origin.example/\ud800"}',
        rb'{"taskId": "task12345", "url": "https://origin.example/a", "filename": "\udc00\ud800"}',
        b"[" * 60_000,
        b'{"a":' * 10_000,
    ):
        assert refusal(post(api, body), 422) == "the body is not JSON", body[:40]
    for body in (b"[]", b"null", b"1", b'"text"', b"true", b'[{"taskId":"a","url":"b"}]'):
        assert refusal(post(api, body), 422) == "the body must be an object"

    valid = json.dumps({"taskId": "task12345", "url": URL}).encode()
    for content_type in ("application/json", "text/plain", "application/x-www-form-urlencoded", ""):
        assert post(api, valid, **{"Content-Type": content_type}).status_code == 200
    assert post(api, valid.ljust(MOST_BYTES)).status_code == 200
    assert "64 KiB" in refusal(post(api, valid.ljust(MOST_BYTES + 1)), 413)


BAD_FIELDS: list[tuple[dict[str, object], str]] = [
    # missing and unknown
    ({"taskId": ...}, "taskId"),
    ({"url": ...}, "url"),
    ({"task_id": "task12345"}, "task_id"),
    ({"expires": 60}, "expires"),
    ({"id": "chosen"}, "id"),
    # of another type
    ({"taskId": 12345}, "taskId"),
    ({"taskId": None}, "taskId"),
    ({"taskId": ["task12345"]}, "taskId"),
    ({"url": 1}, "url"),
    ({"url": None}, "url"),
    ({"url": {"href": URL}}, "url"),
    ({"filename": 1}, "filename"),
    ({"filename": False}, "filename"),
    ({"mode": 1}, "mode"),
    ({"kind": None}, "kind"),
    ({"expiresIn": "900"}, "expiresIn"),
    ({"expiresIn": True}, "expiresIn"),
    ({"expiresIn": 900.0}, "expiresIn"),
    ({"expiresIn": 900.5}, "expiresIn"),
    ({"expiresIn": [900]}, "expiresIn"),
    # out of bounds
    ({"expiresIn": 59}, "expiresIn"),
    ({"expiresIn": 0}, "expiresIn"),
    ({"expiresIn": -900}, "expiresIn"),
    ({"expiresIn": 2_592_001}, "expiresIn"),
    ({"expiresIn": 10**400}, "expiresIn"),
    # not on the list
    ({"kind": ""}, "kind"),
    ({"mode": "zip"}, "mode"),
    ({"mode": ""}, "mode"),
    ({"mode": "Stream"}, "mode"),
    # against a link's rules
    ({"taskId": ""}, "taskId"),
    ({"taskId": "a b"}, "taskId"),
    ({"taskId": "../etc"}, "taskId"),
    ({"taskId": "a" * 129}, "taskId"),
    ({"taskId": "a\n"}, "taskId"),
    ({"url": ""}, "url"),
    ({"url": URL + "\n"}, "url"),
    ({"url": URL + "\x00"}, "url"),
    ({"url": URL + "\x85"}, "url"),
    ({"url": URL.ljust(2049, "a")}, "url"),
    ({"filename": ""}, "filename"),
    ({"filename": "a\r\nSet-Cookie: b"}, "filename"),
    ({"filename": "a\x7f"}, "filename"),
    ({"filename": "a" * 256}, "filename"),
]


def test_a_bad_field_is_refused_by_name(api: Gateway) -> None:
    for fields, name in BAD_FIELDS:
        assert refusal(order(api, **fields), 422).startswith(f"{name}: "), ascii(fields)[:60]


def test_a_url_that_is_not_served_from_here_is_refused_and_not_repeated(api: Gateway) -> None:
    for url in (
        "https://elsewhere.example/cat.png",
        "https://origin.example.evil.example/",
        "https://evil-origin.example/",
        "https://sub.origin.example/",
        "https://origin.example:8443/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://[::1]/",
        "https://user:password@origin.example/",
        "ftp://origin.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "//origin.example/v/cat.png",
        "/v/cat.png",
        "origin.example/v/cat.png",
        "https://origin.example\\@evil.example/",
    ):
        message = refusal(order(api, url=url), 422)
        assert message.startswith("url: "), url
        assert url not in message


def test_a_url_with_a_space_is_signed_as_it_is(api: Gateway) -> None:
    response = order(api, url="https://origin.example/a b")

    assert response.status_code == 200
    assert fields_of(response.json["data"]["link"])["url"] == "https://origin.example/a b"


def test_plain_http_is_refused_unless_it_is_allowed() -> None:
    url = "http://origin.example/v/cat.png"

    assert refusal(order(Gateway(make_settings(allow_http="false")), url=url), 422).startswith("url: ")
    assert order(Gateway(make_settings(allow_http="true")), url=url).status_code == 200


def test_a_url_of_the_gateway_itself_is_refused() -> None:
    gateway = Gateway(make_settings(origin_hosts="*", public_url="https://files.example"))

    assert refusal(order(gateway, url="https://files.example/v/cat.png"), 422).startswith("url: ")


def test_all_bad_fields_are_reported_together(api: Gateway) -> None:
    message = refusal(order(api, taskId=1, mode="zip", nope=1), 422)

    assert [part.partition(":")[0] for part in message.split("; ")] == ["taskId", "mode", "nope"]


def test_a_secret_put_into_a_wrong_field_does_not_come_back(api: Gateway) -> None:
    refusal(order(api, mode=SECRET, expiresIn=API_KEY, kind=PROVIDER_KEY), 422)


# --- other requests


def test_every_other_call_is_refused_in_the_envelope(api: Gateway) -> None:
    for method in ("PUT", "PATCH", "DELETE"):
        headers = AUTHORIZED | {"Accept": "text/html", "Sec-Fetch-Dest": "document"}
        response = api.client.open(PATH, method=method, headers=headers)
        refusal(response, 405)
        assert "POST" in response.headers["Allow"].split(", ")
        assert method not in response.headers["Allow"].split(", ")
    refusal(api.client.post("/api/v1/link", headers=AUTHORIZED), 404)
