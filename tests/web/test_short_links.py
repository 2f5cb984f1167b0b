"""Short links of e-mails: a page that spends nothing, and a button that begins one counted download."""

import re
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.support.databases import migrated_sqlite, statements
from tests.support.factories import API_KEY, PNG, Clock, Gateway, make_settings
from tests.support.servers import ScriptedServer

KEY = {"Authorization": f"Bearer {API_KEY}"}
PERSON = {
    "Accept": "text/html",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-User": "?1",
    "User-Agent": "Mozilla/5.0 Chrome/156.0 Safari/537.36",
}
ROBOT = {name: value for name, value in PERSON.items() if name != "Sec-Fetch-User"}
SAFARI = ROBOT | {"User-Agent": "Mozilla/5.0 Version/19.0 Safari/605.1.15"}


@pytest.fixture
def gateway(tmp_path: Path, origin: ScriptedServer) -> Gateway:
    settings = make_settings(
        origin.address, database_url=migrated_sqlite(tmp_path), public_url="https://downloads.shop.example"
    )
    return Gateway(settings, clock=Clock())


def call(gateway: Gateway, path: str, method: str = "GET", **options: Any) -> dict[str, Any]:
    """The data of an API call."""
    response = gateway.client.open(path, method=method, headers=KEY, **options)
    assert response.json is not None
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json["data"]
    return data


def order(gateway: Gateway, url: str, **fields: object) -> dict[str, Any]:
    body = {"taskId": "task12345", "url": url, "kind": "email"} | fields
    return call(gateway, "/api/v1/links", "POST", json=body)


def path_of(minted: dict[str, Any]) -> str:
    return str(minted["link"]).removeprefix("https://downloads.shop.example")


def key_of(page: TestResponse) -> str:
    match = re.search(r'name="download" value="([0-9a-f]{16})"', page.text)
    assert match, page.text
    return match[1]


def press(gateway: Gateway, path: str, headers: dict[str, str] | None = None, key: str = "") -> TestResponse:
    """Open the page and press its button."""
    key = key or key_of(gateway.client.get(path, headers=PERSON))
    return gateway.client.post(path, data={"download": key}, headers=PERSON if headers is None else headers)


def follow(gateway: Gateway, pressed: TestResponse) -> TestResponse:
    assert pressed.status_code == 303, pressed.text
    return gateway.client.get(pressed.headers["Location"].removeprefix("https://downloads.shop.example"))


def info(gateway: Gateway, link_id: str) -> dict[str, Any]:
    return call(gateway, f"/api/v1/links/{link_id}")


def test_a_short_link_survives_mail_programs(gateway: Gateway, origin: ScriptedServer) -> None:
    link = order(gateway, origin.serve("/v/cat.png", PNG), filename="a cat & a dog.png")["link"]

    assert re.fullmatch(r"https://downloads\.shop\.example/d/[A-Za-z0-9._-]+[A-Za-z0-9]", link)
    assert len(link) < 120


def test_the_page_tells_what_the_file_is_and_spends_nothing(gateway: Gateway, origin: ScriptedServer) -> None:
    minted = order(gateway, origin.serve("/v/cat.png", PNG), filename="Ein Bild.png", maxDownloads=1)

    pages = [gateway.client.open(path_of(minted), method=method, headers=PERSON) for method in ("HEAD", *["GET"] * 20)]

    assert {page.status_code for page in pages} == {200}
    page = pages[-1]
    for text in ("Ein Bild.png", "PNG", "10.2 kB", "Downloads left: 1", 'og:title" content="Ein Bild.png"'):
        assert text in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "noindex" in page.headers["X-Robots-Tag"]
    assert "form-action 'self' https:" in page.headers["Content-Security-Policy"]
    assert len(origin.seen) == 1
    assert info(gateway, minted["id"])["downloads"] == 0


def test_the_button_leads_to_the_file_and_counts_one_download(gateway: Gateway, origin: ScriptedServer) -> None:
    minted = order(gateway, origin.serve("/v/cat.png", PNG), maxDownloads=1)

    file = follow(gateway, press(gateway, path_of(minted)))

    assert file.data == PNG
    assert file.headers["Content-Disposition"].startswith("attachment")
    stored = info(gateway, minted["id"])
    assert (stored["downloads"], stored["downloadsReserved"], stored["state"]) == (1, 0, "used_up")
    assert gateway.client.get(path_of(minted), headers=PERSON).status_code == 410


def test_a_double_click_is_one_download_and_retries_are_free(gateway: Gateway, origin: ScriptedServer) -> None:
    path = path_of(order(gateway, origin.serve("/v/cat.png", PNG), maxDownloads=1))
    key = key_of(gateway.client.get(path, headers=PERSON))

    pressed = [press(gateway, path, key=key) for _ in range(2)]
    files = [follow(gateway, each).data for each in (*pressed, pressed[0])]

    assert files == [PNG] * 3
    assert gateway.client.get(path, headers=PERSON).status_code == 410


