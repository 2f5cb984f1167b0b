"""The database: SQLite or PostgreSQL. Opens connections and applies migrations."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, Table, create_engine, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import DatabaseDown
from gateway.settings.types import MigrationPolicy
from gateway.storage.sqlite import LockWait, WriteTurns, create_sqlite_engine

if TYPE_CHECKING:
    from gateway.storage.migrate import State

CONNECT_TIMEOUT_S = 3
_MIGRATION_LOCK_ID = 0x6A7E  # of a PostgreSQL advisory lock; an arbitrary number
_POSTGRES_SCHEMES = ("postgres://", "postgresql://")


class Database:
    """Opens connections on first use. Create it after the worker is forked.

    Args:
        url: a SQLAlchemy URL; ``postgres://`` is accepted too.
    """

    def __init__(self, url: str) -> None:
        self.engine = _create_engine(_normalize_url(url))
        self._read_wait, self._write_wait, self._writes = LockWait(), LockWait(), WriteTurns()

    @contextmanager
    def read_transaction(self) -> Iterator[Connection]:
        """A connection for reading.

        Raises:
            DatabaseDown: the database does not respond, or stays locked.
        """
        with _database_errors(), self._read_wait.retry(partial(self._begin, writes=False)) as connection:
            yield connection

    @contextmanager
    def write_transaction(self) -> Iterator[Connection]:
        """A transaction that acquires the write lock first, and commits at the end of the block.

        Execute only SQL in the block: all other writers wait for its end.

        Raises:
            DatabaseDown: the database does not respond, or stays locked; the transaction was rolled back.
        """
        turn = self._writes.turn() if self.is_sqlite else nullcontext()
        with _database_errors(), turn, self._write_wait.retry(partial(self._begin, writes=True)) as connection:
            yield connection
            connection.commit()

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is SQLite."""
        return self.engine.dialect.name == "sqlite"

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An ``INSERT`` of this dialect, which supports ``ON CONFLICT``."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def is_available(self) -> bool:
        """Whether the database responds."""
        try:
            with self.read_transaction() as connection:
                connection.exec_driver_sql("SELECT 1")
        except DatabaseDown:
            return False
        return True

    def migrate_by_policy(self, policy: MigrationPolicy = "empty") -> "State":
        """Migrate PostgreSQL if the policy allows it, and SQLite always, as a release step may run on another disk.

        Returns:
            The state afterwards; the gateway cannot run on "empty" or "behind".

        Raises:
            DatabaseDown: the database does not respond.
        """
        if self.is_sqlite:
            return self.migrate()
        state = self.state()
        if policy == "auto" or (policy == "empty" and state == "empty"):
            return self.migrate()
        return state

    def state(self) -> "State":
        """Compare the database with the migrations of this version of the gateway.

        Raises:
            DatabaseDown: the database does not respond.
        """
        from gateway.storage import migrate  # noqa: PLC0415 (Alembic is slow to import, and requests do not need it)

        with self.read_transaction() as connection:
            return migrate.state_of(connection)

    def is_current(self) -> bool:
        """Whether every migration is applied."""
        return self.state() == "current"

    def migrate(self) -> "State":
        """Apply the missing migrations. Of several processes, one applies them and the others wait.

        Returns:
            The state afterwards: "current", or "ahead" if it was ahead before.

        Raises:
            DatabaseDown: the database does not respond.
        """
        from gateway.storage import migrate  # noqa: PLC0415 (as above)

        with _database_errors(), self._sqlite_migration_lock(), self.write_transaction() as connection:
            if not self.is_sqlite:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK_ID})")
            state = migrate.state_of(connection)  # another process may have migrated it
            if state in {"current", "ahead"}:
                return state
            migrate.migrate(connection)
            return "current"

    def _begin(self, *, writes: bool) -> Connection:
        connection = self.engine.connect().execution_options(writes=writes)
        try:
            connection.begin()
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _sqlite_migration_lock(self) -> Iterator[None]:
        path = self.engine.url.database
        if not self.is_sqlite or not path or path == ":memory:":
            yield
            return
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with Path(path + ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@contextmanager
def _database_errors() -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        raise DatabaseDown(type(error).__name__) from error


def _normalize_url(url: str) -> str:
    for scheme in _POSTGRES_SCHEMES:
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    return url


def _create_engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return create_sqlite_engine(parsed)
    return create_engine(
        parsed,
        pool_size=10,
        max_overflow=20,
        pool_timeout=CONNECT_TIMEOUT_S,
        pool_pre_ping=True,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S},
    )
