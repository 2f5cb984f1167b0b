"""A gateway below a path, and behind proxies: its addresses, and whose address is the visitor's."""

import re

import pytest

from tests.support.downloads import ALICE, BOB, CAROL
from tests.support.factories import API_KEY, PNG, Gateway, make_settings
from tests.support.real_logs import lines, real_logs
from tests.support.servers import ScriptedServer

PREFIXED = "https://example.com/gate"
PROXY, OUTER_PROXY = "10.0.0.1", "203.0.113.9"
AUTHORIZED = {"Authorization": f"Bearer {API_KEY}"}


@pytest.fixture
def prefixed(origin: ScriptedServer) -> Gateway:
    """A gateway whose public URL has a path."""
    return Gateway(make_settings(origin.address, public_url=PREFIXED))


def test_links_work_below_the_path_whether_the_proxy_strips_it_or_not(
    prefixed: Gateway, origin: ScriptedServer
) -> None:
    order = {"taskId": "task12345", "url": origin.serve("/v/cat.png", PNG)}
    created = prefixed.client.post("/gate/api/v1/links", json=order, headers=AUTHORIZED)
    assert created.json is not None

    for link in (prefixed.link(order["url"]), created.json["data"]["link"]):
        assert link.startswith(f"{PREFIXED}/download/task12345/cat.png?")
        for prefix in ("/gate", ""):
            assert prefixed.client.get(link.replace(PREFIXED, prefix)).data == PNG


def test_every_page_and_its_files_are_below_the_path(prefixed: Gateway) -> None:
    for path in ("/gate", "/gate/", "/", "/gate/nothing", "/nothing", "/gate/download/x"):
        page = prefixed.client.get(path, headers={"Accept": "text/html"}).text
        addresses = re.findall(r'(?:href|src)="([^"]*)"', page)
        assert any(re.fullmatch(r"/gate/static/[0-9a-f]+/page\.css", address) for address in addresses), path
        assert all(address.startswith("/gate/") for address in addresses if address), path
    for path in ("/gate/static/page.css", "/static/page.css", "/gate/healthz", "/healthz", "/readyz"):
        with prefixed.client.get(path) as response:
            assert response.status_code == 200, path
    for path in ("/gateway", "/gatehealthz", "/gate/gate/healthz", "/x/gate/healthz"):
        assert prefixed.client.get(path).status_code == 404, path
    assert f"{PREFIXED}/download/task1/x.png?url=" in prefixed.client.get("/gate/download/task1").text


@pytest.mark.parametrize("trusted_proxies", ["0", "1"])
def test_no_header_of_a_request_gets_into_a_page_or_a_link(origin: ScriptedServer, trusted_proxies: str) -> None:
    gateway = Gateway(make_settings(origin.address, trusted_proxies=trusted_proxies))
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil"}
    order = {"taskId": "task1", "url": origin.url("/v/cat.png")}

    shown = [gateway.client.get(path, headers=headers).text for path in ("/", "/download/task1", "/nothing")]
    created = gateway.client.post("/api/v1/links", json=order, headers=headers | AUTHORIZED)

    assert created.status_code == 200
    assert "evil" not in "".join([*shown, created.text])


def one_a_minute(origin: ScriptedServer, trusted_proxies: int) -> Gateway:
    """A gateway where a visitor may start one download per minute, behind so many proxies."""
    return Gateway(make_settings(origin.address, downloads_per_minute="1", trusted_proxies=str(trusted_proxies)))


FIRST, OTHER, FORGED = (f"{addresses}, {OUTER_PROXY}" for addresses in (ALICE, BOB, f"{CAROL}, {ALICE}"))


@pytest.mark.parametrize(
    ("trusted_proxies", "forwarded", "statuses"),
    [
        pytest.param(0, [ALICE, BOB, ""], [200, 429, 429], id="no-proxy"),
        pytest.param(1, [ALICE, BOB, f"{CAROL}, {ALICE}", f"{ALICE}, {CAROL}"], [200, 200, 429, 200], id="one"),
        pytest.param(2, [FIRST, OTHER, FORGED], [200, 200, 429], id="two"),
        *[pytest.param(2, [header], [200], id="unnamed") for header in ("", "unknown", "<script>", ALICE)],
    ],
)
def test_the_visitors_address_is_the_one_that_the_trusted_proxies_add(
    origin: ScriptedServer, trusted_proxies: int, forwarded: list[str], statuses: list[int]
) -> None:
    gateway = one_a_minute(origin, trusted_proxies)

    assert [
        gateway.client.get(
            gateway.link(origin.serve(f"/v/{number}.png", PNG)),
            headers={"X-Forwarded-For": value} if value else {},
            environ_overrides={"REMOTE_ADDR": PROXY},
        ).status_code
        for number, value in enumerate(forwarded)
    ] == statuses


def test_an_untrusted_proxy_is_reported_once_and_a_trusted_one_never(gateway: Gateway, origin: ScriptedServer) -> None:
    trusting = one_a_minute(origin, 1)
    with real_logs() as written:
        for each in (gateway, gateway, gateway, trusting):
            each.client.get("/", headers={"X-Forwarded-For": ALICE}).close()

    [warning] = [line for line in lines(written) if line["level"] == "warning"]
    assert warning["event"] == "untrusted_proxy"
    assert "GATEWAY_TRUSTED_PROXIES" in warning["remedy"]
