"""How the engines look for records and objects: by an index, never through all of them."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import delete, event

from gateway.records.record import Record
from gateway.records.sql_records import SqlRecords
from gateway.storage.database import Database
from gateway.storage.object_index import ObjectIndex
from gateway.storage.object_store import StoredObject
from gateway.storage.tables import objects

URL = "https://origin.example/v/cat.png"
NOW = 20_000
TASK3 = delete(objects).where(objects.c.task_id == "task3")
NEW = Record("new", "SUCCESS", (URL,), NOW)
# So many that the way to one of them matters: of fewer, PostgreSQL reads all, and is right. Half are tombstones.
FILL = """
CREATE TEMPORARY TABLE numbers AS WITH RECURSIVE counted(n) AS (
    SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 20000
) SELECT n FROM counted;
INSERT INTO records (task_id, status, created_at, swept_at)
    SELECT 'task' || n, 'SUCCESS', n, CASE WHEN n > 10000 THEN n END FROM numbers;
INSERT INTO objects (task_id, url_hash, digest, length, head, stored_at)
    SELECT 'task' || n, 'hash' || n, 'digest' || n, 1, '', n FROM numbers;
INSERT INTO deletions (digest, began_at) SELECT 'other' || n, n FROM numbers;
DROP TABLE numbers
"""
FIRST_COLUMN = {
    "pk_records": "task_id",
    "ix_records_created_at": "swept_at",
    "pk_objects": "task_id",
    "ix_objects_digest": "digest",
    "pk_deletions": "digest",
}

# Every method, asked so that each of its statements has something to do.
ASKED: dict[Callable[..., object], tuple[object, ...]] = {
    SqlRecords.find: ("task1",),
    SqlRecords.put: (NEW,),
    SqlRecords.put_unless_succeeded: (NEW,),
    SqlRecords.delete: ("task1",),
    SqlRecords.add_result: ("task3", "gateway:cat.png", lambda connection: connection.execute(TASK3)),
    SqlRecords.list_expired: (NOW, 10),
    SqlRecords.tombstone: (["task4", "task5"], NOW, NOW),
    SqlRecords.purge: (NOW, 10),
    ObjectIndex.find: ("task2", URL),
    ObjectIndex.find_by_digest: ("digest2",),
    ObjectIndex.put: ("task2", URL, StoredObject("digest2", 1, b"x")),
    ObjectIndex.delete: ("task2",),
    ObjectIndex.unreferenced: (("digest2", "digest3"),),
}


@pytest.fixture
def filled(database: Database) -> Database:
    """A database with many records and objects."""
    with database.write_transaction() as connection:
        for statement in FILL.split(";"):
            connection.exec_driver_sql(statement)
        if not database.is_sqlite:
            connection.exec_driver_sql("ANALYZE")  # as PostgreSQL does by itself; SQLite does not
    return database


def slow_steps(database: Database, statement: str, parameters: Any = ()) -> list[str]:
    """The steps of a statement's plan that take longer, the more rows there are."""
    with database.read_transaction() as connection:
        if database.is_sqlite:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            return [row.detail for row in plan if row.detail.startswith(("SCAN", "USE TEMP B-TREE"))]
        plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
        return [step["Node Type"] for step in steps(plan.scalar_one()[0]["Plan"]) if is_slow(step)]


def steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from steps(part)


def is_slow(step: dict[str, Any]) -> bool:
    if index := step.get("Index Name"):
        return FIRST_COLUMN[index] not in step.get("Index Cond", "")  # by its other columns it is read through
    return str(step["Node Type"]).endswith(("Seq Scan", "Sort"))


def test_whatever_is_asked_of_many_records_and_objects_goes_by_an_index(filled: Database) -> None:
    rooms = {room.__name__: room(filled) for room in (SqlRecords, ObjectIndex)}
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE")):
            sent.append((statement, parameters))

    event.listen(filled.engine, "before_cursor_execute", note)
    for method, arguments in ASKED.items():
        named = {"now_ms": NOW, "oldest_ms": 0} if method is SqlRecords.add_result else {}
        method(rooms[method.__qualname__.partition(".")[0]], *arguments, **named)
    event.remove(filled.engine, "before_cursor_execute", note)

    assert len(sent) > len(ASKED)
    assert {each[0]: slow for each in sent if (slow := slow_steps(filled, *each))} == {}


def test_every_method_is_asked() -> None:
    public = [
        method
        for room in (SqlRecords, ObjectIndex)
        for name, method in inspect.getmembers(room, inspect.isfunction)
        if not name.startswith("_")
    ]

    assert {*ASKED, ObjectIndex.put_in} == set(public)  # put calls put_in


def test_a_full_scan_is_recognised(filled: Database) -> None:
    for statement in (
        "SELECT task_id FROM records WHERE error_code = 1",
        "SELECT task_id FROM objects WHERE url_hash = 'hash1'",
        "SELECT task_id FROM objects ORDER BY length LIMIT 1",
        "DELETE FROM objects WHERE stored_at < 10",
    ):
        assert slow_steps(filled, statement) != [], statement
