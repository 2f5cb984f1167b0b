"""A running gateway and the origin that it fetches from, shared by all tests of a process."""

from collections.abc import Iterator

import pytest

from tests.support.live_gateway import LiveGateway, live_gateway
from tests.support.servers import ScriptedServer


@pytest.fixture(scope="session")
def files() -> Iterator[ScriptedServer]:
    """The origin; a test serves at paths of its own."""
    with ScriptedServer() as server:
        yield server


@pytest.fixture(scope="session")
def live(files: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    """A gateway that fetches from ``files``; a test leaves it as it was."""
    with live_gateway(tmp_path_factory.mktemp("gateway"), files.address) as gateway:
        yield gateway
