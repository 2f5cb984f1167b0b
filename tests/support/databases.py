"""Real databases for tests: SQLite in a file, and PostgreSQL from a wheel."""

import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from gateway.storage.database import Database
from tests.support.machine import missing

STARTS = 3
ENGINES = ("sqlite", "postgresql")


def postgresql_url(folder: Path) -> Iterator[str]:
    """Start a server of our own, give the URL of its database, and stop it in the end."""
    try:
        with warnings.catch_warnings(action="ignore"):  # it tells where it keeps its files
            import pgserver
    except ImportError:
        missing("pgserver, a PostgreSQL server from pip, is not installed: it has no wheel for this platform")
    with warnings.catch_warnings(action="ignore"), _started(pgserver, folder) as server:
        yield server.get_uri()


def _started(pgserver: Any, folder: Path) -> Any:
    """Start it; it gives itself ten seconds, which a busy machine may take."""
    folder.mkdir(exist_ok=True)
    for attempt in range(STARTS):
        try:
            return pgserver.get_server(folder / str(attempt))
        except subprocess.TimeoutExpired:
            continue
    pytest.fail("PostgreSQL does not start")


def emptied(database: Database) -> Database:
    """A database whose tables are there, and empty."""
    from gateway.storage.models import metadata

    database.migrate()
    with database.writing() as connection:
        for table in metadata.sorted_tables:
            connection.execute(table.delete())
    return database


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Every statement that is sent in the block."""
    sent: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(database.engine, "before_cursor_execute", listen)
    yield sent
    event.remove(database.engine, "before_cursor_execute", listen)
