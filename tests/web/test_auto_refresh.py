"""Pages of transient errors reload by themselves, ever more rarely, and a limited number of times."""

from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.errors import GatewayError
from gateway.provider.client import DOWNLOAD_URL
from gateway.web.auto_refresh import LONGEST_WAIT_S, MOST_TRIES
from gateway.web.pages import PAGE_POLICY
from tests.support.factories import Clock, Gateway
from tests.support.servers import ScriptedServer, answer, envelope

BROWSER = {"Accept": "text/html"}
TRANSIENT = {
    "failed": (envelope(500), 502, 10),
    "maintenance": (envelope(455), 503, 10),
    "busy": (answer(429, b"", {"Retry-After": "7"}), 503, 7),
    "busy-for-long": (answer(429, b"", {"Retry-After": "590"}), 503, 590),
}
PERMANENT = {
    "wrong-key": envelope(401),
    "no-image": envelope(404),
    "too-old": envelope(422, "Temporarily supports records within 14 days"),
    "gone": envelope(451),
}


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry calls of the provider without pauses."""
    monkeypatch.setattr("gateway.provider.client.FIRST_BACKOFF_S", 0)


@pytest.mark.parametrize(("reply", "status", "delay_s"), TRANSIENT.values(), ids=TRANSIENT)
def test_the_page_of_a_transient_error_reloads_its_own_url(
    upstream_gateway: Gateway, provider: ScriptedServer, reply: bytes, status: int, delay_s: int
) -> None:
    provider.route(DOWNLOAD_URL, reply)
    link = link_to(upstream_gateway)

    shown = upstream_gateway.client.get(link, headers=BROWSER)

    assert shown.status_code == status
    assert shown.headers["Refresh"] == f"{delay_s}; url=?{urlsplit(link).query}&tries=1"
    assert f"tries again automatically in about {delay_s} seconds" in shown.text
    assert shown.headers["Content-Security-Policy"] == PAGE_POLICY
    assert link.partition("sig=")[2] not in shown.text


@pytest.mark.parametrize("reply", PERMANENT.values(), ids=PERMANENT)
def test_the_page_of_a_permanent_error_does_not_reload(
    upstream_gateway: Gateway, provider: ScriptedServer, reply: bytes
) -> None:
    provider.route(DOWNLOAD_URL, reply)

    shown = upstream_gateway.client.get(link_to(upstream_gateway), headers=BROWSER)

    assert shown.status_code >= 400
    assert "Refresh" not in shown.headers


@pytest.mark.parametrize("accept", ["application/json", "*/*"], ids=["script", "tool"])
def test_only_pages_reload(upstream_gateway: Gateway, provider: ScriptedServer, accept: str) -> None:
    provider.route(DOWNLOAD_URL, envelope(500))

    response = upstream_gateway.client.get(link_to(upstream_gateway), headers={"Accept": accept})

    assert (response.status_code, response.headers.get("Refresh")) == (502, None)


def test_a_page_reloads_ever_more_rarely_and_then_stops(upstream_gateway: Gateway, provider: ScriptedServer) -> None:
    provider.route(DOWNLOAD_URL, envelope(500))
    path, _, query = link_to(upstream_gateway).partition("?")
    delays_s = []

    for _ in range(MOST_TRIES):
        shown = upstream_gateway.client.get(f"{path}?{query}", headers=BROWSER)
        delay_s, _, query = shown.headers["Refresh"].partition("; url=?")
        delays_s.append(int(delay_s))
    last = upstream_gateway.client.get(f"{path}?{query}", headers=BROWSER)

    assert delays_s == sorted(delays_s)
    assert delays_s[0] == 10
    assert delays_s[-1] == LONGEST_WAIT_S
    assert "Refresh" not in last.headers
    assert "Try again" in last.text


def test_the_reload_downloads_the_file_once_the_error_is_over(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, clock: Clock
) -> None:
    provider.route(DOWNLOAD_URL, envelope(500))
    link = link_to(upstream_gateway)
    shown = upstream_gateway.client.get(link, headers=BROWSER)
    provider.route(DOWNLOAD_URL, envelope(data=origin.serve("/direct.png", b"\x89PNG\r\n\x1a\n" + bytes(99))))
    clock.now += 30

    again = urlsplit(link).path + shown.headers["Refresh"].partition("url=")[2]
    with upstream_gateway.client.get(again, headers=BROWSER) as downloaded:
        assert downloaded.status_code == 200
    assert parse_qs(urlsplit(again).query)["tries"] == ["1"]


def test_only_errors_that_can_be_retried_reload() -> None:
    kinds = [GatewayError]
    for kind in kinds:
        kinds += kind.__subclasses__()

    assert [kind.__name__ for kind in kinds if kind.auto_refresh and not kind.retry] == []


def link_to(gateway: Gateway) -> str:
    """A link to an image that the gateway may fetch."""
    host = gateway.settings.origin_hosts[0]
    return gateway.link(f"http://{host.host}:{host.port}/v/cat.png")
