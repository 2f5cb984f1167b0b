"""Databases with very many records and objects, filled as fast as the engine takes them, and gone afterwards."""

import hashlib
import json
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from sqlalchemy import Table

from gateway.storage.database import Database
from gateway.storage.object_store import StoredObject
from gateway.storage.tables import objects, records

Row = tuple[str | int, ...]
RECORD_COLUMNS = ("task_id", "status", "result_urls", "created_at", "completed_at")
OBJECT_COLUMNS = ("task_id", "url_hash", "digest", "length", "head", "stored_at")


def task_id(number: int) -> str:
    """The id of a task; like real ones, in no order."""
    return _sha256(f"task {number}")[:32]


def url(number: int) -> str:
    """The origin URL of its image."""
    return f"https://images.example.com/v/{task_id(number)}.png"


def stored(number: int) -> StoredObject:
    """The object of its image."""
    return StoredObject(_sha256(f"image {number}"), 1_000_000, b"\x89PNG\r\n\x1a\n" + bytes(56))


def created_at(number: int) -> int:
    """When the task was made, in Unix milliseconds: one a second."""
    return 1_700_000_000_000 + number * 1000


@contextmanager
def sqlite() -> Iterator[Callable[[str], str]]:
    """Give a function that makes a database and tells its URL."""
    with TemporaryDirectory(prefix="bench-") as folder:
        yield lambda name: f"sqlite:///{folder}/{name}.db"


@contextmanager
def postgresql() -> Iterator[Callable[[str], str]]:
    """The same, on a server of its own.

    Raises:
        ImportError: pgserver is not installed; it is made for Linux on x86-64.
    """
    with warnings.catch_warnings(action="ignore"):  # it tells where it keeps its files
        import pgserver  # noqa: PLC0415 (not on every machine)

    folder = TemporaryDirectory(prefix="bench-")
    with folder, pgserver.get_server(Path(folder.name, "data")) as server:  # type: ignore[attr-defined]

        def make(name: str) -> str:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}")
            return str(server.get_uri(name))

        yield make


def fill(database: Database, count: int) -> None:
    """Make the tables, and so many records in them, each with one image that is kept."""
    database.migrate()
    location = database.engine.url
    if database.is_sqlite:
        _fill_sqlite(str(location.database), count)
    else:
        _fill_postgresql(location.set(drivername="postgresql").render_as_string(hide_password=False), count)


def _fill_sqlite(path: str, count: int) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA cache_size = -500000")  # KiB
        for table, columns, rows in _contents(count):
            slots = ", ".join("?" * len(columns))
            connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({slots})", rows)


def _fill_postgresql(location: str, count: int) -> None:
    with psycopg.connect(location, autocommit=True) as connection, connection.cursor() as cursor:
        for table, columns, rows in _contents(count):
            with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        cursor.execute("VACUUM ANALYZE")  # what autovacuum does in its time


def _contents(count: int) -> Iterator[tuple[Table, tuple[str, ...], Iterator[Row]]]:
    yield records, RECORD_COLUMNS, map(_record, range(count))
    yield objects, OBJECT_COLUMNS, map(_object, range(count))


def _record(number: int) -> Row:
    made_at = created_at(number)
    return task_id(number), "SUCCESS", json.dumps([url(number)]), made_at, made_at + 20_000


def _object(number: int) -> Row:
    image = stored(number)
    hashed = _sha256(url(number))
    return task_id(number), hashed, image.digest, image.length, image.head.hex(), created_at(number)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
