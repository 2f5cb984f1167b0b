"""``/healthz``, ``/readyz`` and maintenance."""

import re
import socket
from pathlib import Path
from typing import Any

import pytest

from gateway.provider.circuit_breaker import FAILURES_IN_A_ROW
from gateway.provider.client import DOWNLOAD_URL
from gateway.settings import RELATIVE_LINKS
from tests.support.factories import PNG, Gateway, make_settings, store_gateway
from tests.support.servers import ScriptedServer, answer, envelope


def readiness(gateway: Gateway) -> tuple[int, str, str]:
    """The HTTP status, the overall state, and the provider's without its time."""
    response: Any = gateway.client.get("/readyz")
    return response.status_code, response.json["status"], response.json["checks"]["provider"].partition(" since ")[0]


def test_a_provider_is_unknown_before_the_first_call(upstream_gateway: Gateway, provider: ScriptedServer) -> None:
    assert readiness(upstream_gateway) == (200, "ready", "unknown")
    assert provider.seen == []


def test_a_provider_that_responded_is_ok(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    provider.route(DOWNLOAD_URL, envelope(data=origin.serve("/direct.png", PNG)))

    downloaded = upstream_gateway.get(origin.url("/v/cat.png"))

    assert downloaded.data == PNG
    assert readiness(upstream_gateway) == (200, "ready", "ok")


@pytest.mark.parametrize(
    ("response", "state"),
    [
        (envelope(401), "rejects the API key"),
        (answer(401), "rejects the API key"),
        (envelope(500), "fails"),
        (envelope(455), "is in maintenance"),
        (b"", "cannot be reached"),
        (answer(200, b"<html>"), "sends invalid responses"),
        (envelope(429), "limits the rate of calls"),
        (envelope(422, "record is null"), "ok"),
    ],
    ids=["wrong-key", "wrong-key-http", "fails", "maintenance", "hangs-up", "a-page", "rate", "no-such-record"],
)
def test_the_provider_has_the_state_of_its_last_call(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, response: bytes, state: str
) -> None:
    provider.route(DOWNLOAD_URL, response)

    upstream_gateway.get(origin.url("/v/cat.png"))

    assert readiness(upstream_gateway) == (200, "ready" if state == "ok" else "degraded", state)


def test_a_provider_that_does_not_listen_cannot_be_reached(origin: ScriptedServer) -> None:
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


def test_without_the_upstream_resolver_no_provider_is_used(tmp_path: Path) -> None:
    assert readiness(Gateway(make_settings())) == (200, "ready", "not used")
    assert readiness(store_gateway(tmp_path)) == (200, "ready", "not used")


# --- liveness and readiness


def test_liveness_calls_neither_the_provider_nor_an_origin(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    response = upstream_gateway.client.get("/healthz", headers={"Host": "10.1.2.3:8000"})

    assert (response.status_code, response.text) == (200, "ok\n")
    assert response.headers["Cache-Control"] == "no-store"
    assert (provider.seen, origin.seen) == ([], [])


def test_a_gateway_that_can_serve_downloads_is_ready(upstream_gateway: Gateway, provider: ScriptedServer) -> None:
    response = upstream_gateway.client.get("/readyz")

    assert response.status_code == 200
    assert response.json == {
        "status": "ready",
        "checks": {"database": "ok", "store": "not used", "provider": "unknown", "maintenance": "off"},
        "warnings": [RELATIVE_LINKS],
    }
    assert response.headers["Cache-Control"] == "no-store"
    assert provider.seen == []


def test_an_open_circuit_breaker_makes_the_gateway_not_ready(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    for _ in range(FAILURES_IN_A_ROW):
        upstream_gateway.services.breaker.failed()

    ready: Any = upstream_gateway.client.get("/readyz")
    download = upstream_gateway.get(origin.url("/v/cat.png"))

    assert ready.status_code == 503
    checks = ready.json["checks"]
    assert re.fullmatch(
        r"paused after failures \(fails\) since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", checks.pop("provider")
    )
    assert (ready.json["status"], checks) == (
        "not ready",
        {"database": "ok", "store": "not used", "maintenance": "off"},
    )
    assert upstream_gateway.client.get("/healthz").status_code == 200
    assert download.status_code == 503
    assert 1 <= int(download.headers["Retry-After"]) <= 15
    assert provider.seen == []


@pytest.mark.parametrize(
    ("resolver", "http_status", "status"),
    [("origin", 200, "degraded"), ("store", 503, "not ready")],
    ids=lambda value: value,
)
def test_without_its_database_a_gateway_is_degraded_and_with_the_store_resolver_not_ready(
    tmp_path: Path, resolver: str, http_status: int, status: str
) -> None:
    settings = {"database_url": f"sqlite:///{tmp_path}/none/gateway.db", "store": str(tmp_path / "store")}
    gateway = Gateway(make_settings(resolver=resolver, **settings))

    response: Any = gateway.client.get("/readyz")

    assert (response.status_code, response.json["status"]) == (http_status, status)
    assert response.json["checks"]["database"] == "down"


# --- maintenance


@pytest.fixture
def maintained(origin: ScriptedServer) -> Gateway:
    """A gateway in maintenance."""
    return Gateway(make_settings(origin.address, maintenance="true"))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_in_maintenance_downloads_are_refused_with_retry_after(
    maintained: Gateway, origin: ScriptedServer, method: str
) -> None:
    link = maintained.link(origin.serve("/v/cat.png", PNG))

    response = maintained.client.open(link, method=method, headers={"Accept": "text/html"})

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "120"
    assert response.headers["Cache-Control"] == "no-store"
    assert origin.seen == []


def test_in_maintenance_the_page_is_in_the_visitors_language(maintained: Gateway) -> None:
    response = maintained.client.get("/download/task1?x=1", headers={"Accept": "text/html", "Accept-Language": "ru"})

    assert response.status_code == 503
    assert '<html lang="ru">' in response.text
    assert "503 maintenance" in response.text


@pytest.mark.parametrize("path", ["/", "/healthz", "/static/page.css"])
def test_in_maintenance_pages_and_health_checks_still_work(maintained: Gateway, path: str) -> None:
    with maintained.client.get(path) as response:
        assert response.status_code == 200


def test_in_maintenance_the_gateway_is_not_ready(maintained: Gateway) -> None:
    response = maintained.client.get("/readyz")

    assert response.status_code == 503
    assert response.json == {
        "status": "not ready",
        "checks": {"database": "ok", "store": "not used", "provider": "not used", "maintenance": "on"},
        "warnings": [RELATIVE_LINKS],
    }
