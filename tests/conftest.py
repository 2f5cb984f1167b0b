"""Fixtures: servers, settings, and gateways in this process."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import Bucket
from gateway.storage.database import Database
from tests.support.buckets import CREDENTIALS, S3Server, swift
from tests.support.databases import ENGINES, emptied, postgresql_url
from tests.support.factories import Clock, Gateway, make_settings
from tests.support.servers import ScriptedServer

SLOW_MODULE = re.compile(r"^pytestmark = (\[\n? *)?pytest\.mark\.slow\b", re.MULTILINE)
CORPORA = Path(__file__).parents[2] / "shared" / "corpora"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave modules of slow tests unread where they are not to run: what they import takes seconds."""
    if config.option.markexpr != "not slow" or collection_path.suffix != ".py":
        return None
    return SLOW_MODULE.search(collection_path.read_text(encoding="utf-8")) is not None or None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which tests ``make test`` leaves out."""
    if config.option.markexpr == "not slow":
        terminalreporter.write_line("Left to `make test-all`: the slow tests (see the marker in pyproject.toml).")


@pytest.fixture
def origin() -> Iterator[ScriptedServer]:
    """Who holds the bytes."""
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def provider() -> Iterator[ScriptedServer]:
    """Who turns image URLs into direct URLs."""
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    """Time that a test moves."""
    return Clock()


@pytest.fixture
def gateway(origin: ScriptedServer) -> Gateway:
    """A gateway that fetches from ``origin`` itself."""
    return Gateway(make_settings(origin.address))


@pytest.fixture
def upstream_gateway(origin: ScriptedServer, provider: ScriptedServer, clock: Clock) -> Gateway:
    """A gateway that asks ``provider`` for direct URLs, which lie on ``origin``."""
    settings = make_settings(origin.address, resolver="upstream", upstream_url=provider.url(""))
    return Gateway(settings, clock=clock)


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real server, started once."""
    yield from postgresql_url(tmp_path_factory.mktemp("postgresql"))


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A migrated database without rows, of each engine."""
    in_file = f"sqlite:///{tmp_path}/gateway.db"
    database = Database(in_file if request.param == "sqlite" else request.getfixturevalue("postgresql"))
    yield emptied(database)
    database.engine.dispose()


@pytest.fixture
def open_again(database: Database) -> Iterator[Callable[[], Database]]:
    """Opens the same database, as another worker does."""
    opened: list[Database] = []

    def open_again() -> Database:
        opened.append(Database(database.engine.url.render_as_string(hide_password=False)))
        return opened[-1]

    yield open_again
    for each in opened:
        each.engine.dispose()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """A server that speaks S3."""
    with swift() as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket, and the keys to its server where the gateway looks for them."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return s3.make_bucket()


@pytest.fixture(scope="session")
def corpora() -> dict[str, Any]:
    """The shared test data; skipped where it is not."""
    import json

    if not CORPORA.is_dir():
        pytest.skip(f"the shared corpora are not on this machine; they would be in {CORPORA}")
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in CORPORA.glob("*.json")}
