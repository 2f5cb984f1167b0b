"""Let go of what is too old: images first, then, much later, the last trace of their record."""

import time
from collections.abc import Callable

from gateway.records.holdings import Holdings
from gateway.records.record import DAY_MS
from gateway.records.stored import SqlRecords

BATCH = 200
TOMBSTONE_DAYS = 60


class Sweep:
    """Sweeps in small batches, so that nobody waits long for the database.

    Args:
        records, holdings: what is swept.
        days: how old a record may be; after that its urls and images go, and a tombstone stays for 60 days, so that a
            late visitor is told that the image was too old, and not that it never was.
    """

    def __init__(
        self,
        records: SqlRecords,
        holdings: Holdings,
        days: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._records = records
        self._holdings = holdings
        self._days = days
        self._clock = clock

    def run(self, *, pause_s: float = 0) -> tuple[int, int]:
        """Sweep until nothing is left to sweep.

        Args:
            pause_s: how long to leave the database to others after each batch, in seconds.

        Returns:
            How many records became tombstones, and how many tombstones went.
        """
        now_ms = int(self._clock() * 1000)
        too_old = now_ms - self._days * DAY_MS
        swept = 0
        while batch := self._records.old(too_old, BATCH):
            self._holdings.drop_images(batch)
            self._records.entomb(batch, too_old, now_ms)
            swept += len(batch)
            time.sleep(pause_s)
        buried = 0
        while count := self._records.bury(now_ms - TOMBSTONE_DAYS * DAY_MS, BATCH):
            buried += count
            time.sleep(pause_s)
        return swept, buried
