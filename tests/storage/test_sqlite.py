"""SQLite that another process has locked: whoever wants it waits alone, and not in a queue."""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from gateway.errors import DatabaseDown
from gateway.records.record import Record
from gateway.records.sql_records import SqlRecords
from gateway.storage.database import Database
from tests.support.databases import migrated_sqlite
from tests.support.live_gateway import ROOT, bare_environment

# Twelve calls under gevent, while a greenlet counts how often it gets its turn.
SCRIPT = """
from gevent import monkey
monkey.patch_all()
import json, sys, time
import gevent
from gateway.errors import DatabaseDown
from gateway.records.record import Record
from gateway.records.sql_records import SqlRecords
from gateway.storage.database import Database

database = Database(f"sqlite:///{sys.argv[1]}")
records = SqlRecords(database)
calls = {"write": lambda: records.put(Record("task1", "GENERATING", None, 1)), "read": lambda: records.find("task1")}
call, turns, outcomes = calls[sys.argv[2]], 0, []

def count_turns():
    global turns
    while True:
        turns += 1
        gevent.sleep(0.01)

def attempt():
    try:
        call()
        outcomes.append("done")
    except DatabaseDown:
        outcomes.append("down")

counting = gevent.spawn(count_turns)
begun_at = time.monotonic()
gevent.joinall([gevent.spawn(attempt) for _ in range(12)])
together_s = time.monotonic() - begun_at
counting.kill()
print(json.dumps({"together_s": together_s, "turns": turns, "outcomes": outcomes}))
"""
SLOW_SYNC = """
from gevent import monkey
monkey.patch_all()
import sqlite3, sys
import gevent
from gateway.records.record import Record
from gateway.records.sql_records import SqlRecords
from gateway.storage.database import Database
from sqlalchemy import event

database = Database(f"sqlite:///{sys.argv[1]}")
slow, turns = monkey.get_original("time", "sleep"), 0

@event.listens_for(database.engine, "connect")
def on_connect(connection, _record):
    connection.set_trace_callback(lambda sql: slow(0.5) if sql == "COMMIT" else None)

def count_turns():
    global turns
    while True:
        turns += 1
        gevent.sleep(0.01)

counting = gevent.spawn(count_turns)
SqlRecords(database).put(Record("task1", "GENERATING", None, 1))
counting.kill()
print(turns > 10)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A migrated database."""
    migrated_sqlite(tmp_path)
    return tmp_path / "gateway.db"


@contextmanager
def locked(path: Path, *, for_readers: bool = False) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        if for_readers:
            other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("DELETE FROM chores")
        if for_readers:  # the lock stays when the transaction is over
            other.execute("COMMIT")
        yield other


def under_gevent(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        env=bare_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("what", ["write", "read"])
def test_calls_to_a_locked_database_wait_concurrently_while_other_greenlets_run(path: Path, what: str) -> None:
    with locked(path, for_readers=what == "read"):
        result = json.loads(under_gevent(SCRIPT, str(path), what))

    assert result["outcomes"] == ["down"] * 12
    assert result["together_s"] < 2 * 1.5  # one after the other they would take 18 s
    assert result["turns"] > 20


@pytest.mark.slow
def test_other_greenlets_run_while_a_commit_waits_for_the_disk(path: Path) -> None:
    assert under_gevent(SLOW_SYNC, str(path)) == "True\n"


def test_after_one_timeout_the_next_calls_fail_at_once_until_the_lock_is_gone(path: Path) -> None:
    records = SqlRecords(Database(f"sqlite:///{path}"))
    record = Record("task1", "GENERATING", None, 1)

    with locked(path):
        with pytest.raises(DatabaseDown):
            records.put(record)
        begun_at = time.monotonic()
        for _ in range(5):
            with pytest.raises(DatabaseDown):
                records.put(record)
        five_s = time.monotonic() - begun_at
    records.put(record)

    assert five_s < 1
    assert records.find("task1") == record


def test_a_call_gets_through_when_the_lock_is_released_in_time(path: Path) -> None:
    records = SqlRecords(Database(f"sqlite:///{path}"))
    record = Record("task1", "GENERATING", None, 1)

    with locked(path) as other, ThreadPoolExecutor(1) as pool:
        writing = pool.submit(records.put, record)
        assert not writing.done()
        other.execute("ROLLBACK")
        writing.result(10)

    assert records.find("task1") == record
