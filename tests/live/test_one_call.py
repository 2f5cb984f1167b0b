import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.server.capacity import raise_file_limit, stream_slots
from tests.support.factories import PNG
from tests.support.live_gateway import LiveGateway, live_gateway
from tests.support.servers import Request, ScriptedServer, envelope

pytestmark = pytest.mark.slow

VISITORS = 1000
PROVIDER_PATH = "/api/v1/gpt4o-image/download-url"
PROVIDER_TAKES_S = 0.3


@dataclass
class Crowd:
    """Visitors who all press the same button at the same time."""

    asked: threading.Event

    async def download(self, port: int, path: str) -> list[bytes]:
        """Connect all, then let all ask, then read what everybody gets."""
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
        visitors = [await asyncio.open_connection("127.0.0.1", port) for _ in range(VISITORS)]
        for _, writer in visitors:
            writer.write(request)
        self.asked.set()
        try:
            return await asyncio.gather(*(reader.read() for reader, _ in visitors))
        finally:
            for _, writer in visitors:
                writer.close()


@pytest.fixture
def crowd() -> Crowd:
    raise_file_limit()
    if stream_slots() < VISITORS:
        pytest.skip("the limit of open files is too low for a thousand downloads at once; raise it: ulimit -n 4096")
    return Crowd(threading.Event())


@pytest.fixture
def converting(crowd: Crowd, origin: ScriptedServer, provider: ScriptedServer, tmp_path: Path) -> Iterator[LiveGateway]:
    """A gateway whose provider answers some time after the whole crowd has asked."""

    def convert(_request: Request) -> bytes:
        crowd.asked.wait(10)
        time.sleep(PROVIDER_TAKES_S)  # what the provider takes, not what the test waits for
        return envelope(data=origin.url("/objects/cat.png?X-Amz-Signature=secret"))

    provider.route(PROVIDER_PATH, convert)
    origin.serve("/objects/cat.png", PNG)
    with live_gateway(tmp_path, origin.address, resolver="upstream", upstream_url=provider.url("")) as gateway:
        yield gateway


def test_a_thousand_visitors_of_one_new_file_cost_one_call_to_the_provider(
    converting: LiveGateway, crowd: Crowd, origin: ScriptedServer, provider: ScriptedServer
) -> None:
    path = converting.path(origin.url("/v/cat.png"), mode="stream")

    answers = asyncio.run(crowd.download(converting.port, path))

    assert provider.paths("POST") == [PROVIDER_PATH]
    assert {answer.split(b"\r\n", 1)[0] for answer in answers} == {b"HTTP/1.1 200 OK"}
    assert {answer.partition(b"\r\n\r\n")[2] == PNG for answer in answers} == {True}
    assert len(answers) == VISITORS