def test_while_the_last_download_is_reserved_others_wait_and_a_failed_one_is_given_back(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    path = path_of(order(gateway, origin.serve("/v/cat.png", PNG), maxDownloads=1))

    first = press(gateway, path)
    refused = press(gateway, path)
    assert (
        gateway.client.head(first.headers["Location"].removeprefix("https://downloads.shop.example")).status_code == 200
    )
    gateway.clock.now += 121
    second = press(gateway, path)

    assert (first.status_code, refused.status_code, second.status_code) == (303, 409, 303)
    assert int(refused.headers["Retry-After"]) <= 120
    assert follow(gateway, second).data == PNG


def test_what_no_person_pressed_shows_the_page_again(gateway: Gateway, origin: ScriptedServer) -> None:
    minted = order(gateway, origin.serve("/v/cat.png", PNG), maxDownloads=1)
    path = path_of(minted)
    key = key_of(gateway.client.get(path, headers=PERSON))

    robots = [
        gateway.client.post(path, headers=PERSON),  # form.submit() sends no button
        gateway.client.post(path, data={"download": "yes"}, headers=PERSON),
        gateway.client.post(path, data={"download": key}, headers=ROBOT),
        gateway.client.post(path, data={"download": key}, headers=PERSON | {"Sec-Fetch-Mode": "cors"}),
    ]

    assert [each.status_code for each in robots] == [200] * 4
    assert info(gateway, minted["id"])["downloadsReserved"] == 0
    assert press(gateway, path, SAFARI).status_code == 303


@pytest.mark.parametrize("added", [".", ")", ">", "&gt;", "%3E", "%29.", "?utm_source=mail&fbclid=1", "?x=%26"])
def test_what_mail_programs_add_to_a_link_changes_nothing(gateway: Gateway, origin: ScriptedServer, added: str) -> None:
    path = path_of(order(gateway, origin.serve("/v/cat.png", PNG))) + added

    assert gateway.client.get(path, headers=PERSON).status_code == 200
    assert follow(gateway, press(gateway, path)).data == PNG


def test_a_forged_code_is_refused_without_the_database(gateway: Gateway, origin: ScriptedServer) -> None:
    code = path_of(order(gateway, origin.serve("/v/cat.png", PNG))).removeprefix("/d/")
    forged = [
        code[:-1] + ("A" if code[-1] != "A" else "B"),
        ("b" if code[0] != "b" else "c") + code[1:],
        code[:20],
        "x",
    ]

    with statements(gateway.services.database) as sent:
        statuses = {gateway.client.open(f"/d/{each}", method=m).status_code for each in forged for m in ("GET", "POST")}

    assert statuses == {403}
    assert sent == []


def test_a_revoked_link_and_its_downloads_end_at_once(gateway: Gateway, origin: ScriptedServer) -> None:
    minted = order(gateway, origin.serve("/v/cat.png", PNG))
    pressed = press(gateway, path_of(minted))

    revoked = gateway.client.delete(f"/api/v1/links/{minted['id']}", headers=KEY)

    assert revoked.status_code == 200
    assert follow(gateway, pressed).status_code == 410
    assert gateway.client.get(path_of(minted), headers=PERSON).status_code == 410
    assert info(gateway, minted["id"])["state"] == "revoked"


def test_a_page_link_is_revoked_by_its_id(gateway: Gateway, origin: ScriptedServer) -> None:
    minted = order(gateway, origin.serve("/v/cat.png", PNG), kind="page")
    path = minted["link"].removeprefix("https://downloads.shop.example")
    assert gateway.client.get(path).status_code == 200

    gateway.client.delete(f"/api/v1/links/{minted['id']}", headers=KEY)

    assert gateway.client.get(path).text.startswith("410 link_revoked: ")


def test_an_expired_link_says_so(gateway: Gateway, origin: ScriptedServer) -> None:
    minted = order(gateway, origin.serve("/v/cat.png", PNG), expiresIn=60)
    gateway.clock.now += 61

    for method in ("GET", "POST"):
        response = gateway.client.open(path_of(minted), method=method, headers=PERSON)
        assert response.status_code == 410
        assert "link_expired" in response.text
    assert info(gateway, minted["id"])["state"] == "expired"


def test_the_page_is_shown_although_the_file_cannot_be_examined(gateway: Gateway, origin: ScriptedServer) -> None:
    minted = order(gateway, origin.url("/v/missing.png"))

    page = gateway.client.get(path_of(minted), headers=PERSON)

    assert page.status_code == 200
    assert "missing.png" in page.text


def test_the_links_of_a_task_are_listed_in_pages(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG)
    ids: list[str] = []
    for _ in range(3):
        ids.insert(0, order(gateway, url)["id"])
        gateway.clock.now += 1

    first = call(gateway, "/api/v1/links?taskId=task12345&limit=2")
    second = call(gateway, f"/api/v1/links?taskId=task12345&after={first['next']}")

    assert [each["id"] for each in first["links"] + second["links"]] == ids
    assert second["next"] is None


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/api/v1/links/nobodyhasit2", 404, "No link has this id"),
        ("GET", "/api/v1/links", 422, "taskId:"),
        ("GET", "/api/v1/links?taskId=t&limit=0", 422, "limit:"),
        ("GET", "/api/v1/links?taskId=t&limit=201", 422, "limit:"),
        ("GET", "/api/v1/links?taskId=t&limit=%C2%B2", 422, "limit:"),
        ("DELETE", "/api/v1/links/a%20b", 404, "No link has this id"),
    ],
)
def test_calls_about_links_name_what_is_wrong(gateway: Gateway, method: str, path: str, status: int, text: str) -> None:
    response = gateway.client.open(path, method=method, headers=KEY)

    assert response.status_code == status
    assert text in response.text
    assert gateway.client.open(path, method=method).status_code == 401


def test_only_email_links_count_downloads(gateway: Gateway, origin: ScriptedServer) -> None:
    body = {"taskId": "task12345", "url": origin.url("/v/cat.png"), "maxDownloads": 1}

    response = gateway.client.post("/api/v1/links", json=body, headers=KEY)

    assert response.status_code == 422
    assert "maxDownloads" in response.text
