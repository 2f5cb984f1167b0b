"""What was begun at one gateway goes on at another, from another direct URL, under the same entity tag."""

import random
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from tests.support.live_gateway import LiveGateway, happens, live_gateway
from tests.support.servers import ScriptedServer, answer, envelope

pytestmark = pytest.mark.slow

FILE = b"\x89PNG\r\n\x1a\n" + random.Random(6).randbytes(4 * 2**20)
PROVIDER_CALL = "/api/v1/gpt4o-image/download-url"


@pytest.fixture
def gateways(origin: ScriptedServer, provider: ScriptedServer, tmp_path: Path) -> Iterator[list[LiveGateway]]:
    """Two gateways with the same secret and the same provider, and nothing else in common."""
    settings = {"resolver": "upstream", "upstream_url": provider.url("")}
    with (
        live_gateway(tmp_path, origin.address, **settings) as one,
        live_gateway(tmp_path, origin.address, **settings) as other,
    ):
        yield [one, other]


def test_a_download_goes_on_at_every_gateway_from_another_direct_url_after_its_link_expired(
    gateways: list[LiveGateway], origin: ScriptedServer, provider: ScriptedServer
) -> None:
    path = gateways[0].path(origin.url("/v/cat.png"), lifetime_s=2)
    provider.route(PROVIDER_CALL, envelope(data=origin.serve("/direct/1", FILE, ETag='"v1"')))
    with closing(HTTPConnection("127.0.0.1", gateways[0].port, timeout=10)) as visitor:
        begun = get(visitor, path)
        tag, first = begun.headers["ETag"], begun.read(100_000)
    origin.route("/direct/1", answer(403))
    provider.route(PROVIDER_CALL, envelope(data=origin.serve("/direct/2", FILE, ETag='"v1"')))
    assert happens(lambda: gateways[1].exchange(asking(path)).split(b" ")[1] == b"410")

    for gateway in gateways:
        with closing(HTTPConnection("127.0.0.1", gateway.port, timeout=10)) as visitor:
            rest = get(visitor, path, {"Range": f"bytes={len(first)}-", "If-Range": tag})

            assert (rest.status, rest.headers["ETag"]) == (206, tag)
            assert first + rest.read() == FILE


def get(visitor: HTTPConnection, path: str, headers: dict[str, str] | None = None) -> HTTPResponse:
    visitor.request("GET", path, headers=headers or {})
    return visitor.getresponse()


def asking(path: str) -> bytes:
    """A request for the first byte."""
    return f"GET {path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nRange: bytes=0-0\r\n\r\n".encode()
