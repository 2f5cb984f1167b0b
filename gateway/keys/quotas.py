"""How many calls a key may make in a day, all workers and machines together."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import delete

from gateway.errors import DatabaseDown
from gateway.storage.database import Database
from gateway.storage.tables import quotas

DAY_S = 86_400
LARGEST_BLOCK = 500
WAIT_S = 3
_BLOCKS_A_DAY = 50


@dataclass(slots=True)
class _Lease:
    """What this worker took from a key's day, and has not spent."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    day: int = -1
    left: int = 0
    beyond: int = 0  # what was not yet leased to anybody when we last asked


class Quotas:
    """Takes calls from a key's day in blocks, and spends them from memory, so that few calls wait for the database.

    A block is a fiftieth of the day, of 1 to 500 calls. What a worker has leased and not spent when it ends is lost
    for that day.

    Args:
        database: where it is written what was leased.
        clock: Unix seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._leases: dict[str, _Lease] = {}

    def spend(self, name: str, most: int) -> int | None:
        """Take one call from the day of a key that may make so many.

        Returns:
            How many are left, as far as this worker knows; None when there was none to take.

        Raises:
            DatabaseDown: a block was needed, and the database does not answer.
        """
        lease = self._leases.setdefault(name, _Lease())
        if not lease.lock.acquire(timeout=WAIT_S):  # or many would wait in turn for a database that hangs
            raise DatabaseDown("a block of the quota does not come")
        try:
            return self._spend(lease, name, most)
        finally:
            lease.lock.release()

    def reset_s(self) -> int:
        """Seconds until the next day begins."""
        return DAY_S - int(self._clock()) % DAY_S

    @property
    def today(self) -> int:
        """The day, in days since the epoch, UTC."""
        return int(self._clock() // DAY_S)

    def delete_before(self, day: int) -> int:
        """Drop what was leased before a day, in days since the epoch; tells how many rows that were."""
        with self._database.write_transaction() as connection:
            return connection.execute(delete(quotas).where(quotas.c.day < day)).rowcount

    def _spend(self, lease: _Lease, name: str, most: int) -> int | None:
        day = self.today
        if lease.day != day:
            lease.day, lease.left, lease.beyond = day, 0, most
        if not lease.left and lease.beyond:
            lease.left, lease.beyond = self._lease(name, day, most)
        if not lease.left:
            return None
        lease.left -= 1
        return lease.left + lease.beyond

    def _lease(self, name: str, day: int, most: int) -> tuple[int, int]:
        """Take a block, by one statement: what was granted, and what is left for others.

        The last block may count further than the day goes; only what lies within the day is granted.
        """
        block = max(1, min(LARGEST_BLOCK, most // _BLOCKS_A_DAY))
        statement = (
            self._database.insert(quotas)
            .values(name=name, day=day, leased=block)
            .on_conflict_do_update(
                index_elements=[quotas.c.name, quotas.c.day],
                set_={"leased": quotas.c.leased + block},
                where=quotas.c.leased < most,
            )
            .returning(quotas.c.leased)
        )
        with self._database.write_transaction() as connection:
            leased = connection.scalar(statement)
        if leased is None:
            return 0, 0
        return min(block, most - (leased - block)), max(0, most - leased)
