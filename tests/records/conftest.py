"""Each engine's database, empty for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from databases import ENGINES, emptied, postgresql_url
from gateway.storage.database import Database


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real server, started once."""
    yield from postgresql_url(tmp_path_factory.mktemp("postgresql"))


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A migrated database without rows."""
    in_file = f"sqlite:///{tmp_path}/gateway.db"
    database = Database(in_file if request.param == "sqlite" else request.getfixturevalue("postgresql"))
    yield emptied(database)
    database.engine.dispose()
