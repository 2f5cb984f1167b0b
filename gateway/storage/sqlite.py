"""SQLite under gevent: waiting for a lock or for the disk does not block other greenlets."""

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.exc import OperationalError

from gateway.errors import DatabaseDown
from gateway.storage.thread_pool import run_in_thread

LOCK_TIMEOUT_S = 1.5
CONNECTION_TIMEOUT_S = 3
_TURN_TIMEOUT_S = 10.0
_RETRY_AFTER_S = (0.005, 0.025)  # random, so that processes do not retry in step
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
Result = TypeVar("Result")


class LockWait:
    """Waits for a lock that another process holds, by polling: SQLite's busy timeout would block the whole thread.

    After a timeout each call tries only once, until one succeeds, so that calls do not queue for a database that stays
    locked.

    Args:
        timeout_s: maximum wait in seconds.
    """

    def __init__(self, timeout_s: float = LOCK_TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._timed_out = False

    def retry(self, begin: Callable[[], Result]) -> Result:
        """Call ``begin`` until the database is not locked, and return its result.

        Raises:
            OperationalError: the database is still locked after the timeout, or another error occurred.
        """
        until = time.monotonic() + (0 if self._timed_out else self._timeout_s)
        while True:
            try:
                result = begin()
            except OperationalError as error:
                if not _is_locked(error):
                    raise
                if time.monotonic() >= until:
                    self._timed_out = True
                    raise
            else:
                self._timed_out = False
                return result
            time.sleep(random.uniform(*_RETRY_AFTER_S))  # noqa: S311 (jitter)


class WriteTurns:
    """Serializes the write transactions of this process, so that they wait in order without polling."""

    def __init__(self, timeout_s: float = _TURN_TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._lock = threading.Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the turn for the block.

        Raises:
            DatabaseDown: the turn did not come within the timeout.
        """
        if not self._lock.acquire(timeout=self._timeout_s):
            raise DatabaseDown("too many writes wait for the database")
        try:
            yield
        finally:
            self._lock.release()


def create_sqlite_engine(url: URL) -> Engine:
    """Create an engine whose connections do not wait for locks; use it with :class:`LockWait`."""
    connect_args = {"timeout": 0, "check_same_thread": False, "factory": _Connection}
    in_file = url.database not in {None, "", ":memory:"}
    pool: dict[str, Any] = {"poolclass": QueuePool, "pool_timeout": CONNECTION_TIMEOUT_S} if in_file else {}
    engine = create_engine(url, connect_args=connect_args, **pool)
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


class _Connection(sqlite3.Connection):
    def commit(self) -> None:
        """Commit in a thread: SQLite syncs its write-ahead log, and sometimes checkpoints it."""
        run_in_thread(super().commit)


def _on_connect(connection: Any, _record: Any) -> None:  # noqa: ANN401 (the driver's)
    connection.isolation_level = None  # _on_begin sends BEGIN
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _on_begin(connection: Connection) -> None:
    """Acquire the lock here, where it can be retried: in WAL mode no later statement fails because of a lock.

    A deferred BEGIN acquires the write lock at the first write, and the read lock at the first SELECT.
    """
    if connection.get_execution_options().get("writes", True):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql("PRAGMA schema_version").close()


def _is_locked(error: OperationalError) -> bool:
    code = getattr(error.orig, "sqlite_errorcode", 0)
    return code & 0xFF in _LOCKED  # without the extended result code (https://sqlite.org/rescode.html)
