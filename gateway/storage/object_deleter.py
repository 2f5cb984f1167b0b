"""Delete objects' bytes, while other workers and machines may be storing the same bytes.

ObjectStore are named by their bytes, so a new image may turn out to be an object that is being deleted. A deletion is
therefore announced in the table ``deletions`` before the bytes go, and only for objects that no image holds. Whoever
notes an object (:meth:`ObjectIndex.noting`) looks for an announcement in the same transaction, and waits for its end.
So either the note comes first and the deletion does not happen, or the deletion ends first and the bytes are stored
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

BATCH = 20  # deletions that are announced together: whoever stores one of these objects waits for all of them
EXPIRES_AFTER_S = 120  # an announcement of a worker that was killed
_GIVE_UP_AFTER_S = 60  # long before it expires for the others


class DeletionInProgressError(Exception):
    """The object is being deleted at this moment: note it again when that is over."""


class ObjectDeleter:
    """Deletes objects that no image holds.

    Args:
        database: the one that all workers share.
        drop: deletes the bytes of one object.
        clock: Unix seconds.
    """

    def __init__(self, database: Database, drop: Callable[[str], None], clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._drop = drop
        self._clock = clock

    def delete(self, digests: Collection[str], *, evict: bool = False) -> set[str]:
        """Delete those of the objects that no image holds.

        Args:
            digests: which objects.
            evict: also delete objects that images hold, unless they were put in here and could not be fetched again.

        Returns:
            The digests of the objects that were deleted.

        Raises:
            StorageDown, DatabaseDown: not all of them were; the reconciliation of the sweep deletes them later.
        """
        deleted: set[str] = set()
        for batch in batches(sorted(set(digests)), BATCH):
            with self._announced(batch, evict=evict) as announced:
                until = time.monotonic() + _GIVE_UP_AFTER_S
                for digest in announced:
                    if time.monotonic() < until:
                        self._drop(digest)
                        deleted.add(digest)
        return deleted

    def forget_expired(self) -> None:
        """Withdraw the announcements of workers that were killed."""
        with self._database.write_transaction() as connection:
            connection.execute(delete(deletions).where(deletions.c.began_at < oldest_ms(self._clock())))

    @contextmanager
    def _announced(self, digests: Collection[str], *, evict: bool) -> Iterator[list[str]]:
        announced = self._announce(digests, evict=evict)
        try:
            yield announced
        finally:
            with suppress(DatabaseDown):  # then it expires
                self._withdraw(announced)

    def _announce(self, digests: Collection[str], *, evict: bool) -> list[str]:
        now = self._clock()
        with self._database.write_transaction() as connection:
            lock_digests(connection, digests)
            held = set(connection.scalars(_held(digests, own_only=evict)))
            rows = [{"digest": digest, "began_at": int(now * 1000)} for digest in digests if digest not in held]
            if not rows:
                return []
            insert = self._database.insert(deletions).values(rows)
            announced = insert.on_conflict_do_update(
                index_elements=[deletions.c.digest],
                set_={"began_at": insert.excluded.began_at},
                where=deletions.c.began_at < oldest_ms(now),
            )
            return list(connection.scalars(announced.returning(deletions.c.digest)))

    def _withdraw(self, digests: Collection[str]) -> None:
        if not digests:
            return
        with self._database.write_transaction() as connection:
            connection.execute(delete(deletions).where(deletions.c.digest.in_(digests)))


def batches(digests: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    """Divide digests into parts of at most so many."""
    return (digests[begin : begin + most] for begin in range(0, len(digests), most))


def check_not_being_deleted(connection: Connection, digest: str, now: float) -> None:
    """See to it that an object that is about to be noted in this transaction is not being deleted.

    Raises:
        DeletionInProgressError: it is.
    """
    lock_digests(connection, [digest])
    running = select(deletions.c.digest).where(deletions.c.digest == digest, deletions.c.began_at >= oldest_ms(now))
    if connection.scalar(running) is not None:
        raise DeletionInProgressError(digest)


def lock_digests(connection: Connection, digests: Collection[str]) -> None:
    """Have transactions about the same objects take turns, always in the same order; SQLite has one writer anyhow."""
    if connection.dialect.name == "sqlite":
        return
    for digest in sorted(digests):
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(digest, 0))))


def oldest_ms(now: float) -> int:
    """When the oldest deletion began that may still be running, in Unix milliseconds."""
    return int((now - EXPIRES_AFTER_S) * 1000)


def _held(digests: Collection[str], *, own_only: bool) -> Select[Any]:
    held = select(objects.c.digest).where(objects.c.digest.in_(digests))
    return held.where(objects.c.own) if own_only else held
