"""Which object holds which image, in the database."""

import hashlib
import time
from collections.abc import Callable, Collection
from functools import partial

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.origins.upload_urls import is_upload_url
from gateway.storage.database import Database
from gateway.storage.object_deleter import check_not_being_deleted
from gateway.storage.object_store import StoredObject
from gateway.storage.tables import objects


class ObjectIndex:
    """Finds the object of an image by its task and its origin URL.

    Args:
        database: where the index is.
        clock: Unix seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def find(self, task_id: str, url: str) -> StoredObject | None:
        """The object of an image; None when it was never kept."""
        wanted = select(objects.c.digest, objects.c.length, objects.c.head).where(
            objects.c.task_id == task_id, objects.c.url_hash == _hash(url)
        )
        with self._database.read_transaction() as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else StoredObject(row.digest, row.length, bytes.fromhex(row.head))

    def find_by_digest(self, digest: str) -> StoredObject | None:
        """An object by its digest; None when no image has it."""
        wanted = select(objects.c.digest, objects.c.length, objects.c.head).where(objects.c.digest == digest).limit(1)
        with self._database.read_transaction() as connection:
            row = connection.execute(wanted).first()
        return None if row is None else StoredObject(row.digest, row.length, bytes.fromhex(row.head))

    def put(self, task_id: str, url: str, stored: StoredObject) -> str | None:
        """Note which object holds an image.

        Returns:
            The digest of the other object that held it before; None when there was none.

        Raises:
            DeletionInProgressError: the object is being deleted at this moment; nothing was noted.
        """
        with self._database.write_transaction() as connection:
            return self.upsert_statement(task_id, url, stored)(connection)

    def upsert_statement(self, task_id: str, url: str, stored: StoredObject) -> Callable[[Connection], str | None]:
        """What :meth:`put` does, for a transaction that writes more than this."""
        return partial(self._note, task_id, url, stored)

    def _note(self, task_id: str, url: str, stored: StoredObject, connection: Connection) -> str | None:
        check_not_being_deleted(connection, stored.digest, self._clock())
        this = (objects.c.task_id == task_id, objects.c.url_hash == _hash(url))
        before = connection.scalar(select(objects.c.digest).where(*this))
        connection.execute(self._upsert(task_id, url, stored))
        return None if before == stored.digest else before

    def _upsert(self, task_id: str, url: str, stored: StoredObject) -> sqlite.Insert | postgresql.Insert:
        values = {
            "task_id": task_id,
            "url_hash": _hash(url),
            "digest": stored.digest,
            "length": stored.length,
            "head": stored.head.hex(),
            "stored_at": int(self._clock() * 1000),
            "own": is_upload_url(url),
        }
        statement = self._database.insert(objects).values(values)
        return statement.on_conflict_do_update(
            index_elements=[objects.c.task_id, objects.c.url_hash],
            set_={name: statement.excluded[name] for name in ("digest", "length", "head", "stored_at", "own")},
        )

    def delete(self, task_id: str) -> set[str]:
        """Forget which objects hold the images of a task; gives the digests of these objects."""
        with self._database.write_transaction() as connection:
            forgotten = delete(objects).where(objects.c.task_id == task_id).returning(objects.c.digest)
            return set(connection.scalars(forgotten))

    def unreferenced(self, digests: Collection[str]) -> set[str]:
        """Those of the digests that no image has any more."""
        with self._database.read_transaction() as connection:
            held = connection.scalars(select(objects.c.digest).where(objects.c.digest.in_(digests)))
            return set(digests) - set(held)


def _hash(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()
