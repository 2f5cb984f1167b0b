"""Behind reverse proxies: a path prefix, and the visitor's address."""

import re

import pytest

from tests.support.factories import API_KEY, PNG, Gateway, make_settings
from tests.support.real_logs import lines, real_logs
from tests.support.servers import ScriptedServer

ALICE, BOB, CAROL = "198.51.100.1", "198.51.100.2", "198.51.100.3"
PROXY, OUTER_PROXY = "10.0.0.1", "203.0.113.9"


# --- path prefix

PREFIXED = "https://example.com/gate"


@pytest.fixture
def prefixed(origin: ScriptedServer) -> Gateway:
    """A gateway whose public URL has a path."""
    return Gateway(make_settings(origin.address, public_url=PREFIXED))


@pytest.mark.parametrize("prefix", ["/gate", ""], ids=["not-stripped-by-the-proxy", "stripped-by-the-proxy"])
def test_a_link_works_below_the_prefix_whether_the_proxy_strips_it_or_not(
    prefixed: Gateway, origin: ScriptedServer, prefix: str
) -> None:
    link = prefixed.link(origin.serve("/v/cat.png", PNG))

    response = prefixed.client.get(link.replace(PREFIXED, prefix))

    assert link.startswith(f"{PREFIXED}/download/task12345/cat.png?")
    assert (response.status_code, response.data) == (200, PNG)


@pytest.mark.parametrize("path", ["/gate", "/gate/", "/", "/gate/nothing", "/nothing", "/gate/download/x"])
def test_every_url_in_a_page_has_the_prefix(prefixed: Gateway, path: str) -> None:
    page = prefixed.client.get(path, headers={"Accept": "text/html"}).text

    addresses = re.findall(r'(?:href|src)="([^"]*)"', page)
    assert any(re.fullmatch(r"/gate/static/[0-9a-f]+/page\.css", address) for address in addresses)
    assert all(address.startswith("/gate/") for address in addresses if address)


@pytest.mark.parametrize("path", ["/gate/static/page.css", "/static/page.css", "/gate/healthz", "/healthz", "/readyz"])
def test_every_route_works_with_and_without_the_prefix(prefixed: Gateway, path: str) -> None:
    with prefixed.client.get(path) as response:
        assert response.status_code == 200


@pytest.mark.parametrize("path", ["/gateway", "/gatehealthz", "/gate/gate/healthz", "/x/gate/healthz"])
def test_only_the_whole_prefix_is_removed_and_only_once(prefixed: Gateway, path: str) -> None:
    assert prefixed.client.get(path).status_code == 404


def test_links_of_the_api_have_the_prefix(prefixed: Gateway, origin: ScriptedServer) -> None:
    order = {"taskId": "task1", "url": origin.serve("/v/cat.png", PNG)}

    minted = prefixed.client.post("/gate/api/v1/links", json=order, headers={"Authorization": f"Bearer {API_KEY}"})

    assert minted.json is not None
    link = minted.json["data"]["link"]
    assert link.startswith(f"{PREFIXED}/download/task1/cat.png?")
    assert prefixed.client.get(link).data == PNG


def test_the_help_page_shows_a_link_with_the_prefix(prefixed: Gateway) -> None:
    assert f"{PREFIXED}/download/task1/x.png?url=" in prefixed.client.get("/gate/download/task1").text


@pytest.mark.parametrize("trusted_proxies", ["0", "1"])
def test_no_url_is_built_from_the_request_headers(origin: ScriptedServer, trusted_proxies: str) -> None:
    gateway = Gateway(make_settings(origin.address, trusted_proxies=trusted_proxies))
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil"}
    order = {"taskId": "task1", "url": origin.url("/v/cat.png")}

    shown = [gateway.client.get(path, headers=headers).text for path in ("/", "/download/task1", "/nothing")]
    minted = gateway.client.post("/api/v1/links", json=order, headers=headers | {"Authorization": f"Bearer {API_KEY}"})

    assert minted.status_code == 200
    assert "evil" not in "".join([*shown, minted.text])


# --- trusted proxies


def limited_gateway(origin: ScriptedServer, trusted_proxies: int) -> Gateway:
    """A gateway behind ``trusted_proxies`` proxies that allows a visitor one download per minute."""
    return Gateway(make_settings(origin.address, downloads_per_minute="1", trusted_proxies=str(trusted_proxies)))


def statuses(gateway: Gateway, origin: ScriptedServer, *forwarded: str) -> list[int]:
    """The statuses of downloads that a proxy requests with these values of ``X-Forwarded-For``."""
    return [
        gateway.client.get(
            gateway.link(origin.serve(f"/v/{number}.png", PNG)),
            headers={"X-Forwarded-For": value} if value else {},
            environ_overrides={"REMOTE_ADDR": PROXY},
        ).status_code
        for number, value in enumerate(forwarded)
    ]


def test_without_a_trusted_proxy_x_forwarded_for_is_ignored(origin: ScriptedServer) -> None:
    gateway = limited_gateway(origin, 0)

    assert statuses(gateway, origin, ALICE, BOB, "") == [200, 429, 429]


def test_behind_one_proxy_the_last_address_is_the_visitor(origin: ScriptedServer) -> None:
    gateway = limited_gateway(origin, 1)

    assert statuses(gateway, origin, ALICE, BOB, f"{CAROL}, {ALICE}", f"{ALICE}, {CAROL}") == [200, 200, 429, 200]


def test_behind_two_proxies_the_last_address_but_one_is_the_visitor(origin: ScriptedServer) -> None:
    gateway = limited_gateway(origin, 2)
    first, other, forged = f"{ALICE}, {OUTER_PROXY}", f"{BOB}, {OUTER_PROXY}", f"{CAROL}, {ALICE}, {OUTER_PROXY}"

    assert statuses(gateway, origin, first, other, forged) == [200, 200, 429]


@pytest.mark.parametrize("forwarded", ["", "unknown", "<script>", ALICE])
def test_a_missing_or_invalid_x_forwarded_for_is_accepted(origin: ScriptedServer, forwarded: str) -> None:
    assert statuses(limited_gateway(origin, 2), origin, forwarded) == [200]


def test_an_untrusted_proxy_is_warned_of_once(gateway: Gateway) -> None:
    with real_logs() as written:
        for _ in range(3):
            gateway.client.get("/", headers={"X-Forwarded-For": ALICE}).close()

    [warning] = [line for line in lines(written) if line["level"] == "warning"]
    assert warning["event"] == "untrusted_proxy"
    assert "GATEWAY_TRUSTED_PROXIES" in warning["remedy"]


def test_a_trusted_proxy_is_not_warned_of(origin: ScriptedServer) -> None:
    with real_logs() as written:
        limited_gateway(origin, 1).client.get("/", headers={"X-Forwarded-For": ALICE}).close()

    assert [line["level"] for line in lines(written)] == ["info"]
