"""Records in the database: found, kept, swept."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, delete, select, update
from sqlalchemy.sql.dml import ReturningDelete

from gateway.records.record import Record, check_result_limit
from gateway.storage.database import Database
from gateway.storage.tables import objects, records

if TYPE_CHECKING:
    from collections.abc import Sequence

Noted = TypeVar("Noted")
_COLUMNS = (
    records.c.task_id,
    records.c.status,
    records.c.result_urls,
    records.c.created_at,
    records.c.completed_at,
    records.c.error_code,
    records.c.error_message,
    records.c.swept_at,
)


class SqlRecords:
    """Finds, keeps and sweeps records.

    Args:
        database: where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, task_id: str) -> Record | None:
        """The record of a task, or its tombstone; None when there is neither."""
        with self._database.read_transaction() as connection:
            row = connection.execute(select(*_COLUMNS).where(records.c.task_id == task_id)).one_or_none()
        return None if row is None else _record(row)

    def put(self, record: Record) -> None:
        """Keep a record, in place of the one that is there."""
        values = _values(record)
        statement = self._database.insert(records).values(values)
        with self._database.write_transaction() as connection:
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=[records.c.task_id],
                    set_={name: statement.excluded[name] for name in values if name != "task_id"},
                )
            )

    def put_unless_succeeded(self, record: Record) -> bool:
        """Keep a record, unless the one that is there is a success already.

        Returns:
            Whether it was kept.
        """
        values = _values(record)
        statement = self._database.insert(records).values(values)
        with self._database.write_transaction() as connection:
            kept = connection.execute(
                statement.on_conflict_do_update(
                    index_elements=[records.c.task_id],
                    set_={name: statement.excluded[name] for name in values if name not in {"task_id", "created_at"}},
                    where=records.c.status != "SUCCESS",
                ).returning(records.c.task_id)
            ).first()
        return kept is not None

    def add_result(
        self, task_id: str, url: str, note: Callable[[Connection], Noted], *, now_ms: int, oldest_ms: int
    ) -> tuple[Record, Noted]:
        """Add an image to a task's results, which makes it a success; a record from before ``oldest_ms`` begins anew.

        ``note`` notes which object holds the image, in the same transaction: both are written, or neither.

        Returns:
            The record as it is now, and what ``note`` returned.

        Raises:
            InvalidBody: the task has as many results as one may have.
        """
        fresh = Record(task_id, "SUCCESS", (url,), now_ms, now_ms)
        with self._database.write_transaction() as connection:
            inserted = self._database.insert(records).values(_values(fresh)).on_conflict_do_nothing()
            known = fresh
            if not connection.execute(inserted.returning(records.c.task_id)).first():
                found = select(*_COLUMNS).where(records.c.task_id == task_id).with_for_update()
                known = _record(connection.execute(found).one())
            changed = fresh if known.swept or known.created_at < oldest_ms else _with_result(known, url, now_ms)
            connection.execute(update(records).where(records.c.task_id == task_id).values(_values(changed)))
            noted = note(connection)  # after the record, as a deletion does: neither waits for the other
        return changed, noted

    def delete(self, task_id: str) -> set[str] | None:
        """Forget a record, and which objects hold its images.

        Returns:
            The digests of these objects; None when there was no record.
        """
        with self._database.write_transaction() as connection:  # the record first, as in a sweep: no deadlock
            deleted = connection.execute(delete(records).where(records.c.task_id == task_id))
            digests = connection.scalars(_forgotten(objects.c.task_id == task_id)).all()
        return set(digests) if deleted.rowcount else None

    def old(self, created_before: int, most: int) -> list[str]:
        """The tasks whose records are older than a time and no tombstones yet, oldest first, at most so many."""
        with self._database.read_transaction() as connection:
            old = _oldest(most, records.c.swept_at.is_(None), records.c.created_at < created_before)
            return list(connection.scalars(old))

    def tombstone(self, task_ids: Collection[str], created_before: int, now_ms: int) -> set[str]:
        """Turn those of the records into tombstones that are still older than a time, and forget their objects.

        Returns:
            The digests of these objects.
        """
        these = select(records.c.task_id).where(records.c.task_id.in_(task_ids), records.c.created_at < created_before)
        with self._database.write_transaction() as connection:
            found = connection.scalars(these.with_for_update(skip_locked=True)).all()
            connection.execute(
                update(records).where(records.c.task_id.in_(found)).values(swept_at=now_ms, result_urls=None)
            )
            return set(connection.scalars(_forgotten(objects.c.task_id.in_(found))))

    def purge(self, swept_before: int, most: int) -> int:
        """Forget tombstones older than a time, oldest first, at most so many at once; tells how many."""
        with self._database.write_transaction() as connection:
            task_ids = connection.scalars(_oldest(most, records.c.swept_at < swept_before)).all()
            return connection.execute(delete(records).where(records.c.task_id.in_(task_ids))).rowcount


def _forgotten(condition: ColumnElement[bool]) -> ReturningDelete[Any]:
    return delete(objects).where(condition).returning(objects.c.digest)


def _with_result(known: Record, url: str, now_ms: int) -> Record:
    check_result_limit(known, url)
    urls = tuple(known.result_urls or ())
    return replace(
        known,
        status="SUCCESS",
        result_urls=urls if url in urls else (*urls, url),
        completed_at=known.completed_at or now_ms,
        error_code=None,
        error_message=None,
    )


def _record(row: Any) -> Record:  # noqa: ANN401 (a row's type names its columns' types only)
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


def _oldest(most: int, *conditions: ColumnElement[bool]) -> Select[tuple[str]]:
    """The tasks of the oldest records, in the order of the index: PostgreSQL would sort all of them for each batch.

    A record that somebody is writing at this moment is none of them, and nobody writes the others until the end of the
    transaction; SQLite has one writer anyhow.
    """
    oldest = select(records.c.task_id).where(*conditions).order_by(records.c.swept_at, records.c.created_at).limit(most)
    return oldest.with_for_update(skip_locked=True)
