"""A worker's memory, with images that would not go unnoticed in it."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.factories import API_KEY, PNG
from tests.support.live_gateway import LiveGateway, live_gateway
from tests.support.servers import Request, ScriptedServer

MB = 1_000_000
BLOCK = bytes(MB)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells the peak of a process"),
]


@pytest.fixture
def store(origin: ScriptedServer, tmp_path: Path) -> Iterator[LiveGateway]:
    with live_gateway(tmp_path, origin.address, resolver="store", upstream_api_key="") as gateway:
        yield gateway


def image_of(megabytes: int) -> Callable[[Request], None]:
    """A route that sends an image block by block, so that nobody here holds it whole."""

    def send(request: Request) -> None:
        length = megabytes * MB
        head = f"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {length}\r\n\r\n"
        request.connection.sendall(head.encode() + PNG[:8] + BLOCK[8:])
        for _ in range(megabytes - 1):
            request.connection.sendall(BLOCK)

    return send


def download(gateway: LiveGateway, url: str) -> int:
    """Take all the bytes and keep none; tells how many came."""
    taken, part = 0, bytearray(MB)
    with gateway.visit() as visitor:
        visitor.request("GET", gateway.path(url, "task1"))
        response = visitor.getresponse()
        while response.status == 200 and (count := response.readinto(part)):
            taken += count
    return taken


def peak_bytes(gateway: LiveGateway) -> int:
    """The most that the worker ever had in memory."""
    (worker,) = gateway.workers()
    status = Path(f"/proc/{worker}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def test_peak_memory_does_not_grow_with_the_image(store: LiveGateway, origin: ScriptedServer) -> None:
    small, large = (origin.route(f"/v/{n}.png", image_of(n)) for n in (5, 100))
    body = json.dumps({"status": "SUCCESS", "resultUrls": [small, large]})
    with store.visit() as visitor:
        visitor.request("PUT", "/api/v1/records/task1", body, {"Authorization": f"Bearer {API_KEY}"})
        assert visitor.getresponse().status == 200

    peaks = []
    for url, length in ((small, 5 * MB), (large, 100 * MB)):
        assert [download(store, url), download(store, url)] == [length, length]  # cold and warm
        peaks.append(peak_bytes(store))

    assert peaks[1] - peaks[0] <= 10 * MB
