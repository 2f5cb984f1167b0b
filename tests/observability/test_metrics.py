"""What is counted, and who may read it."""

import re
import subprocess
import sys

import pytest

from gateway.provider.circuit_breaker import FAILURES_IN_A_ROW
from gateway.provider.client import DOWNLOAD_URL
from tests.support.factories import API_KEY, PNG, Gateway, make_settings
from tests.support.live_gateway import ROOT
from tests.support.servers import ScriptedServer, answer, envelope

TOKEN = "a-metrics-token-for-tests-of-32-bytes-or-more"
WITH_TOKEN = {"Authorization": f"Bearer {TOKEN}"}
SAMPLE = re.compile(r"^(gateway_[a-z_]+(?:\{[^}]*\})?) ([0-9.e+]+)$", re.MULTILINE)


@pytest.fixture
def counting(origin: ScriptedServer, provider: ScriptedServer) -> Gateway:
    """A gateway that counts, and asks ``provider`` for direct URLs, which lie on ``origin``."""
    changes = {"resolver": "upstream", "upstream_url": provider.url(""), "downloads_per_minute": "3"}
    return Gateway(make_settings(origin.address, metrics_token=TOKEN, **changes))


def counts(gateway: Gateway) -> dict[str, float]:
    """What was counted so far, but for zeros."""
    text = gateway.client.get("/metrics", headers=WITH_TOKEN).text
    return {name: float(value) for name, value in SAMPLE.findall(text) if float(value)}


def converted(provider: ScriptedServer, direct_url: str) -> None:
    provider.route(DOWNLOAD_URL, envelope(data=direct_url))


# --- who may read


def test_without_the_setting_there_are_no_metrics(gateway: Gateway) -> None:
    assert gateway.client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


def test_without_the_token_the_metrics_are_401(counting: Gateway) -> None:
    for value in ("", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", "Bearer é"):
        response = counting.client.get("/metrics", headers={"Authorization": value})
        assert (response.status_code, "gateway_" in response.text) == (401, False), value


def test_with_the_token_the_metrics_are_in_prometheus_format(counting: Gateway) -> None:
    response = counting.client.get("/metrics", headers=WITH_TOKEN)

    assert response.status_code == 200
    assert response.mimetype == "text/plain"
    assert response.headers["Cache-Control"] == "no-store"
    assert "# TYPE gateway_open_streams gauge" in response.text


def test_the_library_is_not_even_imported_where_nothing_is_counted() -> None:
    program = (
        "import sys; from tests.support.factories import Gateway, make_settings; "
        "Gateway(make_settings()); print('prometheus_client' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


# --- what is counted


def test_a_streamed_download_is_counted_with_its_bytes(
    counting: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    converted(provider, origin.serve("/direct.png", PNG))

    for _ in range(2):
        with counting.get(origin.url("/v/cat.png")) as response:
            assert response.data == PNG

    after = counts(counting)
    assert after['gateway_requests_total{delivery="stream",outcome="completed"}'] == 2
    assert after["gateway_sent_bytes_total"] == 2 * len(PNG)
    assert after['gateway_sources_total{result="miss"}'] == 1
    assert after['gateway_sources_total{result="hit"}'] == 1
    assert after['gateway_provider_call_seconds_count{code="200"}'] == 1


def test_redirects_and_open_streams_are_counted(
    counting: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    converted(provider, origin.serve("/direct.png", PNG))

    counting.get(origin.url("/v/cat.png"), mode="redirect").close()
    running = counting.get(origin.url("/v/cat.png"))
    during = counts(counting)
    running.close()
    after = counts(counting)

    assert during["gateway_open_streams"] == 1
    assert "gateway_open_streams" not in after
    assert after['gateway_requests_total{delivery="redirect",outcome="redirected"}'] == 1
    assert after['gateway_requests_total{delivery="stream",outcome="left"}'] == 1


def test_a_refusal_of_the_provider_is_counted_by_its_code(provider: ScriptedServer, origin: ScriptedServer) -> None:
    for response, code, outcome in [
        (envelope(401), "401", "provider_unauthorized"),
        (envelope(404), "404", "image_not_found"),
        (envelope(422, "record is null"), "422", "record_not_found"),
        (envelope(429), "429", "provider_busy"),
        (envelope(987), "other", "provider_garbled"),
        (answer(200, b"<html>"), "garbled", "provider_garbled"),
    ]:
        settings = make_settings(
            origin.address, metrics_token=TOKEN, resolver="upstream", upstream_url=provider.url("")
        )
        gateway = Gateway(settings)
        provider.route(DOWNLOAD_URL, response)
        before = counts(gateway)
        for _ in range(2):
            gateway.get(origin.url("/v/cat.png")).close()
        after = counts(gateway)

        def counted(name: str, before: dict[str, float] = before, after: dict[str, float] = after) -> float:
            return after.get(name, 0) - before.get(name, 0)

        assert counted(f'gateway_provider_call_seconds_count{{code="{code}"}}') == 1, code
        assert counted(f'gateway_requests_total{{delivery="none",outcome="{outcome}"}}') == 2, code
        assert counted('gateway_sources_total{result="failure"}') == 1, code


def test_the_breaker_is_counted_while_it_is_open(counting: Gateway) -> None:
    breaker = counting.services.breaker
    for _ in range(FAILURES_IN_A_ROW):
        breaker.failed()
    during = counts(counting)
    breaker.succeeded()

    assert during["gateway_breaker_open"] == 1
    assert "gateway_breaker_open" not in counts(counting)


def test_a_refused_visitor_is_counted(counting: Gateway, provider: ScriptedServer, origin: ScriptedServer) -> None:
    converted(provider, origin.serve("/direct.png", PNG))

    for number in range(5):
        counting.get(origin.url(f"/v/{number}.png")).close()

    assert counts(counting)['gateway_limits_hit_total{kind="rate_limited"}'] == 2


def test_no_label_grows_with_what_visitors_ask_for(
    counting: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    converted(provider, origin.serve("/direct.png", PNG))

    def ask(number: int) -> int:
        for path in (f"/nothing/{number}", f"/download/task{number}?sig=x", f"/api/v1/records/task{number}"):
            counting.client.get(path, headers={"Authorization": f"Bearer {API_KEY}"}).close()
        counting.get(origin.url(f"/v/{number}.png"), task_id=f"task{number}").close()
        return len(counts(counting))

    first = [ask(number) for number in range(6)][-1]

    assert [ask(number) for number in range(6, 20)][-1] == first


def test_health_checks_and_scrapes_are_not_counted(counting: Gateway) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        counting.client.get(path, headers=WITH_TOKEN)

    assert [name for name in counts(counting) if name.startswith("gateway_requests")] == []
