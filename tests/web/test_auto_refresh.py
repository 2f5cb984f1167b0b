"""The page of a trouble that passes asks again by itself: ever more rarely, and not for ever."""

from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.errors import GatewayError
from gateway.provider.client import DOWNLOAD_URL
from gateway.web.auto_refresh import LONGEST_WAIT_S, MOST_TRIES
from gateway.web.pages import PAGE_POLICY
from tests.support.factories import Clock, Gateway
from tests.support.servers import ScriptedServer, answer, envelope

PERSON = {"Accept": "text/html"}
PASSING = {
    "failed": (envelope(500), 502, 10),
    "maintenance": (envelope(455), 503, 10),
    "busy": (answer(429, b"", {"Retry-After": "7"}), 503, 7),
    "busy-for-long": (answer(429, b"", {"Retry-After": "590"}), 503, 590),
}
LASTING = {
    "wrong-key": envelope(401),
    "no-image": envelope(404),
    "too-old": envelope(422, "Temporarily supports records within 14 days"),
    "gone": envelope(451),
}


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between the tries of one call cost no time."""
    monkeypatch.setattr("gateway.provider.client.FIRST_BACKOFF_S", 0)


@pytest.mark.parametrize(("said", "status", "after_s"), PASSING.values(), ids=PASSING)
def test_the_page_of_a_trouble_that_passes_asks_again_where_it_was(
    upstream_gateway: Gateway, provider: ScriptedServer, said: bytes, status: int, after_s: int
) -> None:
    provider.route(DOWNLOAD_URL, said)
    link = link_to(upstream_gateway)

    shown = upstream_gateway.client.get(link, headers=PERSON)

    assert shown.status_code == status
    assert shown.headers["Refresh"] == f"{after_s}; url=?{urlsplit(link).query}&tries=1"
    assert f"tries again by itself in about {after_s} seconds" in shown.text
    assert shown.headers["Content-Security-Policy"] == PAGE_POLICY
    assert link.partition("sig=")[2] not in shown.text


@pytest.mark.parametrize("said", LASTING.values(), ids=LASTING)
def test_the_page_of_a_trouble_that_lasts_does_not(
    upstream_gateway: Gateway, provider: ScriptedServer, said: bytes
) -> None:
    provider.route(DOWNLOAD_URL, said)

    shown = upstream_gateway.client.get(link_to(upstream_gateway), headers=PERSON)

    assert shown.status_code >= 400
    assert "Refresh" not in shown.headers


@pytest.mark.parametrize("accept", ["application/json", "*/*"], ids=["script", "tool"])
def test_only_people_are_asked_to_wait(upstream_gateway: Gateway, provider: ScriptedServer, accept: str) -> None:
    provider.route(DOWNLOAD_URL, envelope(500))

    told = upstream_gateway.client.get(link_to(upstream_gateway), headers={"Accept": accept})

    assert (told.status_code, told.headers.get("Refresh")) == (502, None)


def test_a_forgotten_tab_asks_ever_more_rarely_and_then_no_more(
    upstream_gateway: Gateway, provider: ScriptedServer
) -> None:
    provider.route(DOWNLOAD_URL, envelope(500))
    path, _, query = link_to(upstream_gateway).partition("?")
    auto_refresh = []

    for _ in range(MOST_TRIES):
        shown = upstream_gateway.client.get(f"{path}?{query}", headers=PERSON)
        after_s, _, query = shown.headers["Refresh"].partition("; url=?")
        auto_refresh.append(int(after_s))
    last = upstream_gateway.client.get(f"{path}?{query}", headers=PERSON)

    assert auto_refresh == sorted(auto_refresh)
    assert auto_refresh[0] == 10
    assert auto_refresh[-1] == LONGEST_WAIT_S
    assert "Refresh" not in last.headers
    assert "Try again" in last.text


def test_the_link_still_downloads_when_the_page_asks_again(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, clock: Clock
) -> None:
    provider.route(DOWNLOAD_URL, envelope(500))
    link = link_to(upstream_gateway)
    shown = upstream_gateway.client.get(link, headers=PERSON)
    provider.route(DOWNLOAD_URL, envelope(data=origin.serve("/direct.png", b"\x89PNG\r\n\x1a\n" + bytes(99))))
    clock.now += 30

    again = urlsplit(link).path + shown.headers["Refresh"].partition("url=")[2]
    with upstream_gateway.client.get(again, headers=PERSON) as downloaded:
        assert downloaded.status_code == 200
    assert parse_qs(urlsplit(again).query)["tries"] == ["1"]


def test_an_error_waits_only_where_the_same_again_may_help() -> None:
    kinds = [GatewayError]
    for kind in kinds:
        kinds += kind.__subclasses__()

    assert [kind.__name__ for kind in kinds if kind.auto_refresh and not kind.retry] == []


def link_to(gateway: Gateway) -> str:
    """A link to an image that the gateway may fetch."""
    host = gateway.settings.origin_hosts[0]
    return gateway.link(f"http://{host.host}:{host.port}/v/cat.png")
