"""Fixtures (servers, settings, gateways in this process), and what the quick suite leaves out."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import Bucket
from gateway.storage.database import Database
from tests.support.buckets import CREDENTIALS, S3Server, swift
from tests.support.databases import ENGINES, emptied, migrated_sqlite, postgresql_url
from tests.support.factories import Clock, Gateway, make_settings
from tests.support.servers import ScriptedServer

SLOW_MODULE = re.compile(r"^pytestmark = (\[\n? *)?pytest\.mark\.slow\b", re.MULTILINE)
CORPORA = Path(__file__).parents[2] / "shared" / "corpora"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave modules of slow tests unread where they are not to run: what they import takes seconds."""
    if config.option.markexpr != "not slow" or collection_path.suffix != ".py":
        return None
    return SLOW_MODULE.search(collection_path.read_text(encoding="utf-8")) is not None or None


@pytest.hookimpl(tryfirst=True)  # before what the option -m deselects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the S3 server as slow: it takes seconds to start, and a quarter of a second for each call."""
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if "s3" in getattr(item, "fixturenames", ()) or "bucket" in parameters.values():
            item.add_marker("slow")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which tests ``make test`` leaves out."""
    if config.option.markexpr == "not slow":
        terminalreporter.write_line("Left to `make test-all`: the slow tests (see the marker in pyproject.toml).")


@pytest.fixture
def origin() -> Iterator[ScriptedServer]:
    """The server that has the files."""
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def provider() -> Iterator[ScriptedServer]:
    """The server that turns image URLs into direct URLs."""
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    """A clock that a test sets."""
    return Clock()


@pytest.fixture
def gateway(origin: ScriptedServer) -> Gateway:
    """A gateway that fetches from ``origin`` by the link's own URL."""
    return Gateway(make_settings(origin.address))


@pytest.fixture
def upstream_gateway(origin: ScriptedServer, provider: ScriptedServer, clock: Clock) -> Gateway:
    """A gateway that asks ``provider`` for direct URLs on ``origin``."""
    settings = make_settings(origin.address, resolver="upstream", upstream_url=provider.url(""))
    return Gateway(settings, clock=clock)


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server."""
    yield from postgresql_url(tmp_path_factory.mktemp("postgresql"))


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A migrated database without rows, on each engine."""
    if request.param == "sqlite":
        database = Database(migrated_sqlite(tmp_path))
    else:
        database = emptied(Database(request.getfixturevalue("postgresql")))
    yield database
    database.engine.dispose()


@pytest.fixture
def open_again(database: Database) -> Iterator[Callable[[], Database]]:
    """Opens the same database again, as another worker does."""
    opened: list[Database] = []

    def open_again() -> Database:
        opened.append(Database(database.engine.url.render_as_string(hide_password=False)))
        return opened[-1]

    yield open_again
    for each in opened:
        each.engine.dispose()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """An S3 server."""
    with swift() as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket; its server's keys are in the environment."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return s3.make_bucket()


@pytest.fixture(scope="session")
def corpora() -> dict[str, Any]:
    """The shared test data; the test is skipped without it."""
    import json

    if not CORPORA.is_dir():
        pytest.skip(f"the shared corpora are not on this machine; they would be in {CORPORA}")
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in CORPORA.glob("*.json")}
