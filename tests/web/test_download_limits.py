"""What bounds downloads: the uses of a link, the downloads of a visitor per minute, and the stream slots."""

import threading
from contextlib import suppress
from dataclasses import replace

import pytest

from gateway.delivery.deliver import Deliverer
from gateway.delivery.etag import SALT, EntityTags
from gateway.delivery.plan import Planner
from gateway.limits.stream_slots import SlotLimiter
from gateway.links.signer import KeyRing
from gateway.services import build_services
from tests.support.downloads import ALICE, ATTACHMENT, BOB, CAROL, raw, take
from tests.support.factories import PNG, SECRET, Gateway, make_settings
from tests.support.servers import Request, ScriptedServer, answer

# --- downloads per minute


@pytest.fixture
def two_a_minute(origin: ScriptedServer) -> Gateway:
    """A gateway where a visitor may start two downloads per minute."""
    return Gateway(make_settings(origin.address, downloads_per_minute="2"))


def links(gateway: Gateway, origin: ScriptedServer, amount: int) -> list[str]:
    """Links to so many different files."""
    return [gateway.link(origin.serve(f"/v/{number}.png", PNG)) for number in range(amount)]


def test_one_download_too_many_is_429_with_retry_after_for_this_visitor_and_this_link(
    two_a_minute: Gateway, origin: ScriptedServer
) -> None:
    first, second, third = links(two_a_minute, origin, 3)

    forged = [take(two_a_minute, f"{link}x") for link in (first, second, third)]
    statuses = [take(two_a_minute, link) for link in (first, second)]
    requests = len(origin.seen)
    refused = two_a_minute.client.get(third, environ_overrides={"REMOTE_ADDR": ALICE})

    assert (forged, statuses) == ([403] * 3, [200, 200])
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert len(origin.seen) == requests
    assert take(two_a_minute, third, BOB) == 200
    assert [take(two_a_minute, link) for link in (first, second)] == [200, 200]
    assert take(two_a_minute, first, Range="bytes=5000-") == 206


def test_head_is_not_limited(two_a_minute: Gateway, origin: ScriptedServer) -> None:
    assert [two_a_minute.client.head(link).status_code for link in links(two_a_minute, origin, 4)] == [200] * 4


@pytest.mark.parametrize(
    ("addresses", "statuses"),
    [
        (["2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:1::3", "2001:db8:0:2::1"], [200, 200, 429, 200]),
        ([f"::ffff:{address}" for address in (ALICE, BOB, CAROL)], [200, 200, 200]),
    ],
    ids=["one-ipv6-subscriber", "ipv4-mapped"],
)
def test_an_ipv6_network_is_one_visitor_and_mapped_ipv4_addresses_are_several(
    two_a_minute: Gateway, origin: ScriptedServer, addresses: list[str], statuses: list[int]
) -> None:
    files = links(two_a_minute, origin, len(addresses))

    assert [take(two_a_minute, *pair) for pair in zip(files, addresses, strict=True)] == statuses


# --- stream slots


@pytest.fixture
def one_slot(origin: ScriptedServer) -> Gateway:
    """A gateway that runs one stream at a time."""
    settings = make_settings(origin.address)
    services = build_services(settings)
    planner = Planner(EntityTags(KeyRing.derive([SECRET], SALT)), "auto", settings.max_bytes)
    deliverer = Deliverer(planner, SlotLimiter(1, 0), services.ledger, services.resolver.renew)
    return Gateway(settings, replace(services, deliverer=deliverer))


def test_without_a_free_slot_a_stream_is_503_with_retry_after_and_a_redirect_is_given(
    one_slot: Gateway, origin: ScriptedServer
) -> None:
    link = one_slot.link(origin.serve("/v/cat.png", PNG))
    attachment = one_slot.link(origin.serve("/v/dog.png", PNG, Content_Disposition=ATTACHMENT))
    running = one_slot.client.get(link)

    refused = one_slot.client.get(link)
    redirected = one_slot.client.get(attachment)
    running.close()

    assert refused.text.startswith("503 gateway_busy: ")
    assert int(refused.headers["Retry-After"]) > 0
    assert redirected.status_code == 302
    assert one_slot.client.get(link).data == PNG


def test_every_response_and_every_failure_releases_its_slot(one_slot: Gateway, origin: ScriptedServer) -> None:
    link = one_slot.link(origin.serve("/v/cat.png", PNG, ETag='"v1"'))
    attachment = one_slot.link(origin.serve("/v/dog.png", PNG, Content_Disposition=ATTACHMENT))
    tag = one_slot.client.head(link).headers["ETag"]
    failures = {
        404: answer(404),
        502: answer(200, PNG, {"Content-Encoding": "compress"}),
        "too large": answer(200, PNG, {"Content-Length": "6000000000"}),
        "nothing": b"",
        "cut": raw(("Content-Length", "99999"), body=PNG),
    }

    for headers in (
        {},
        {"Range": "bytes=5-9"},
        {"Range": "bytes=99999-"},
        {"If-None-Match": tag},
        {"If-Range": '"x"', "Range": "bytes=5-9"},
    ):
        one_slot.client.get(link, headers=headers).close()
        assert take(one_slot, link) == 200, headers
    for name, sent in failures.items():
        take(one_slot, one_slot.link(origin.route("/v/fails.png", sent)))
        assert take(one_slot, link) == 200, name
    assert [take(one_slot, attachment), take(one_slot, attachment, Range="bytes=0-")] == [302, 206]


def test_an_abandoned_download_releases_the_origin_and_its_slot(one_slot: Gateway, origin: ScriptedServer) -> None:
    left = threading.Event()

    def route(request: Request) -> None:
        request.connection.sendall(raw(("Content-Length", "10000000"), body=PNG))
        request.connection.settimeout(10)
        with suppress(ConnectionResetError):
            request.connection.recv(1)
        left.set()

    one_slot.get(origin.route("/v/long.png", route)).close()

    assert left.wait(5)
    assert one_slot.get(origin.serve("/v/cat.png", PNG)).data == PNG
