"""The sweep: delete the images of expired records, later the records themselves, and objects without a reference."""

import time

from gateway.records.record import DAY_MS
from gateway.records.record_store import RecordStore
from gateway.storage.object_deleter import batches

BATCH = 200
TOMBSTONE_DAYS = 60
MIN_ORPHAN_AGE_S = 3600  # a new object is not referenced yet


class Sweep:
    """Deletes expired records in small batches, so that other transactions do not wait long.

    A record that expires loses its URLs and images. For 60 days it stays as a tombstone, so that a late visitor learns
    that the image is too old, and not that it never existed.
    """

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def run(self, *, pause_s: float = 0) -> tuple[int, int]:
        """Sweep all expired records and tombstones.

        Args:
            pause_s: pause after each batch, in seconds, for other transactions.

        Returns:
            The numbers of records turned into tombstones, and of tombstones deleted.
        """
        records, now_ms = self._store.records, self._store.now_ms()
        oldest_ms = self._store.oldest_ms(now_ms)
        swept = purged = 0
        while batch := records.list_expired(oldest_ms, BATCH):
            self._store.deleter.delete(records.tombstone(batch, oldest_ms, now_ms))
            swept += len(batch)
            time.sleep(pause_s)
        while count := records.purge(now_ms - TOMBSTONE_DAYS * DAY_MS, BATCH):
            purged += count
            time.sleep(pause_s)
        return swept, purged

    def reconcile(self, *, pause_s: float = 0) -> int:
        """Delete the objects that no image references, which a crash or a storage error leaves behind.

        Args:
            pause_s: as for :meth:`run`.

        Returns:
            The number of deleted objects.
        """
        store = self._store
        store.deleter.delete_expired_marks()
        deleted = 0
        for page in store.objects.list_unused_since(store.clock() - MIN_ORPHAN_AGE_S):
            for batch in batches(page, BATCH):
                if orphans := store.index.unreferenced(batch):
                    deleted += len(store.deleter.delete(orphans))
                time.sleep(pause_s)
        return deleted
