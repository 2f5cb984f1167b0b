"""Stored links in the database, with their downloads and revocations."""

import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, func, or_, select, tuple_, update
from sqlalchemy.sql.elements import ColumnElement

from gateway.links.link import Link
from gateway.links.stored_link import StoredLink, mode_of
from gateway.storage.database import Database
from gateway.storage.tables import link_downloads, links, revocations

RESERVATION_MS = 120_000
RETRIES_MS = 600_000  # a client may fetch the file again for ten minutes after its download completed
KEPT_MS = 30 * 86_400_000  # expired links are kept for 30 days, so that their page can say that they expired


class SqlLinks:
    """Stores links, and counts their downloads: at most ``max_downloads`` complete, in all workers together.

    A download is reserved before it begins. A reservation ends when the download completes or fails, or after two
    minutes, unless it is renewed.

    Args:
        database: holds the tables.
        clock: Unix seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def now_ms(self) -> int:
        """The time by which links expire, in Unix milliseconds."""
        return int(self._clock() * 1000)

    def create(self, link: Link, max_downloads: int | None = None) -> StoredLink:
        """Store a new link, which has an id and an expiry.

        Args:
            link: its id as ``ShortCodes.new_id`` makes it.
            max_downloads: how many downloads may complete; None for no limit.

        Raises:
            DatabaseDown: nothing was stored.
        """
        if link.id is None or link.expires is None:
            raise ValueError("a stored link has an id and an expiry")
        stored = StoredLink(link.id, link, self.now_ms(), link.expires * 1000, max_downloads)
        self.add(stored)
        return stored

    def add(self, stored: StoredLink) -> None:
        """Store a new link.

        Raises:
            DatabaseDown: nothing was stored.
        """
        link = stored.link
        row = {
            "id": stored.id,
            "task_id": link.task_id,
            "url": link.url,
            "filename": link.filename,
            "mode": link.mode,
            "max_downloads": stored.max_downloads,
            "created_at": stored.created_at,
            "expires_at": stored.expires_at,
        }
        with self._database.write_transaction() as connection:
            connection.execute(links.insert().values(row))

    def find(self, link_id: str) -> StoredLink | None:
        """The link of this id, whatever its state; None when there is none.

        Raises:
            DatabaseDown: the database does not answer.
        """
        with self._database.read_transaction() as connection:
            return self._find(connection, link_id)

    def of_task(self, task_id: str, limit: int, after: str = "") -> list[StoredLink]:
        """The links of a task, the newest first, at most ``limit``; those that follow the id ``after``.

        Raises:
            DatabaseDown: the database does not answer.
        """
        query = self._query().where(links.c.task_id == task_id)
        if after:
            position = select(links.c.created_at, links.c.id).where(links.c.id == after)
            query = query.where(tuple_(links.c.created_at, links.c.id) < position.scalar_subquery())
        query = query.order_by(links.c.created_at.desc(), links.c.id.desc()).limit(limit)
        with self._database.read_transaction() as connection:
            return [_stored(row) for row in connection.execute(query)]

    def revoke(self, link_id: str) -> None:
        """Revoke a link, stored or not. Workers notice within a second.

        Raises:
            DatabaseDown: nothing was revoked.
        """
        with self._database.write_transaction() as connection:
            self._revoke(connection, [link_id])

    def revoke_task(self, task_id: str) -> int:
        """Revoke every stored link of a task.

        Returns:
            How many links of the task there are.

        Raises:
            DatabaseDown: nothing was revoked.
        """
        with self._database.write_transaction() as connection:
            ids = list(connection.scalars(select(links.c.id).where(links.c.task_id == task_id)))
            self._revoke(connection, ids)
        return len(ids)

    def revoked_since(self, since_ms: int) -> list[tuple[str, int]]:
        """The ids that were revoked at or after a time, with the time of each in Unix milliseconds.

        Raises:
            DatabaseDown: the database does not answer.
        """
        query = select(revocations.c.link_id, revocations.c.revoked_at).where(revocations.c.revoked_at >= since_ms)
        with self._database.read_transaction() as connection:
            return [(row.link_id, row.revoked_at) for row in connection.execute(query)]

    def reserve(self, link_id: str, key: str) -> str | None:
        """Reserve one download of a link. A repeated ``key`` returns the same download.

        Returns:
            The id of the download; None when all downloads have completed or are reserved, or there is no such link.

        Raises:
            DatabaseDown: nothing was reserved.
        """
        download_id = f"{link_id}-{sha256(key.encode()).hexdigest()[:16]}"
        this = link_downloads.c.id == download_id
        with self._database.write_transaction() as connection:
            has_room = self._has_room(connection, link_id)  # locks the link
            row = connection.execute(select(link_downloads).where(this)).one_or_none()
            if row is not None:
                return download_id if self._renew(connection, row) else None
            if not has_room:
                return None
            until = self.now_ms() + RESERVATION_MS
            values = {"id": download_id, "link_id": link_id, "reserved_until": until}
            connection.execute(link_downloads.insert().values(values))
        return download_id

    def renew(self, download_id: str) -> bool:
        """Renew a reservation. One that has lapsed is made again when there is room.

        Returns:
            Whether the download may run: it is reserved, or has completed in the last ten minutes.

        Raises:
            DatabaseDown: nothing was renewed.
        """
        with self._database.write_transaction() as connection:
            query = select(link_downloads).where(link_downloads.c.id == download_id)
            row = connection.execute(query).one_or_none()
            return row is not None and self._renew(connection, row)

    def complete(self, download_id: str) -> None:
        """Count a download, once.

        Raises:
            DatabaseDown: it was not counted.
        """
        statement = update(link_downloads).where(
            link_downloads.c.id == download_id, link_downloads.c.completed_at.is_(None)
        )
        with self._database.write_transaction() as connection:
            connection.execute(statement.values(completed_at=self.now_ms()))

    def release(self, download_id: str) -> None:
        """End a reservation whose download did not complete; its link may reserve it again.

        Raises:
            DatabaseDown: it stays reserved until it lapses.
        """
        statement = update(link_downloads).where(
            link_downloads.c.id == download_id, link_downloads.c.completed_at.is_(None)
        )
        with self._database.write_transaction() as connection:
            connection.execute(statement.values(reserved_until=0))

    def delete_expired(self, most: int = 1000) -> int:
        """Delete links that expired 30 days ago, with their downloads and revocations; at most ``most`` at once.

        Returns:
            How many were deleted.

        Raises:
            DatabaseDown: nothing was deleted.
        """
        before = self.now_ms() - KEPT_MS
        with self._database.write_transaction() as connection:
            old = list(connection.scalars(select(links.c.id).where(links.c.expires_at < before).limit(most)))
            connection.execute(delete(link_downloads).where(link_downloads.c.link_id.in_(old)))
            connection.execute(delete(links).where(links.c.id.in_(old)))
            # No link lives longer than 30 days.
            connection.execute(delete(revocations).where(revocations.c.revoked_at < before - KEPT_MS))
        return len(old)

    def _renew(self, connection: Connection, row: Any) -> bool:  # noqa: ANN401 (a row has no static type)
        if row.completed_at is not None:
            return bool(row.completed_at > self.now_ms() - RETRIES_MS)
        if row.reserved_until <= self.now_ms() and not self._has_room(connection, row.link_id):
            return False
        statement = update(link_downloads).where(link_downloads.c.id == row.id)
        connection.execute(statement.values(reserved_until=self.now_ms() + RESERVATION_MS))
        return True

    def _revoke(self, connection: Connection, ids: list[str]) -> None:
        if ids:
            rows = [{"link_id": link_id, "revoked_at": self.now_ms()} for link_id in ids]
            insert = self._database.insert(revocations).values(rows)
            connection.execute(insert.on_conflict_do_nothing(index_elements=[revocations.c.link_id]))

    def _has_room(self, connection: Connection, link_id: str) -> bool:
        # The row stays locked until the transaction ends, so that concurrent reservations count each other.
        locked = select(links.c.max_downloads).where(links.c.id == link_id).with_for_update()
        row = connection.execute(locked).one_or_none()
        if row is None or row.max_downloads is None:
            return row is not None
        taken = and_(link_downloads.c.link_id == link_id, self._is_taken())
        count = connection.scalar(select(func.count()).select_from(link_downloads).where(taken)) or 0
        return bool(count < row.max_downloads)

    def _is_taken(self) -> ColumnElement[bool]:
        is_reserved = link_downloads.c.reserved_until > self.now_ms()
        return or_(link_downloads.c.completed_at.is_not(None), is_reserved)

    def _find(self, connection: Connection, link_id: str) -> StoredLink | None:
        row = connection.execute(self._query().where(links.c.id == link_id)).one_or_none()
        return None if row is None else _stored(row)

    def _query(self) -> Select[Any]:
        of_link = link_downloads.c.link_id == links.c.id
        completed = select(func.count()).where(of_link, link_downloads.c.completed_at.is_not(None))
        is_reserved = and_(link_downloads.c.completed_at.is_(None), link_downloads.c.reserved_until > self.now_ms())
        reserved = select(func.count()).where(of_link, is_reserved)
        revoked_at = select(revocations.c.revoked_at).where(revocations.c.link_id == links.c.id)
        return select(
            links,
            completed.scalar_subquery().label("downloads"),
            reserved.scalar_subquery().label("reserved"),
            revoked_at.scalar_subquery().label("revoked_at"),
        )


def _stored(row: Any) -> StoredLink:  # noqa: ANN401 (a row's type names its columns' types only)
    return StoredLink(
        id=row.id,
        link=Link(row.task_id, row.url, None, mode_of(row.mode), row.filename, row.id),
        created_at=row.created_at,
        expires_at=row.expires_at,
        max_downloads=row.max_downloads,
        downloads=row.downloads,
        reserved=row.reserved,
        revoked_at=row.revoked_at,
    )
