"""The shelf: tasks' records and their images, where they are kept, and for how long."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.records.record import DAY_MS
from gateway.records.sql_records import SqlRecords
from gateway.storage.ingest import Ingest
from gateway.storage.object_deleter import ObjectDeleter
from gateway.storage.object_index import ObjectIndex
from gateway.storage.object_store import ObjectStore


@dataclass(frozen=True, slots=True)
class RecordStore:
    """What is kept, for all who put in, hand out, or let go.

    Attributes:
        records, index, objects: what is known of tasks, which object holds which image, and the objects' bytes.
        intake, deletions: the way in, and the way out.
        days: how old a record may be.
        clock: Unix seconds.
    """

    records: SqlRecords
    index: ObjectIndex
    objects: ObjectStore
    ingest: Ingest
    deletions: ObjectDeleter
    days: int
    clock: Callable[[], float] = time.time

    def now_ms(self) -> int:
        """The time by which records age: Unix milliseconds."""
        return int(self.clock() * 1000)

    def oldest_ms(self, now_ms: int) -> int:
        """When the oldest record was created that is not too old, in Unix milliseconds."""
        return now_ms - self.days * DAY_MS
