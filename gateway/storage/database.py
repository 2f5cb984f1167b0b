"""The database: SQLite by default, PostgreSQL by its URL. One place that opens it, and one that migrates it."""

import fcntl
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
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
_MIGRATING = 0x6A7E  # the number of a lock in PostgreSQL; any will do that nobody else takes
_POSTGRES_SCHEMES = ("postgres://", "postgresql://")


class Database:
    """Opens connections, and none before it is asked. Build it after the worker was forked.

    Args:
        url: as SQLAlchemy writes it; ``postgres://`` is taken too.
    """

    def __init__(self, url: str) -> None:
        self.engine = _engine(_normal(url))
        self._read_wait, self._write_wait, self._writes = LockWait(), LockWait(), WriteTurns()

    @contextmanager
    def read_transaction(self) -> Iterator[Connection]:
        """A connection that only reads.

        Raises:
            DatabaseDown: the database does not answer, or stays locked.
        """
        with _database_errors(), self._read_wait.retry(partial(self._begin, writes=False)) as connection:
            yield connection

    @contextmanager
    def write_transaction(self) -> Iterator[Connection]:
        """A transaction that takes the write lock at once, and commits at the end of the block.

        Do nothing in it but SQL: all other writers wait for the end of the block.

        Raises:
            DatabaseDown: the database does not answer, or stays locked; nothing of the block was kept.
        """
        with _database_errors(), self._turn(), self._write_wait.retry(partial(self._begin, writes=True)) as connection:
            yield connection
            connection.commit()

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database."""
        return self.engine.dialect.name == "sqlite"

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """Begin an ``INSERT`` in this database's own words: only these tell what to do on a conflict."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def is_available(self) -> bool:
        """Tell whether the database does."""
        try:
            with self.read_transaction() as connection:
                connection.exec_driver_sql("SELECT 1")
        except DatabaseDown:
            return False
        return True

    def migrate_by_policy(self, policy: MigrationPolicy = "empty") -> "State":
        """Migrate the database if the policy says so, and SQLite always, as a release step may have another disk.

        Returns:
            How the database is then; "empty" and "behind" cannot be used.

        Raises:
            DatabaseDown: the database does not answer.
        """
        if self.is_sqlite:
            return self.migrate()
        state = self.state()
        if policy == "auto" or (policy == "empty" and state == "empty"):
            return self.migrate()
        return state

    def state(self) -> "State":
        """How the database is, compared with the migrations of this version of the gateway.

        Raises:
            DatabaseDown: the database does not answer.
        """
        from gateway.storage import migrate  # noqa: PLC0415 (Alembic takes a moment, and calls do not need it)

        with self.read_transaction() as connection:
            return migrate.state_of(connection)

    def is_current(self) -> bool:
        """Tell whether every migration was applied."""
        return self.state() == "current"

    def migrate(self) -> "State":
        """Apply the migrations that are missing. Of several processes, one does it, and the others wait for it.

        Returns:
            How the database is then: "current", or "ahead" where it was that already.

        Raises:
            DatabaseDown: the database does not answer.
        """
        from gateway.storage import migrate  # noqa: PLC0415 (as above)

        with _database_errors(), self._alone(), self.write_transaction() as connection:
            if not self.is_sqlite:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATING})")
            state = migrate.state_of(connection)  # another process may have migrated it meanwhile
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

    def _turn(self) -> AbstractContextManager[None]:
        return self._writes.turn() if self.is_sqlite else nullcontext()

    @contextmanager
    def _alone(self) -> Iterator[None]:
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


def _normal(url: str) -> str:
    for scheme in _POSTGRES_SCHEMES:
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    return url


def _engine(url: str) -> Engine:
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
