"""Who does a chore: of all workers on all machines, one at a time."""

import time
from collections.abc import Callable

from sqlalchemy import update

from gateway.storage.database import Database
from gateway.storage.tables import job_leases


class JobLease:
    """Hands out job_leases by the database.

    Args:
        database: the one that all workers share.
        clock: Unix seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def release(self, name: str) -> None:
        """Let a chore be due again at once, as it was not done.

        Raises:
            DatabaseDown: the database does not answer; it is due when it would have been.
        """
        with self._database.write_transaction() as connection:
            connection.execute(update(job_leases).where(job_leases.c.name == name).values(due_at=int(self._clock())))

    def acquire(self, name: str, every_s: int) -> bool:
        """Take a chore that is due; it is due again ``every_s`` seconds from now. Tells whether it was.

        Raises:
            DatabaseDown: the database does not answer.
        """
        now = int(self._clock())
        statement = self._database.insert(job_leases).values(name=name, due_at=now + every_s)
        taken = statement.on_conflict_do_update(
            index_elements=[job_leases.c.name],
            set_={"due_at": statement.excluded.due_at},
            where=job_leases.c.due_at <= now,
        )
        with self._database.write_transaction() as connection:
            return connection.execute(taken.returning(job_leases.c.name)).first() is not None
