"""A running gateway and the origin it fetches from, shared by the tests of one module."""

from collections.abc import Iterator

import pytest

from tests.support.live_gateway import LiveGateway, live_gateway
from tests.support.servers import ScriptedServer


@pytest.fixture(scope="module")
def files() -> Iterator[ScriptedServer]:
    """Who holds the bytes; a test serves at paths of its own."""
    with ScriptedServer() as server:
        yield server


@pytest.fixture(scope="module")
def live(files: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    """A gateway that fetches from ``files``; a test leaves it running and open to everybody."""
    with live_gateway(tmp_path_factory.mktemp("gateway"), files.address) as gateway:
        yield gateway
