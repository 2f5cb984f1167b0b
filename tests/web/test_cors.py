"""Which scripts of other origins may read downloads."""

import pytest

from tests.support.downloads import ATTACHMENT, PROVIDER_CALL, SCRIPT, STREAM_HEADERS, direct, names
from tests.support.factories import PNG, Gateway, make_settings
from tests.support.servers import ScriptedServer, envelope

FETCH = {"Origin": SCRIPT, "Sec-Fetch-Mode": "cors"}


@pytest.fixture
def cors_gateway(provider: ScriptedServer, origin: ScriptedServer) -> Gateway:
    """A gateway whose files a script of one origin may fetch."""
    return Gateway(
        make_settings(origin.address, resolver="upstream", upstream_url=provider.url(""), cors_origins=SCRIPT)
    )


def test_an_allowed_origin_can_read_the_file_its_headers_and_errors(
    cors_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    response = cors_gateway.get(direct(provider, origin, Content_Disposition=ATTACHMENT), FETCH)

    cors = {"access-control-allow-origin", "access-control-expose-headers", "vary"}
    assert (response.status_code, response.data) == (200, PNG)
    assert names(response) == STREAM_HEADERS | cors
    assert response.headers["Access-Control-Allow-Origin"] == SCRIPT
    assert response.headers["Vary"] == "Origin"
    exposed = set(response.headers["Access-Control-Expose-Headers"].split(", "))
    assert {"Content-Disposition", "Content-Length", "Content-Range", "ETag", "Retry-After", "X-Request-Id"} <= exposed

    provider.route(PROVIDER_CALL, envelope(code=404, msg="not found"))
    error = cors_gateway.get("http://127.0.0.1:1/x", FETCH)
    assert error.headers["Access-Control-Allow-Origin"] == SCRIPT
    assert error.mimetype == "application/problem+json"


def test_no_other_origin_may_read_the_file(
    cors_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    url = direct(provider, origin)

    for other in ("https://evil.example", "http://app.example", f"{SCRIPT}:8443", "null", "*"):
        response = cors_gateway.get(url, FETCH | {"Origin": other}, mode="stream")
        assert (response.status_code, names(response)) == (200, STREAM_HEADERS), other


def test_a_navigation_from_an_allowed_origin_is_not_a_cors_request(
    cors_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    url = direct(provider, origin, Content_Disposition=ATTACHMENT)

    response = cors_gateway.get(url, FETCH | {"Sec-Fetch-Mode": "navigate"})

    assert response.status_code == 302
    assert not [name for name in names(response) if name.startswith("access-control-")]


def test_a_preflight_allows_the_listed_origin_alone_and_calls_nobody(
    cors_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    link = cors_gateway.link(direct(provider, origin))
    asking = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range"}

    response = cors_gateway.client.options(link, headers=asking | {"Origin": SCRIPT})
    refused = cors_gateway.client.options("/download/task1", headers=asking | {"Origin": "https://evil.example"})

    assert (response.status_code, response.data) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == SCRIPT
    assert response.headers["Access-Control-Allow-Methods"] == "GET, HEAD"
    assert "Range" in response.headers["Access-Control-Allow-Headers"]
    assert "Origin" in response.headers["Vary"]
    assert not [name for name in names(refused) if name.startswith("access-control-")]
    assert (origin.seen, provider.seen) == ([], [])
