"""Leases of periodic jobs: one worker at a time, of all machines, runs a job."""

import time
from collections.abc import Callable

from sqlalchemy import update

from gateway.storage.database import Database
from gateway.storage.tables import job_leases


class JobLease:
    """Leases jobs through the database that all workers share.

    Args:
        clock: Unix seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def acquire(self, name: str, every_s: int) -> bool:
        """Lease a job if it is due; it is due again after ``every_s`` seconds.

        Returns:
            Whether the job was due.

        Raises:
            DatabaseDown: the database does not respond.
        """
        now = int(self._clock())
        statement = self._database.insert(job_leases).values(name=name, due_at=now + every_s)
        upsert = statement.on_conflict_do_update(
            index_elements=[job_leases.c.name],
            set_={"due_at": statement.excluded.due_at},
            where=job_leases.c.due_at <= now,
        )
        with self._database.write_transaction() as connection:
            return connection.execute(upsert.returning(job_leases.c.name)).first() is not None

    def release(self, name: str) -> None:
        """Make a job due now, because its run failed.

        Raises:
            DatabaseDown: the database does not respond; the job keeps its due time.
        """
        with self._database.write_transaction() as connection:
            connection.execute(update(job_leases).where(job_leases.c.name == name).values(due_at=int(self._clock())))
