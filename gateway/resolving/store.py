"""The ``store`` resolver: the provider's own job. Check the record, fetch the image, keep it, and hand it out."""

import secrets
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial

from gateway.egress.client import Client
from gateway.egress.guard import Guard
from gateway.errors import ImageUnavailable, OriginError, OriginNotAllowed, StorageDown
from gateway.own_urls import is_own
from gateway.records.record import check_result
from gateway.records.stored import SqlRecords
from gateway.resolving.doors import Door
from gateway.resolving.kept import KeptSource
from gateway.resolving.pace import Paced
from gateway.resolving.remote import RemoteSource
from gateway.storage.index import ObjectIndex
from gateway.storage.intake import Intake
from gateway.storage.objects import Objects, Stored

LIFE_S = 1200
KNOWN_FOR_S = 10  # and then it is looked up again: other workers replace and delete, and so does the command line
MOST_AT_ONCE = 64  # fetches in this worker; more wait, so that slow origins fill neither the disk nor the files
_PROBE_BYTES = 16


class StoreResolver:
    """Turns our own records into sources.

    Args:
        records: what is known of tasks.
        index: which object holds which image.
        objects, door: where the bytes are kept, and how others get at them.
        intake: the way in.
        client, guard: the way to the images' origins.
        kept: is told, with its task, of every image that was fetched.
        days: how old a record may be.
    """

    def __init__(  # noqa: PLR0913 (the collaborators of one conversion)
        self,
        records: SqlRecords,
        index: ObjectIndex,
        objects: Objects,
        door: Door,
        intake: Intake,
        *,
        client: Client,
        guard: Guard,
        kept: Callable[[str], None],
        days: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._records = records
        self._index = index
        self._objects = objects
        self._door = door
        self._intake = intake
        self._client = client
        self._guard = guard
        self._kept = kept
        self._days = days
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._clock = clock

    def resolve(self, task_id: str, url: str) -> KeptSource:
        """Give the object of an image, and fetch the image when there is none yet.

        Raises:
            ProviderError: the record, or the image, stands against it.
            StorageFull, StorageDown, DatabaseDown: our own trouble.
        """
        check_result(self._records.find(task_id), url, now_ms=int(self._clock() * 1000), days=self._days)
        stored = self._index.find(task_id, url)
        if stored is None or not self._objects.has(stored):
            stored = self._fetch(task_id, url)
            self._kept(task_id)
        return KeptSource(self._objects, stored, self._door, self._clock() + LIFE_S)

    def probe(self) -> str:
        """Keep, read and drop an object of sixteen bytes.

        Returns:
            Why no browser would be sent to the store, in one word; empty when it would be.

        Raises:
            StorageFull, StorageDown: what stands against it, and the remedy.
        """
        with self._objects.receiving() as incoming:
            incoming.write(secrets.token_bytes(_PROBE_BYTES))
            stored = self._objects.keep(incoming)
        try:
            with closing(self._objects.open(stored, 0, stored.length - 1)) as reading:
                whole = reading.read(stored.length) == stored.head
            reason = self._door.held_back(stored)
        finally:
            self._objects.delete(stored.digest)
        if not whole or self._objects.has(stored):
            raise StorageDown("it does not give what it was given, or does not drop it")
        return reason

    def _fetch(self, task_id: str, url: str) -> Stored:
        if is_own(url):
            raise ImageUnavailable("nobody has put this image in")
        try:
            self._guard.admit(url)
            source = RemoteSource(self._client, url, 0, sendable=False, listed_only=True)
            with self._places, closing(source.open()) as opened:
                note = partial(self._index.put, task_id, url)
                return self._intake.take(Paced(opened.read).read, opened.facts.length, note)[0]
        except (OriginError, OriginNotAllowed) as error:
            raise ImageUnavailable(error.code) from error
