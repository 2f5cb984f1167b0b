"""What is found, kept and swept with a million records, beside ten thousand; on SQLite and on PostgreSQL."""

import multiprocessing
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory

from bench.filling import created_at, fill, postgresql, sqlite, stored, task_id, url
from bench.table import microseconds, print_columns, print_times, side_by_side
from gateway.records.record import Record
from gateway.records.record_store import RecordStore
from gateway.records.sql_records import SqlRecords
from gateway.records.sweep import BATCH, Sweep
from gateway.storage.database import Database
from gateway.storage.folder import FolderObjectStore
from gateway.storage.ingest import Ingest
from gateway.storage.object_deleter import ObjectDeleter
from gateway.storage.object_index import ObjectIndex

FEW, MANY = 10_000, 1_000_000
ROUNDS = 9
BACKLOG = 50_000
PAUSE_S = 0.005


class Filled:
    """A database with so many records, and one call of each kind; each meets other records than the one before.

    The older half of the records is for the sweep, the newer half is found.
    """

    def __init__(self, location: str, count: int) -> None:
        self.location, self._count = location, count
        self.database = Database(location)
        self._records, self._index = SqlRecords(self.database), ObjectIndex(self.database)
        self._random = Random(count)
        self._put = count
        self._sweeps = 0
        fill(self.database, count)

    @property
    def version(self) -> str:
        """The engine's."""
        return ".".join(map(str, self.database.engine.dialect.server_version_info or ()))

    def close(self) -> None:
        """Close its connections."""
        self.database.engine.dispose()

    def find_record(self) -> None:
        """Find one of the newer records."""
        assert self._records.find(task_id(self._any())) is not None

    def find_object(self) -> None:
        """Find the object of one of the newer images."""
        number = self._any()
        assert self._index.find(task_id(number), url(number)) is not None

    def find_digest(self) -> None:
        """Find one of the newer objects by its digest."""
        assert self._index.find_by_digest(stored(self._any()).digest) is not None

    def put_record(self) -> None:
        """Put a new record."""
        self._put += 1
        self._records.put(Record(task_id(self._put), "SUCCESS", (url(self._put),), created_at(self._put)))

    def put_object(self) -> None:
        """Put a new object."""
        self._put += 1
        self._index.put(task_id(self._put), url(self._put), stored(self._put))

    def ask_unheld(self) -> None:
        """Ask for a batch of objects whether they are held, as the sweep does."""
        assert not self._index.unreferenced({stored(self._any()).digest for _ in range(BATCH)})

    def sweep(self) -> None:
        """Sweep a batch, with all of the older half to choose from."""
        self._sweeps += 1
        before = created_at(self._count // 2)
        batch = self._records.list_expired(before, BATCH)
        assert len(self._records.tombstone(batch, before, self._sweeps)) == BATCH

    def purge(self) -> None:
        """Bury a batch, with all that was swept to choose from."""
        assert self._records.purge(self._sweeps + 1, BATCH) == BATCH

    def next_backlog(self) -> int:
        """The time before which ``BACKLOG`` records are left to sweep, in Unix milliseconds."""
        return created_at(self._sweeps * BATCH + BACKLOG)

    def _any(self) -> int:
        return self._random.randrange(self._count // 2, self._count)


CALLS: tuple[tuple[str, Callable[[Filled], None], int], ...] = (
    ("SqlRecords.find", Filled.find_record, 200),
    ("ObjectIndex.find", Filled.find_object, 200),
    ("ObjectIndex.find_by_digest", Filled.find_digest, 200),
    ("SqlRecords.put", Filled.put_record, 100),
    ("ObjectIndex.put", Filled.put_object, 100),
    (f"ObjectIndex.unheld, {BATCH}", Filled.ask_unheld, 5),
    (f"sweep, {BATCH}", Filled.sweep, 2),
    (f"SqlRecords.bury, {BATCH}", Filled.purge, 2),
)


def run() -> None:
    """Print a table for each engine."""
    for name, engine in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        begun_at = time.perf_counter()
        try:
            with engine() as make:
                _compare(name, make("few"), make("many"))
        except ImportError as missing:
            print(f"{name} is left out: {missing}")
        else:
            print(f"all of it took {time.perf_counter() - begun_at:.0f} s, filling included")


def _compare(name: str, few_at: str, many_at: str) -> None:
    with closing(Filled(few_at, FEW)) as few, closing(Filled(many_at, MANY)) as many:
        print_columns(f"{name} {few.version}", f"{FEW:,}", f"{MANY:,}")
        for call, method, calls in CALLS:
            print_times(call, *side_by_side(partial(method, few), partial(method, many), calls, ROUNDS))
        _sweep_backlog(many)


def _sweep_backlog(many: Filled) -> None:
    """Sweep twice: batch by batch, and all at once by another process while records are put here."""
    batches = [microseconds(many.sweep, 1) for _ in range(BACKLOG // BATCH)]
    print_columns(f"a sweep of {BACKLOG:,}", "first batches", "last batches")
    print_times(f"sweep, {BATCH}", median(batches[:20]), median(batches[-20:]))
    waits = _put_during_a_sweep(many)
    print_columns("during one by another process", "median", "longest")
    print_times("SqlRecords.put", median(waits), max(waits))


def _put_during_a_sweep(many: Filled) -> list[float]:
    """Put records as long as another process sweeps, and tell how many microseconds each put took."""
    waits = []
    with TemporaryDirectory(prefix="bench-") as folder:
        arguments = (many.location, folder, many.next_backlog())
        process = multiprocessing.get_context("spawn").Process(target=_sweep_all, args=arguments)
        process.start()
        try:
            while process.is_alive():
                waits.append(microseconds(many.put_record, 1))
                time.sleep(PAUSE_S)
        finally:
            process.kill()
            process.join()
    assert process.exitcode == 0
    return waits


def _sweep_all(location: str, folder: str, before: int) -> None:
    database = Database(location)
    records, objects = SqlRecords(database), FolderObjectStore(Path(folder))
    deletions = ObjectDeleter(database, objects.delete)
    intake = Ingest(objects, deletions, 1)
    store = RecordStore(records, ObjectIndex(database), objects, intake, deletions, 0, lambda: before / 1000)
    swept, _ = Sweep(store).run()
    assert swept == BACKLOG
