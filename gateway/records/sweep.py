"""Let go of what is too old: images first, then, much later, the last trace of their record. Delete orphans."""

import time

from gateway.records.record import DAY_MS
from gateway.records.record_store import RecordStore
from gateway.storage.object_deleter import batches

BATCH = 200
TOMBSTONE_DAYS = 60
ORPHANED_FOR_S = 3600  # an object that was stored just now is noted in a moment


class Sweep:
    """Sweeps in small batches, so that nobody waits long for the database.

    Args:
        shelf: what is swept. Of a record that is too old the urls and images go, and a tombstone stays for
            60 days, so that a late visitor is told that the image was too old, and not that it never was.
    """

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def run(self, *, pause_s: float = 0) -> tuple[int, int]:
        """Sweep until nothing is left to sweep.

        Args:
            pause_s: how long to leave the database to others after each batch, in seconds.

        Returns:
            How many records became tombstones, and how many tombstones went.
        """
        records, now_ms = self._store.records, self._store.now_ms()
        too_old = self._store.oldest_ms(now_ms)
        swept = 0
        while batch := records.old(too_old, BATCH):
            self._store.deletions.delete(records.tombstone(batch, too_old, now_ms))
            swept += len(batch)
            time.sleep(pause_s)
        buried = 0
        while count := records.purge(now_ms - TOMBSTONE_DAYS * DAY_MS, BATCH):
            buried += count
            time.sleep(pause_s)
        return swept, buried

    def reconcile(self, *, pause_s: float = 0) -> int:
        """Delete the objects that no image holds: what a crash, a full disk or a failing store left behind.

        Args:
            pause_s: as for :meth:`run`.

        Returns:
            How many objects were deleted.
        """
        store = self._store
        store.deletions.forget_expired()
        deleted = 0
        for stored in store.objects.list_unused_since(store.clock() - ORPHANED_FOR_S):
            for batch in batches(stored, BATCH):
                if orphans := store.index.unreferenced(batch):
                    deleted += len(store.deletions.delete(orphans))
                time.sleep(pause_s)
        return deleted
