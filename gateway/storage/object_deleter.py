"""Delete objects while other workers and machines may be storing the same bytes.

Objects are named by their content, so a new image may be the same object as one that is being deleted. Therefore a
deletion is marked in the table ``deletions`` before the bytes are deleted, and only if no image references the object.
:meth:`ObjectIndex.put` checks for a mark in the transaction that adds the reference, and fails while there is one. So
either the reference comes first and the object is not deleted, or the deletion ends first and the bytes are stored
again.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select

from gateway.errors import DatabaseDown
from gateway.storage.database import Database
from gateway.storage.tables import deletions, objects

BATCH = 20  # objects marked together: storing one of them waits for the deletion of all
EXPIRES_AFTER_S = 120  # the mark of a worker that was killed
_BATCH_TIMEOUT_S = 60  # well below the expiry


class DeletionInProgressError(Exception):
    """The object is being deleted: retry when the deletion has ended."""


class ObjectDeleter:
    """Deletes objects that no image references.

    Args:
        database: shared by all workers.
        delete_bytes: deletes the bytes of the object with a digest.
        clock: Unix seconds.
    """

    def __init__(
        self, database: Database, delete_bytes: Callable[[str], None], clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._delete_bytes = delete_bytes
        self._clock = clock

    def delete(self, digests: Collection[str], *, evict: bool = False) -> set[str]:
        """Delete the objects that no image references.

        Args:
            digests: of the objects.
            evict: also delete referenced objects, except uploads, which cannot be fetched again.

        Returns:
            The digests of the deleted objects.

        Raises:
            StorageDown, DatabaseDown: not all were deleted; ``Sweep.reconcile`` deletes the rest later.
        """
        deleted: set[str] = set()
        for batch in batches(sorted(set(digests)), BATCH):
            with self._marks(batch, evict=evict) as marked:
                until = time.monotonic() + _BATCH_TIMEOUT_S
                for digest in marked:
                    if time.monotonic() < until:
                        self._delete_bytes(digest)
                        deleted.add(digest)
        return deleted

    def delete_expired_marks(self) -> None:
        """Delete the marks of workers that were killed."""
        with self._database.write_transaction() as connection:
            connection.execute(delete(deletions).where(deletions.c.began_at < oldest_ms(self._clock())))

    @contextmanager
    def _marks(self, digests: Collection[str], *, evict: bool) -> Iterator[list[str]]:
        marked = self._mark(digests, evict=evict)
        try:
            yield marked
        finally:
            with suppress(DatabaseDown):  # the marks expire
                self._unmark(marked)

    def _mark(self, digests: Collection[str], *, evict: bool) -> list[str]:
        now = self._clock()
        with self._database.write_transaction() as connection:
            lock_digests(connection, digests)
            kept = set(connection.scalars(_referenced(digests, uploads_only=evict)))
            rows = [{"digest": digest, "began_at": int(now * 1000)} for digest in digests if digest not in kept]
            if not rows:
                return []
            insert = self._database.insert(deletions).values(rows)
            upsert = insert.on_conflict_do_update(
                index_elements=[deletions.c.digest],
                set_={"began_at": insert.excluded.began_at},
                where=deletions.c.began_at < oldest_ms(now),
            )
            return list(connection.scalars(upsert.returning(deletions.c.digest)))

    def _unmark(self, digests: Collection[str]) -> None:
        if not digests:
            return
        with self._database.write_transaction() as connection:
            connection.execute(delete(deletions).where(deletions.c.digest.in_(digests)))


def batches(digests: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Split digests into batches of at most ``size``."""
    return (digests[begin : begin + size] for begin in range(0, len(digests), size))


def check_not_being_deleted(connection: Connection, digest: str, now: float) -> None:
    """Check, in the transaction that references an object, that it is not being deleted.

    Raises:
        DeletionInProgressError: it is being deleted.
    """
    lock_digests(connection, [digest])
    running = select(deletions.c.digest).where(deletions.c.digest == digest, deletions.c.began_at >= oldest_ms(now))
    if connection.scalar(running) is not None:
        raise DeletionInProgressError(digest)


def lock_digests(connection: Connection, digests: Collection[str]) -> None:
    """Serialize transactions on the same objects, in sorted order to avoid deadlocks; SQLite has one writer anyway."""
    if connection.dialect.name == "sqlite":
        return
    for digest in sorted(digests):
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(digest, 0))))


def oldest_ms(now: float) -> int:
    """The earliest start of a deletion that has not expired, in Unix milliseconds."""
    return int((now - EXPIRES_AFTER_S) * 1000)


def _referenced(digests: Collection[str], *, uploads_only: bool) -> Select[Any]:
    referenced = select(objects.c.digest).where(objects.c.digest.in_(digests))
    return referenced.where(objects.c.own) if uploads_only else referenced
