"""The database index from images to objects."""

import hashlib
import time
from collections.abc import Callable, Collection

from sqlalchemy import ColumnElement, Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.origins.upload_urls import is_upload_url
from gateway.storage.database import Database
from gateway.storage.object_deleter import check_not_being_deleted
from gateway.storage.object_store import StoredObject
from gateway.storage.tables import objects


class ObjectIndex:
    """Maps an image, by its task and origin URL, to the object with its bytes.

    Args:
        clock: Unix seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def find(self, task_id: str, url: str) -> StoredObject | None:
        """The object of an image; None if the image is not stored."""
        return self._first(objects.c.task_id == task_id, objects.c.url_hash == _hash(url))

    def find_by_digest(self, digest: str) -> StoredObject | None:
        """The object with a digest; None if no image references it."""
        return self._first(objects.c.digest == digest)

    def put(self, task_id: str, url: str, stored: StoredObject) -> str | None:
        """Set the object of an image.

        Returns:
            The digest of the object that it replaces; None if there is none.

        Raises:
            DeletionInProgressError: the object is being deleted; nothing was written.
        """
        with self._database.write_transaction() as connection:
            return self.put_in(connection, task_id, url, stored)

    def put_in(self, connection: Connection, task_id: str, url: str, stored: StoredObject) -> str | None:
        """Like :meth:`put`, in the caller's transaction."""
        check_not_being_deleted(connection, stored.digest, self._clock())
        this = (objects.c.task_id == task_id, objects.c.url_hash == _hash(url))
        previous = connection.scalar(select(objects.c.digest).where(*this))
        connection.execute(self._upsert(task_id, url, stored))
        return None if previous == stored.digest else previous

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
        """Delete the entries of a task; returns the digests of its objects."""
        with self._database.write_transaction() as connection:
            statement = delete(objects).where(objects.c.task_id == task_id).returning(objects.c.digest)
            return set(connection.scalars(statement))

    def unreferenced(self, digests: Collection[str]) -> set[str]:
        """The digests that no image references."""
        with self._database.read_transaction() as connection:
            referenced = connection.scalars(select(objects.c.digest).where(objects.c.digest.in_(digests)))
            return set(digests) - set(referenced)

    def _first(self, *conditions: ColumnElement[bool]) -> StoredObject | None:
        statement = select(objects.c.digest, objects.c.length, objects.c.head).where(*conditions).limit(1)
        with self._database.read_transaction() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else StoredObject(row.digest, row.length, bytes.fromhex(row.head))


def _hash(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()
