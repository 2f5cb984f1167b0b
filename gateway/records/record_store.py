"""The record store: records of tasks, and the images of the records."""

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
    """The parts that work on records and their images share.

    Attributes:
        index: maps images to objects.
        days: how long a record is valid.
        clock: Unix seconds.
    """

    records: SqlRecords
    index: ObjectIndex
    objects: ObjectStore
    ingest: Ingest
    deleter: ObjectDeleter
    days: int
    clock: Callable[[], float] = time.time

    def now_ms(self) -> int:
        """The current time in Unix milliseconds."""
        return int(self.clock() * 1000)

    def oldest_ms(self, now_ms: int) -> int:
        """The earliest creation time of a valid record, in Unix milliseconds."""
        return now_ms - self.days * DAY_MS
