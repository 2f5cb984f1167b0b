"""``/healthz`` and ``/readyz``: liveness, what a gateway needs to serve, and maintenance."""

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
    """The HTTP status, the overall status, and the provider's check without its time."""
    response: Any = gateway.client.get("/readyz")
    return response.status_code, response.json["status"], response.json["checks"]["provider"].partition(" since ")[0]


def test_liveness_and_readiness_call_nobody(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    alive = upstream_gateway.client.get("/healthz", headers={"Host": "10.1.2.3:8000"})
    ready = upstream_gateway.client.get("/readyz")

    assert (alive.status_code, alive.text, ready.status_code) == (200, "ok\n", 200)
    assert ready.json == {
        "status": "ready",
        "checks": {"database": "ok", "store": "not used", "provider": "unknown", "maintenance": "off"},
        "warnings": [RELATIVE_LINKS],
    }
    assert alive.headers["Cache-Control"] == ready.headers["Cache-Control"] == "no-store"
    assert (provider.seen, origin.seen) == ([], [])


def test_readiness_shows_the_result_of_the_last_call_to_the_provider(
    provider: ScriptedServer, origin: ScriptedServer
) -> None:
    url = origin.serve("/direct.png", PNG)
    for response, status in [
        (envelope(401), "rejects the API key"),
        (answer(401), "rejects the API key"),
        (envelope(500), "fails"),
        (envelope(455), "is in maintenance"),
        (b"", "cannot be reached"),
        (answer(200, b"<html>"), "sends invalid responses"),
        (envelope(429), "limits the rate of calls"),
        (envelope(422, "record is null"), "ok"),
        (envelope(data=url), "ok"),
    ]:
        gateway = Gateway(make_settings(origin.address, resolver="upstream", upstream_url=provider.url("")))
        provider.route(DOWNLOAD_URL, response)
        gateway.get(origin.url("/v/cat.png")).close()
        assert readiness(gateway) == (200, "ready" if status == "ok" else "degraded", status), status


def test_a_provider_that_recovers_is_ok_again(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    provider.route(DOWNLOAD_URL, envelope(401))
    upstream_gateway.get(origin.url("/v/cat.png"))
    provider.route(DOWNLOAD_URL, envelope(data=origin.serve("/direct.png", PNG)))
    upstream_gateway.get(origin.url("/v/dog.png"))

    assert readiness(upstream_gateway) == (200, "ready", "ok")


def test_a_provider_that_does_not_listen_cannot_be_reached(origin: ScriptedServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    gateway = Gateway(make_settings(origin.address, resolver="upstream", upstream_url=address))

    assert gateway.get(origin.url("/v/cat.png")).status_code == 502
    assert readiness(gateway) == (200, "degraded", "cannot be reached")


def test_a_resolver_without_a_provider_does_not_use_one(tmp_path: Path) -> None:
    assert readiness(Gateway(make_settings())) == (200, "ready", "not used")
    assert readiness(store_gateway(tmp_path)) == (200, "ready", "not used")


def test_a_gateway_whose_provider_keeps_failing_is_not_ready(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    for _ in range(FAILURES_IN_A_ROW):
        upstream_gateway.services.breaker.failed()

    ready: Any = upstream_gateway.client.get("/readyz")
    download = upstream_gateway.get(origin.url("/v/cat.png"))

    checks = ready.json["checks"]
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(rf"paused after failures \(fails\) since {time}", checks.pop("provider"))
    assert (ready.status_code, ready.json["status"]) == (503, "not ready")
    assert checks == {"database": "ok", "store": "not used", "maintenance": "off"}
    assert upstream_gateway.client.get("/healthz").status_code == 200
    assert download.status_code == 503
    assert 1 <= int(download.headers["Retry-After"]) <= 15
    assert provider.seen == []


@pytest.mark.parametrize(("resolver", "status", "verdict"), [("origin", 200, "degraded"), ("store", 503, "not ready")])
def test_without_its_database_a_gateway_is_ready_unless_it_has_the_store(
    tmp_path: Path, resolver: str, status: int, verdict: str
) -> None:
    paths = {"database_url": f"sqlite:///{tmp_path}/none/gateway.db", "store": str(tmp_path / "store")}

    response: Any = Gateway(make_settings(resolver=resolver, **paths)).client.get("/readyz")

    assert (response.status_code, response.json["status"]) == (status, verdict)
    assert response.json["checks"]["database"] == "down"


def test_in_maintenance_downloads_are_503_and_the_gateway_is_not_ready(origin: ScriptedServer) -> None:
    closed = Gateway(make_settings(origin.address, maintenance="true"))
    link = closed.link(origin.serve("/v/cat.png", PNG))

    for method in ("GET", "HEAD"):
        response = closed.client.open(link, method=method, headers={"Accept": "text/html", "Accept-Language": "ru"})
        assert (response.status_code, response.headers["Retry-After"]) == (503, "120")
        assert response.headers["Cache-Control"] == "no-store"
        assert ('<html lang="ru">' in response.text, "503 maintenance" in response.text) == (method == "GET",) * 2
    assert origin.seen == []
    for path in ("/", "/healthz", "/static/page.css"):
        with closed.client.get(path) as open_page:
            assert open_page.status_code == 200
    ready = closed.client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json == {
        "status": "not ready",
        "checks": {"database": "ok", "store": "not used", "provider": "not used", "maintenance": "on"},
        "warnings": [RELATIVE_LINKS],
    }
