"""``POST /api/v1/links``: a program orders a link, a visitor follows it."""

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
    """The message of an answer that must be a refusal in the API's form, nobody's to keep, and without a secret."""
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


def test_a_link_is_minted_in_the_envelope(api: Gateway) -> None:
    response = order(api)

    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert set(response.json) == {"code", "msg", "data"}
    assert (response.json["code"], response.json["msg"]) == (200, "success")
    assert set(response.json["data"]) == {"id", "link", "expiresAt", "warnings"}
    assert not secrets_in(response)


def test_a_minted_link_downloads_the_file(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG)

    link = order(gateway, url=url).json["data"]["link"]
    response = gateway.client.get(link)

    assert response.status_code == 200
    assert response.data == PNG
    assert response.headers["Content-Disposition"].startswith("attachment")


def test_a_minted_link_has_the_requested_fields(api: Gateway) -> None:
    minted = order(api, kind="page", mode="redirect", filename="Рыжий кот.png").json["data"]

    fields = fields_of(minted["link"])
    assert urlsplit(minted["link"]).path == f"/download/task12345/{quote('Рыжий кот.png')}"
    assert (fields["url"], fields["mode"], fields["filename"]) == (URL, "redirect", "Рыжий кот.png")
    assert fields["id"] == minted["id"]


