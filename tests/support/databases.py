"""Real databases for tests: SQLite in a file, and PostgreSQL from a wheel."""

import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sqlalchemy import event

from gateway.storage.database import Database
from tests.support.machine import missing

STARTS = 3
ENGINES = ("sqlite", "postgresql")


def migrated_sqlite(folder: Path) -> str:
    """Create ``gateway.db`` in a folder, migrated and empty, unless it exists; returns its URL."""
    path = folder / "gateway.db"
    if not path.exists():
        path.write_bytes(_migrated())
    return f"sqlite:///{path}"


@cache
def _migrated() -> bytes:
    """A migrated database file: to copy it is much faster than to migrate."""
    with TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/gateway.db")
        database.migrate()
        database.engine.dispose()
        return (Path(folder) / "gateway.db").read_bytes()


def postgresql_url(folder: Path) -> Iterator[str]:
    """Start a server, yield the URL of its database, and stop it."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of where it keeps its files
            import pgserver
    except ImportError:
        missing("pgserver, a PostgreSQL server from pip, is not installed: it has no wheel for this platform")
    with warnings.catch_warnings(action="ignore"), _started(pgserver, folder) as server:
        yield server.get_uri()


def _started(pgserver: Any, folder: Path) -> Any:
    """Start it; its own timeout of ten seconds is short for a busy machine."""
    folder.mkdir(exist_ok=True)
    for attempt in range(STARTS):
        try:
            return pgserver.get_server(folder / str(attempt))
        except subprocess.TimeoutExpired:
            continue
    pytest.fail("PostgreSQL does not start")


def emptied(database: Database) -> Database:
    """Migrate a database and delete all its rows."""
    from gateway.storage.tables import metadata

    database.migrate()
    with database.write_transaction() as connection:
        for table in metadata.sorted_tables:
            connection.execute(table.delete())
    return database


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Collects every SQL statement sent in the block."""
    sent: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(database.engine, "before_cursor_execute", listen)
    yield sent
    event.remove(database.engine, "before_cursor_execute", listen)
