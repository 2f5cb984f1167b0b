"""Records: what the contract says of them, and that they are kept, on every engine alike."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, text

from gateway.errors import (
    DatabaseDown,
    GatewayError,
    ImageRejected,
    RecordNotFound,
    RecordNotReady,
    RecordTooOld,
    ResultBlank,
    ResultEmpty,
    ResultMissing,
)
from gateway.records.record import DAY_MS, Record, Status, check_result
from gateway.records.sql_records import SqlRecords
from gateway.storage import tables
from gateway.storage.database import Database
from gateway.storage.object_index import ObjectIndex
from gateway.storage.object_store import StoredObject

URL = "https://origin.example/v/cat.png"
NOW = 1_795_000_000_000


def record(
    task_id: str = "task1",
    status: Status = "SUCCESS",
    urls: tuple[str, ...] | None = (URL,),
    created_at: int = NOW,
    *,
    swept: bool = False,
) -> Record:
    return Record(task_id, status, urls, created_at, swept=swept)


def test_a_record_that_does_not_permit_the_image_has_an_error_of_its_own() -> None:
    cases: list[tuple[Record | None, type[GatewayError]]] = [
        (None, RecordNotFound),
        (record(created_at=NOW - 14 * DAY_MS - 1), RecordTooOld),
        (record(swept=True), RecordTooOld),
        (record(urls=("", "  ")), ResultBlank),
        (record(status="GENERATING", urls=(" ",)), ResultBlank),
        (record(status="GENERATING", urls=None), RecordNotReady),
        (record(status="GENERATE_FAILED", urls=None), RecordNotReady),
        (record(status="CREATE_TASK_FAILED", urls=()), RecordNotReady),
        (record(urls=None), ResultMissing),
        (record(urls=()), ResultEmpty),
        (record(urls=(URL + "x",)), ImageRejected),
    ]
    for known, error in cases:
        with pytest.raises(error):
            check_result(known, URL, now_ms=NOW, days=14)


def register(database: Database) -> Callable[[Connection], str | None]:
    stored = StoredObject("a" * 64, 1, b"x")
    return lambda connection: ObjectIndex(database).put_in(connection, "task1", URL, stored)


def test_a_record_permits_its_images_until_its_last_day() -> None:
    for age_ms in (0, 14 * DAY_MS):
        known = record(created_at=NOW - age_ms)
        assert check_result(known, URL, now_ms=NOW, days=14) is known


def test_a_record_has_the_providers_form() -> None:
    wire = record().to_wire()

    assert wire["response"] == {"resultUrls": [URL]}
    assert (wire["status"], wire["successFlag"], wire["progress"]) == ("SUCCESS", 1, "1.00")


class TestSqlRecords:
    """The same on SQLite and PostgreSQL."""

    @pytest.fixture
    def records(self, database: Database) -> SqlRecords:
        return SqlRecords(database)

    def test_a_record_comes_back_as_it_was_last_put(self, records: SqlRecords) -> None:
        assert records.find("task1") is None
        records.put(record(status="GENERATING", urls=None))
        for urls in (None, (), (URL,), ("", "图片 🙂")):
            records.put(record(urls=urls))
            assert records.find("task1") == record(urls=urls)

    def test_a_success_is_never_overwritten_by_what_comes_later(self, records: SqlRecords) -> None:
        assert records.put_unless_succeeded(record(status="GENERATING", urls=None))
        assert records.put_unless_succeeded(record())
        assert not records.put_unless_succeeded(record(urls=("https://origin.example/other.png",)))

        assert records.find("task1") == record()

    def test_a_deleted_record_is_gone_and_so_is_what_held_its_images(
        self, records: SqlRecords, database: Database
    ) -> None:
        index = ObjectIndex(database)
        records.put(record())
        index.put("task1", URL, StoredObject("d" * 64, 3, b"abc"))

        assert records.delete("task1")
        assert not records.delete("task1")

        assert records.find("task1") is None
        assert index.find("task1", URL) is None

    def test_a_sweep_turns_old_records_into_tombstones_oldest_first_and_in_batches(
        self, records: SqlRecords, database: Database
    ) -> None:
        index = ObjectIndex(database)
        for number in range(5):
            records.put(record(f"task{number}", created_at=number))
            index.put(f"task{number}", URL, StoredObject(str(number) * 64, 1, b"x"))

        first = records.list_expired(created_before=4, limit=3)
        records.tombstone(first, created_before=4, now_ms=NOW)
        second = records.list_expired(created_before=4, limit=3)
        records.tombstone(second, created_before=4, now_ms=NOW)

        assert (first, second) == (["task0", "task1", "task2"], ["task3"])
        assert records.list_expired(created_before=4, limit=3) == []
        assert [index.find(f"task{n}", URL) is None for n in range(5)] == [True] * 4 + [False]
        assert [found.swept for n in range(5) if (found := records.find(f"task{n}"))] == [True] * 4 + [False]

    def test_a_record_that_was_renewed_meanwhile_becomes_no_tombstone(
        self, records: SqlRecords, database: Database
    ) -> None:
        index = ObjectIndex(database)
        records.put(record(created_at=1))
        old = records.list_expired(created_before=4, limit=3)
        records.put(record(created_at=5))
        index.put("task1", URL, StoredObject("a" * 64, 1, b"x"))

        records.tombstone(old, created_before=4, now_ms=NOW)

        assert records.find("task1") == record(created_at=5)
        assert index.find("task1", URL) is not None

    def test_a_result_that_is_added_makes_the_task_a_success(self, records: SqlRecords, database: Database) -> None:
        cases: list[tuple[tuple[Any, tuple[str, ...] | None, int] | None, tuple[str, ...]]] = [
            (None, (URL,)),
            (("GENERATING", None, NOW), (URL,)),
            (("GENERATE_FAILED", None, NOW), (URL,)),
            (("SUCCESS", ("https://origin.example/a.png",), NOW), ("https://origin.example/a.png", URL)),
            (("SUCCESS", (URL,), NOW), (URL,)),
            (("SUCCESS", ("https://origin.example/a.png",), 1), (URL,)),
        ]
        for known, results in cases:
            records.delete("task1")
            if known is not None:
                records.put(record(status=known[0], urls=known[1], created_at=known[2]))

            added, _ = records.add_result("task1", URL, register(database), now_ms=NOW + 5, oldest_ms=100)

            assert records.find("task1") == added
            assert (added.status, added.result_urls) == ("SUCCESS", results)
            assert added.created_at in {NOW, NOW + 5}

    def test_a_result_is_added_together_with_its_object_or_not_at_all(
        self, records: SqlRecords, database: Database
    ) -> None:
        def failing(connection: Connection) -> None:
            connection.execute(text("no statement"))

        with pytest.raises(DatabaseDown):
            records.add_result("task1", URL, failing, now_ms=NOW, oldest_ms=0)
        assert records.find("task1") is None

        records.add_result("task1", URL, register(database), now_ms=NOW, oldest_ms=0)

        assert ObjectIndex(database).find("task1", URL) == StoredObject("a" * 64, 1, b"x")

    def test_a_result_removes_the_error_of_an_earlier_failure(self, records: SqlRecords, database: Database) -> None:
        records.put(replace(record(status="GENERATE_FAILED", urls=None), error_code=400, error_message="flagged"))

        records.add_result("task1", URL, register(database), now_ms=NOW, oldest_ms=0)

        assert records.find("task1") == replace(record(), completed_at=NOW)

    def test_of_many_results_added_at_once_none_is_lost(self, records: SqlRecords, database: Database) -> None:
        urls = [f"gateway:{number}.png" for number in range(40)]

        with ThreadPoolExecutor(8) as pool:
            list(
                pool.map(
                    lambda url: records.add_result("task1", url, register(database), now_ms=NOW, oldest_ms=0),
                    urls,
                )
            )

        found = records.find("task1")
        assert found is not None
        assert sorted(found.result_urls or ()) == sorted(urls)

    def test_tombstones_are_purged_when_they_are_old(self, records: SqlRecords) -> None:
        records.put(record(created_at=1))
        records.tombstone(["task1"], created_before=2, now_ms=100)

        assert records.purge(swept_before=100, limit=10) == 0
        assert records.purge(swept_before=101, limit=10) == 1
        assert records.find("task1") is None


@pytest.fixture
def with_lock_timeout(postgresql: str) -> Iterator[Database]:
    """PostgreSQL for one who gives up when somebody else holds a row for two seconds."""
    database = Database(f"{postgresql}&options=-clock_timeout%3D2000")
    yield database
    database.engine.dispose()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_a_record_that_is_being_renewed_is_neither_swept_nor_purged(
    database: Database, with_lock_timeout: Database
) -> None:
    records = SqlRecords(with_lock_timeout)
    records.put(record("tombstone", created_at=1))
    records.tombstone(["tombstone"], created_before=2, now_ms=2)
    records.put(record("old", created_at=1))

    with database.write_transaction() as renewing:
        renewing.execute(tables.records.update().values(created_at=NOW, swept_at=None))
        old, buried = records.list_expired(created_before=2, limit=10), records.purge(swept_before=3, limit=10)
        records.tombstone(["old"], created_before=2, now_ms=NOW)

    assert (old, buried) == ([], 0)
    assert [found.swept for name in ("tombstone", "old") if (found := records.find(name))] == [False, False]


class TestObjectIndex:
    """The same on SQLite and PostgreSQL."""

    def test_the_object_of_an_image_is_found_by_task_and_url(self, database: Database) -> None:
        index, stored = ObjectIndex(database), StoredObject("a" * 64, 5_000_000_000, bytes(range(64)))

        index.put("task1", URL, stored)
        index.put("task1", URL, stored)

        assert index.find("task1", URL) == stored
        assert index.find("task1", URL + "?") is None
        assert index.find("task2", URL) is None

    def test_an_object_that_another_image_has_is_still_held(self, database: Database) -> None:
        index = ObjectIndex(database)
        index.put("task1", URL, StoredObject("a" * 64, 1, b""))
        index.put("task2", URL, StoredObject("a" * 64, 1, b""))

        index.put("task3", URL, StoredObject("b" * 64, 1, b""))

        assert index.unreferenced(["a" * 64, "c" * 64]) == {"c" * 64}
