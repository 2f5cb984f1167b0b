"""Records in the database."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningDelete

from gateway.records.record import Record, check_result_limit
from gateway.storage.database import Database
from gateway.storage.tables import objects, records

if TYPE_CHECKING:
    from collections.abc import Sequence

Result = TypeVar("Result")


class SqlRecords:
    """Reads and writes records."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, task_id: str) -> Record | None:
        """The record of a task, or its tombstone; None if there is neither."""
        with self._database.read_transaction() as connection:
            row = connection.execute(select(records).where(records.c.task_id == task_id)).one_or_none()
        return None if row is None else _record(row)

    def put(self, record: Record) -> None:
        """Insert or replace a record."""
        with self._database.write_transaction() as connection:
            connection.execute(self._upsert(record))

    def put_unless_succeeded(self, record: Record) -> bool:
        """Insert or replace a record, except its creation time, unless the existing one has succeeded.

        Returns:
            Whether the record was written.
        """
        statement = self._upsert(record, keep={"created_at"}, where=records.c.status != "SUCCESS")
        with self._database.write_transaction() as connection:
            return connection.execute(statement.returning(records.c.task_id)).first() is not None

    def add_result(
        self, task_id: str, url: str, register: Callable[[Connection], Result], *, now_ms: int, oldest_ms: int
    ) -> tuple[Record, Result]:
        """Add a result to a task's record and set its status to success; replace a record older than ``oldest_ms``.

        Args:
            task_id: the task; its record is created if missing.
            url: of the image.
            register: writes the image's index entry in the same transaction.
            now_ms: Unix milliseconds.
            oldest_ms: Unix milliseconds.

        Returns:
            The new state of the record, and the result of ``register``.

        Raises:
            InvalidBody: the record has the maximum number of results.
        """
        fresh = Record(task_id, "SUCCESS", (url,), now_ms, now_ms)
        with self._database.write_transaction() as connection:
            inserted = self._database.insert(records).values(_values(fresh)).on_conflict_do_nothing()
            current = fresh
            if not connection.execute(inserted.returning(records.c.task_id)).first():
                found = select(records).where(records.c.task_id == task_id).with_for_update()
                current = _record(connection.execute(found).one())
            changed = fresh if current.swept or current.created_at < oldest_ms else _with_result(current, url, now_ms)
            connection.execute(update(records).where(records.c.task_id == task_id).values(_values(changed)))
            registered = register(connection)  # after the record, as in a deletion: no deadlock
        return changed, registered

    def delete(self, task_id: str) -> set[str] | None:
        """Delete a record and the index entries of its images.

        Returns:
            The digests of the images' objects; None if there was no record.
        """
        with self._database.write_transaction() as connection:  # the record first, as in a sweep: no deadlock
            deleted = connection.execute(delete(records).where(records.c.task_id == task_id))
            digests = connection.scalars(_delete_index(objects.c.task_id == task_id)).all()
        return set(digests) if deleted.rowcount else None

    def list_expired(self, created_before: int, limit: int) -> list[str]:
        """The task ids of records, not tombstones, created before a time; oldest first."""
        with self._database.read_transaction() as connection:
            expired = _oldest(limit, records.c.swept_at.is_(None), records.c.created_at < created_before)
            return list(connection.scalars(expired))

    def tombstone(self, task_ids: Collection[str], created_before: int, now_ms: int) -> set[str]:
        """Turn records created before a time into tombstones, and delete the index entries of their images.

        Returns:
            The digests of the images' objects.
        """
        expired = select(records.c.task_id).where(
            records.c.task_id.in_(task_ids), records.c.created_at < created_before
        )
        with self._database.write_transaction() as connection:
            found = connection.scalars(expired.with_for_update(skip_locked=True)).all()
            connection.execute(
                update(records).where(records.c.task_id.in_(found)).values(swept_at=now_ms, result_urls=None)
            )
            return set(connection.scalars(_delete_index(objects.c.task_id.in_(found))))

    def purge(self, swept_before: int, limit: int) -> int:
        """Delete tombstones swept before a time, oldest first; returns their number."""
        with self._database.write_transaction() as connection:
            task_ids = connection.scalars(_oldest(limit, records.c.swept_at < swept_before)).all()
            return connection.execute(delete(records).where(records.c.task_id.in_(task_ids))).rowcount

    def _upsert(
        self, record: Record, keep: Collection[str] = (), where: ColumnElement[bool] | None = None
    ) -> sqlite.Insert | postgresql.Insert:
        values = _values(record)
        statement = self._database.insert(records).values(values)
        return statement.on_conflict_do_update(
            index_elements=[records.c.task_id],
            set_={name: statement.excluded[name] for name in values if name not in {"task_id", *keep}},
            where=where,
        )


def _delete_index(condition: ColumnElement[bool]) -> ReturningDelete[Any]:
    return delete(objects).where(condition).returning(objects.c.digest)


def _with_result(record: Record, url: str, now_ms: int) -> Record:
    check_result_limit(record, url)
    urls = tuple(record.result_urls or ())
    return replace(
        record,
        status="SUCCESS",
        result_urls=urls if url in urls else (*urls, url),
        completed_at=record.completed_at or now_ms,
        error_code=None,
        error_message=None,
    )


def _record(row: Any) -> Record:  # noqa: ANN401 (rows are typed by their columns only)
    urls: Sequence[str] | None = row.result_urls
    return Record(
        task_id=row.task_id,
        status=row.status,
        result_urls=None if urls is None else tuple(urls),
        created_at=row.created_at,
        completed_at=row.completed_at,
        error_code=row.error_code,
        error_message=row.error_message,
        swept=row.swept_at is not None,
    )


def _values(record: Record) -> dict[str, Any]:
    return {
        "task_id": record.task_id,
        "status": record.status,
        "result_urls": None if record.result_urls is None else list(record.result_urls),
        "created_at": record.created_at,
        "completed_at": record.completed_at,
        "error_code": record.error_code,
        "error_message": record.error_message,
        "swept_at": None,
    }


def _oldest(limit: int, *conditions: ColumnElement[bool]) -> Select[tuple[str]]:
    """Select the task ids of the oldest records, ordered as the index is: otherwise PostgreSQL sorts all of them.

    Locks the records until the end of the transaction, and skips those that another transaction has locked; SQLite has
    one writer anyway.
    """
    oldest = (
        select(records.c.task_id).where(*conditions).order_by(records.c.swept_at, records.c.created_at).limit(limit)
    )
    return oldest.with_for_update(skip_locked=True)
