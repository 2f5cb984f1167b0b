"""What a refusal costs: nobody is asked for anything, and no connection is opened."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.provider.client import DOWNLOAD_URL
from tests.support.factories import PNG, Gateway, make_settings
from tests.support.servers import ScriptedServer, envelope


@dataclass(frozen=True)
class Refusal:
    """One way to be refused.

    Attributes:
        code: of the error.
        link: the fields of the link that is followed.
        headers: what the request bears.
        settings: those of the gateway.
        before: what happens first.
        spoil: what becomes of the link on its way.
    """

    code: str
    link: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    before: Callable[["House"], None] = lambda _house: None
    spoil: Callable[[str], str] = lambda link: link


class House:
    """A gateway, the provider it asks and the origin it fetches from. A visitor may have one stream there.

    Streams that were begun go on until ``running`` is closed.
    """

    def __init__(
        self, provider: ScriptedServer, origin: ScriptedServer, running: ExitStack, settings: Mapping[str, str]
    ) -> None:
        common = {"resolver": "upstream", "upstream_url": provider.url(""), "streams_per_visitor": "1"}
        self.gateway = Gateway(make_settings(origin.address, **common | dict(settings)))
        self._provider, self._origin, self._running = provider, origin, running
        provider.route(DOWNLOAD_URL, envelope(data=origin.serve("/direct.png", PNG, ETag='"v1"')))

    def link(self, name: str, **fields: Any) -> str:
        """A link to an image."""
        return self.gateway.link(self._origin.url(f"/v/{name}.png"), **fields)

    def ask(self, link: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Any:
        """Follow a link; the body stays to be read."""
        response = self.gateway.client.open(link, method=method, headers=headers)
        self._running.callback(response.close)
        return response

    def stream(self) -> None:
        """Begin a download that goes on."""
        assert self.ask(self.link("other", mode="stream")).status_code == 200

    @property
    def parse_request(self) -> tuple[int, int]:
        """How many connections the provider and the origin have had."""
        return self._provider.connections, self._origin.connections


def download_once(house: House) -> None:
    house.ask(house.link("other", mode="redirect"))


REFUSALS = {
    "a-forged-signature": Refusal("link_invalid", spoil=lambda link: link[:-4] + "AAAA"),
    "a-malformed-link": Refusal("link_invalid", spoil=lambda link: link + "&mode="),
    "an-expired-link": Refusal("link_expired", link={"lifetime_s": -1}),
    "a-revoked-link": Refusal(
        "link_revoked",
        link={"link_id": "mine"},
        before=lambda house: house.gateway.revoke("mine"),
    ),
    "an-origin-that-is-not-listed": Refusal("origin_not_allowed", settings={"origin_hosts": "elsewhere.example"}),
    "too-many-downloads": Refusal("rate_limited", settings={"downloads_per_minute": "1"}, before=download_once),
    "a-prefetch": Refusal("prefetch_refused", headers={"Sec-Purpose": "prefetch"}),
    "maintenance": Refusal("maintenance", settings={"maintenance": "true"}),
    "too-many-streams": Refusal("too_many_streams", link={"mode": "stream"}, before=House.stream),
    "too-many-streams-for-a-part": Refusal("too_many_streams", headers={"Range": "bytes=5-"}, before=House.stream),
}


@pytest.fixture
def build(provider: ScriptedServer, origin: ScriptedServer) -> Iterator[Callable[..., House]]:
    """Builds a house with settings of its own; what runs there ends with the test."""
    with ExitStack() as running:
        yield lambda **settings: House(provider, origin, running, settings)


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_nobody_is_asked_for_anything_on_behalf_of(build: Callable[..., House], refusal: Refusal) -> None:
    house = build(**refusal.settings)
    link = refusal.spoil(house.link("mine", **refusal.link))
    refusal.before(house)
    parse_request = house.parse_request

    response = house.ask(link, refusal.headers)

    assert f" {refusal.code}: " in response.text
    assert house.parse_request == parse_request


def test_a_request_of_our_own_that_comes_round_costs_nothing(build: Callable[..., House]) -> None:
    house = build()

    response = house.ask(house.link("mine"), {"Via": f"1.1 {house.gateway.services.via}"})

    assert " loop_detected: " in response.text
    assert house.parse_request == (0, 0)


def test_who_is_refused_for_want_of_a_place_spends_no_download(build: Callable[..., House]) -> None:
    house = build(downloads_per_minute="2")
    house.stream()

    refused = house.ask(house.link("mine", mode="stream"))
    served = house.ask(house.link("another", mode="redirect"))

    assert (refused.status_code, served.status_code) == (429, 302)


@pytest.mark.parametrize(
    ("mode", "method", "headers", "status"),
    [
        pytest.param("redirect", "GET", {}, 302, id="redirect"),
        pytest.param("stream", "HEAD", {}, 200, id="head"),
        pytest.param("stream", "GET", {"If-None-Match": "*"}, 304, id="what-the-visitor-has"),
    ],
)
def test_who_needs_no_place_is_answered_without_one(
    build: Callable[..., House], mode: str, method: str, headers: dict[str, str], status: int
) -> None:
    house = build()
    house.stream()

    assert house.ask(house.link("mine", mode=mode), headers, method).status_code == status
