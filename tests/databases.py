"""Real databases for tests: SQLite in a file, and PostgreSQL from a wheel."""

import warnings
from collections.abc import Iterator
from pathlib import Path

from gateway.storage.database import Database
from machine import missing

ENGINES = ("sqlite", "postgresql")


def postgresql_url(folder: Path) -> Iterator[str]:
    """Start a server of our own, give the URL of its database, and stop it in the end."""
    try:
        with warnings.catch_warnings(action="ignore"):  # it tells where it keeps its files
            import pgserver
    except ImportError:
        missing("pgserver is not installed")
    with warnings.catch_warnings(action="ignore"), pgserver.get_server(folder) as server:  # type: ignore[attr-defined]
        yield server.get_uri()


def emptied(database: Database) -> Database:
    """A database whose tables are there, and empty."""
    from gateway.storage.models import metadata

    database.migrate()
    with database.writing() as connection:
        for table in metadata.sorted_tables:
            connection.execute(table.delete())
    return database
