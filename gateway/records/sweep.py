"""Let go of what is too old: images first, then, much later, the last trace of their record. Delete orphans."""

import time

from gateway.records.record import DAY_MS
from gateway.records.shelf import Shelf
from gateway.storage.deletions import batches

BATCH = 200
TOMBSTONE_DAYS = 60
ORPHANED_FOR_S = 3600  # an object that was stored just now is noted in a moment


class Sweep:
    """Sweeps in small batches, so that nobody waits long for the database.

    Args:
        shelf: what is swept. Of a record that is too old the urls and images go, and a tombstone stays for
            60 days, so that a late visitor is told that the image was too old, and not that it never was.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def run(self, *, pause_s: float = 0) -> tuple[int, int]:
        """Sweep until nothing is left to sweep.

        Args:
            pause_s: how long to leave the database to others after each batch, in seconds.

        Returns:
            How many records became tombstones, and how many tombstones went.
        """
        records, now_ms = self._shelf.records, self._shelf.now_ms()
        too_old = self._shelf.oldest_ms(now_ms)
        swept = 0
        while batch := records.old(too_old, BATCH):
            self._shelf.deletions.delete(records.entomb(batch, too_old, now_ms))
            swept += len(batch)
            time.sleep(pause_s)
        buried = 0
        while count := records.bury(now_ms - TOMBSTONE_DAYS * DAY_MS, BATCH):
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
        shelf = self._shelf
        shelf.deletions.forget_expired()
        deleted = 0
        for stored in shelf.objects.stored_before(shelf.clock() - ORPHANED_FOR_S):
            for batch in batches(stored, BATCH):
                if orphans := shelf.index.unheld(batch):
                    deleted += len(shelf.deletions.delete(orphans))
                time.sleep(pause_s)
        return deleted
