"""What ``/readyz`` says of the provider, of which nothing is known before the first call."""

import socket
from pathlib import Path
from typing import Any

import pytest

from gateway.provider.client import DOWNLOAD_URL
from tests.support.factories import PNG, Gateway, make_settings, store_gateway
from tests.support.servers import ScriptedServer, answer, envelope


def readiness(gateway: Gateway) -> tuple[int, str, str]:
    """The HTTP status, the verdict, and what is said of the provider, without the time."""
    response: Any = gateway.client.get("/readyz")
    return response.status_code, response.json["status"], response.json["checks"]["provider"].partition(" since ")[0]


def test_of_a_provider_that_was_never_called_nothing_is_known(
    upstream_gateway: Gateway, provider: ScriptedServer
) -> None:
    assert readiness(upstream_gateway) == (200, "ready", "unknown")
    assert provider.seen == []


def test_a_provider_that_answered_is_ok(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    provider.route(DOWNLOAD_URL, envelope(data=origin.serve("/direct.png", PNG)))

    downloaded = upstream_gateway.get(origin.url("/v/cat.png"))

    assert downloaded.data == PNG
    assert readiness(upstream_gateway) == (200, "ready", "ok")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (envelope(401), "refuses our key"),
        (answer(401), "refuses our key"),
        (envelope(500), "fails"),
        (envelope(455), "is in maintenance"),
        (b"", "cannot be reached"),
        (answer(200, b"<html>"), "answers nonsense"),
        (envelope(429), "asks to be left alone"),
        (envelope(422, "record is null"), "ok"),
    ],
    ids=["wrong-key", "wrong-key-http", "fails", "maintenance", "hangs-up", "a-page", "rate", "no-such-record"],
)
def test_what_the_last_call_said_is_told_after_one_click(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, said: bytes, told: str
) -> None:
    provider.route(DOWNLOAD_URL, said)

    upstream_gateway.get(origin.url("/v/cat.png"))

    assert readiness(upstream_gateway) == (200, "ready" if told == "ok" else "degraded", told)


def test_a_provider_where_nobody_listens_cannot_be_reached(origin: ScriptedServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    gateway = Gateway(make_settings(origin.address, resolver="upstream", upstream_url=address))

    clicked = gateway.get(origin.url("/v/cat.png"))

    assert clicked.status_code == 502
    assert readiness(gateway) == (200, "degraded", "cannot be reached")


def test_a_provider_that_recovers_is_ok_again(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    provider.route(DOWNLOAD_URL, envelope(401))
    upstream_gateway.get(origin.url("/v/cat.png"))
    provider.route(DOWNLOAD_URL, envelope(data=origin.serve("/direct.png", PNG)))

    upstream_gateway.get(origin.url("/v/dog.png"))

    assert readiness(upstream_gateway) == (200, "ready", "ok")


def test_a_resolver_without_a_provider_does_not_use_one(tmp_path: Path) -> None:
    assert readiness(Gateway(make_settings())) == (200, "ready", "not used")
    assert readiness(store_gateway(tmp_path)) == (200, "ready", "not used")
