"""Let go of what is too old: images first, then, much later, the last trace of their record."""

import time
from collections.abc import Callable

from gateway.records.record import DAY_MS
from gateway.records.stored import SqlRecords
from gateway.storage.index import ObjectIndex
from gateway.storage.objects import Objects

BATCH = 200
TOMBSTONE_DAYS = 60


class Sweep:
    """Sweeps in small batches, so that nobody waits long for the database.

    Args:
        records, index, objects: what is swept.
        days: how old a record may be; after that its urls and images go, and a tombstone stays for 60 days, so that a
            late visitor is told that the image was too old, and not that it never was.
    """

    def __init__(
        self,
        records: SqlRecords,
        index: ObjectIndex,
        objects: Objects,
        days: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._records = records
        self._index = index
        self._objects = objects
        self._days = days
        self._clock = clock

    def run(self) -> tuple[int, int]:
        """Sweep until nothing is left to sweep.

        Returns:
            How many records became tombstones, and how many tombstones went.
        """
        now_ms = int(self._clock() * 1000)
        swept = 0
        while batch := self._records.sweep(now_ms - self._days * DAY_MS, now_ms, BATCH):
            swept += len(batch)
            digests = {digest for record in batch for digest in record.digests}
            for digest in self._index.unheld(digests):
                self._objects.delete(digest)
        buried = 0
        while count := self._records.bury(now_ms - TOMBSTONE_DAYS * DAY_MS, BATCH):
            buried += count
        return swept, buried