def test_the_requested_filename_is_the_name_of_the_file(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/0123456789.png", PNG)

    link = order(gateway, url=url, filename="cat.png").json["data"]["link"]

    disposition = gateway.client.get(link).headers["Content-Disposition"]
    assert disposition.startswith('attachment; filename="cat.png"')


@pytest.mark.parametrize("field", ["mode", "filename", "expiresIn"])
def test_an_optional_field_may_be_null(api: Gateway, field: str) -> None:
    response = order(api, **{field: None})

    assert response.status_code == 200
    assert field not in fields_of(response.json["data"]["link"])


def test_every_link_has_its_own_id(api: Gateway) -> None:
    ids = {order(api).json["data"]["id"] for _ in range(20)}

    assert len(ids) == 20


def test_a_minted_link_can_be_revoked_by_its_id(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG)
    minted = order(gateway, url=url).json["data"]

    gateway.revoke(minted["id"])

    assert gateway.client.get(minted["link"]).status_code == 410


# --- how long it lives


@pytest.mark.parametrize(
    ("ordered", "life_s"),
    [({}, 900), ({"expiresIn": 60}, 60), ({"expiresIn": 3600}, 3600), ({"expiresIn": 2_592_000}, 2_592_000)],
    ids=["default", "shortest", "an-hour", "longest"],
)
def test_a_link_has_the_requested_lifetime(api: Gateway, ordered: dict[str, object], life_s: int) -> None:
    minted = order(api, **ordered).json["data"]

    assert int(fields_of(minted["link"])["expires"]) == int(api.clock.now) + life_s


def test_the_default_lifetime_is_the_setting() -> None:
    gateway = Gateway(make_settings(page_link_lifetime_s="7200"))

    expires = int(fields_of(order(gateway).json["data"]["link"])["expires"])

    assert 7190 <= expires - datetime.now(UTC).timestamp() <= 7200


def test_expires_at_is_in_utc_and_equals_the_expiry_of_the_link(api: Gateway) -> None:
    minted = order(api).json["data"]

    expires_at = datetime.strptime(minted["expiresAt"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert expires_at.timestamp() == int(fields_of(minted["link"])["expires"])


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


# --- who may


@pytest.mark.parametrize(
    "headers",
    [
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
    ],
    ids=[
        "none",
        "empty",
        "scheme-only",
        "scheme-and-blank",
        "no-scheme",
        "basic",
        "token",
        "no-blank",
        "another-header",
        "cut-short",
        "too-long",
        "capitals",
        "twice",
        "with-its-name",
        "the-signing-secret",
        "the-providers-key",
        "only-its-name",
        "utf8",
        "not-utf8",
    ],
)
def test_without_a_valid_key_no_link_is_minted(api: Gateway, headers: dict[str, str]) -> None:
    response = api.client.post(PATH, json={"taskId": "task12345", "url": URL}, headers=headers)

    refusal(response, 401)
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_without_a_key_the_message_names_the_header(api: Gateway) -> None:
    missing = api.client.post(PATH, json={"taskId": "task12345", "url": URL})
    unknown = api.client.post(PATH, json={}, headers={"Authorization": "Bearer unknown"})

    assert "Authorization: Bearer" in refusal(missing, 401)
    assert refusal(unknown, 401) == "This API key is not valid."


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_authentication_scheme_is_case_insensitive(api: Gateway, scheme: str) -> None:
    response = api.client.post(
        PATH, json={"taskId": "task12345", "url": URL}, headers={"Authorization": f"{scheme} {API_KEY}"}
    )

    assert response.status_code == 200


def test_every_configured_key_is_accepted() -> None:
    keys = {"shop": "s" * 32, "mail": "m" * 32}
    gateway = Gateway(make_settings(api_keys=",".join(f"{name}:{key}" for name, key in keys.items())))

    for key in keys.values():
        response = gateway.client.post(
            PATH, json={"taskId": "task12345", "url": URL}, headers={"Authorization": f"Bearer {key}"}
        )
        assert response.status_code == 200


def test_without_configured_keys_no_key_is_accepted() -> None:
    gateway = Gateway(make_settings(api_keys=""))

    refusal(order(gateway), 401)


@pytest.mark.parametrize("body", [b"", b"not json", b"x" * (MOST_BYTES + 1)], ids=["empty", "not-json", "too-large"])
def test_the_key_is_checked_before_the_body(api: Gateway, body: bytes) -> None:
    refusal(api.client.post(PATH, data=body), 401)


# --- what cannot be ordered


@pytest.mark.parametrize(
    "body",
    [
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
    ],
    ids=[
        "empty",
        "blank",
        "open",
        "word",
        "form",
        "single-quotes",
        "trailing-comma",
        "utf-16",
        "not-utf8",
        "raw-surrogate",
        "lone-surrogate",
        "surrogates-reversed",
        "deep-arrays",
        "deep-objects",
    ],
)
def test_a_body_that_is_not_json_is_refused(api: Gateway, body: bytes) -> None:
    assert refusal(post(api, body), 422) == "the body is not JSON"


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"text"', b"true", b'[{"taskId":"a","url":"b"}]'])
def test_a_body_that_is_not_an_object_is_refused(api: Gateway, body: bytes) -> None:
    assert refusal(post(api, body), 422) == "the body must be an object"


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""])
def test_the_body_is_parsed_as_json_with_any_content_type(api: Gateway, content_type: str) -> None:
    body = json.dumps({"taskId": "task12345", "url": URL}).encode()

    assert post(api, body, **{"Content-Type": content_type}).status_code == 200


def test_a_body_of_64_kib_is_accepted_and_one_byte_more_is_not(api: Gateway) -> None:
    body = json.dumps({"taskId": "task12345", "url": URL}).encode()

    assert post(api, body.ljust(MOST_BYTES)).status_code == 200
    assert "64 KiB" in refusal(post(api, body.ljust(MOST_BYTES + 1)), 413)


@pytest.mark.parametrize(
    ("fields", "field_named"),
    [
        # missing and unknown
        ({"taskId": ...}, "taskId"),
        ({"url": ...}, "url"),
        ({"task_id": "task12345"}, "task_id"),
        ({"expires": 60}, "expires"),
        ({"id": "chosen"}, "id"),
        ({"maxDownloads": 1}, "maxDownloads"),
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
        ({"kind": "email"}, "kind"),
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
    ],
    ids=lambda value: ascii(value)[:40] if isinstance(value, dict) else value,
)
def test_a_bad_field_is_refused_by_name(api: Gateway, fields: dict[str, object], field_named: str) -> None:
    assert refusal(order(api, **fields), 422).startswith(f"{field_named}: ")


@pytest.mark.parametrize(
    "url",
    [
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
    ],
)
def test_a_url_that_is_not_served_from_here_is_refused(api: Gateway, url: str) -> None:
    message = refusal(order(api, url=url), 422)

    assert message.startswith("url: ")
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


def test_all_invalid_fields_are_reported_together(api: Gateway) -> None:
    message = refusal(order(api, taskId=1, mode="zip", nope=1), 422)

    assert [part.partition(":")[0] for part in message.split("; ")] == ["taskId", "mode", "nope"]


def test_a_secret_in_a_wrong_field_is_not_echoed(api: Gateway) -> None:
    refusal(order(api, mode=SECRET, expiresIn=API_KEY, kind=PROVIDER_KEY), 422)


# --- other doors


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_another_method_gets_405_with_allow(api: Gateway, method: str) -> None:
    response = api.client.open(PATH, method=method, headers=AUTHORIZED)

    refusal(response, 405)
    assert "POST" in response.headers["Allow"].split(", ")
    assert method not in response.headers["Allow"].split(", ")


def test_an_unknown_call_answers_in_the_envelope(api: Gateway) -> None:
    refusal(api.client.post("/api/v1/link", headers=AUTHORIZED), 404)


def test_a_browser_gets_the_envelope_too(api: Gateway) -> None:
    refusal(api.client.get(PATH, headers={"Accept": "text/html", "Sec-Fetch-Dest": "document"}), 405)
