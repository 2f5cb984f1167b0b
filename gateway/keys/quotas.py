"""Daily quotas of API keys, shared by all workers and machines."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import delete

from gateway.errors import DatabaseDown
from gateway.storage.database import Database
from gateway.storage.tables import quotas

DAY_S = 86_400
MAX_BLOCK = 500
LOCK_TIMEOUT_S = 3
_BLOCKS_PER_DAY = 50


@dataclass(slots=True)
class _Lease:
    """The calls that this worker has leased from a key's daily quota."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    day: int = -1
    remaining: int = 0
    unleased: int = 0  # by any worker, at the last lease


class Quotas:
    """Leases calls from the daily quota in blocks, and spends them in memory, so that few calls use the database.

    A block is a fiftieth of the quota, from 1 to 500 calls. The unspent calls of a worker that ends are lost for the
    day.

    Args:
        clock: Unix seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._leases: dict[str, _Lease] = {}

    def spend(self, name: str, daily_limit: int) -> int | None:
        """Spend one call of a key's daily quota.

        Returns:
            The remaining calls, as far as this worker knows; None if the quota was exhausted before.

        Raises:
            DatabaseDown: a block was needed, and the database does not respond.
        """
        lease = self._leases.setdefault(name, _Lease())
        if not lease.lock.acquire(timeout=LOCK_TIMEOUT_S):  # otherwise calls queue for a database that hangs
            raise DatabaseDown("timeout waiting for a block of the quota")
        try:
            return self._spend(lease, name, daily_limit)
        finally:
            lease.lock.release()

    def reset_s(self) -> int:
        """Seconds until the next UTC day."""
        return DAY_S - int(self._clock()) % DAY_S

    @property
    def today(self) -> int:
        """The current UTC day, in days since the epoch."""
        return int(self._clock() // DAY_S)

    def delete_before(self, day: int) -> int:
        """Delete the rows of earlier days, in days since the epoch; returns their number."""
        with self._database.write_transaction() as connection:
            return connection.execute(delete(quotas).where(quotas.c.day < day)).rowcount

    def _spend(self, lease: _Lease, name: str, daily_limit: int) -> int | None:
        day = self.today
        if lease.day != day:
            lease.day, lease.remaining, lease.unleased = day, 0, daily_limit
        if not lease.remaining and lease.unleased:
            lease.remaining, lease.unleased = self._lease(name, day, daily_limit)
        if not lease.remaining:
            return None
        lease.remaining -= 1
        return lease.remaining + lease.unleased

    def _lease(self, name: str, day: int, daily_limit: int) -> tuple[int, int]:
        """Lease a block with one statement.

        The counter may exceed the limit after the last block; only calls within the limit are granted.

        Returns:
            The granted calls, and the calls that remain to be leased.
        """
        block = max(1, min(MAX_BLOCK, daily_limit // _BLOCKS_PER_DAY))
        statement = (
            self._database.insert(quotas)
            .values(name=name, day=day, leased=block)
            .on_conflict_do_update(
                index_elements=[quotas.c.name, quotas.c.day],
                set_={"leased": quotas.c.leased + block},
                where=quotas.c.leased < daily_limit,
            )
            .returning(quotas.c.leased)
        )
        with self._database.write_transaction() as connection:
            leased = connection.scalar(statement)
        if leased is None:
            return 0, 0
        return min(block, daily_limit - (leased - block)), max(0, daily_limit - leased)
