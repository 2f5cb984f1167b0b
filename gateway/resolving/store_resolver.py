"""The ``store`` resolver: the provider's own job. Check the record, fetch the image, keep it, and hand it out."""

import secrets
import threading
from collections.abc import Callable
from contextlib import closing

from gateway.egress.client import Client
from gateway.egress.guard import Guard
from gateway.errors import ImageUnavailable, OriginError, OriginNotAllowed, StorageDown
from gateway.origins.upload_urls import is_upload_url
from gateway.records.record import check_result
from gateway.records.record_store import RecordStore
from gateway.sources.public_urls import PublicUrl
from gateway.sources.remote import RemoteSource
from gateway.sources.stored import StoredSource
from gateway.storage.object_store import StoredObject

LIFE_S = 1200
KNOWN_FOR_S = 10  # and then it is looked up again: other workers replace and delete, and so does the command line
MOST_AT_ONCE = 64  # fetches in this worker; more wait, so that slow origins fill neither the disk nor the files
_PROBE_BYTES = 16


class StoreResolver:
    """Turns our own records into sources.

    Args:
        shelf, door: where the images are kept, and how others get at them.
        client, guard: the way to the images' origins.
        kept: is told, with its task, of every image that was fetched.
    """

    def __init__(
        self, store: RecordStore, public_url: PublicUrl, client: Client, guard: Guard, kept: Callable[[str], None]
    ) -> None:
        self._store = store
        self._door = public_url
        self._client = client
        self._guard = guard
        self._kept = kept
        self._slots = threading.BoundedSemaphore(MOST_AT_ONCE)

    def resolve(self, task_id: str, url: str) -> StoredSource:
        """Give the object of an image, and fetch the image when there is none yet.

        Raises:
            ProviderError: the record, or the image, stands against it.
            StorageFull, StorageDown, DatabaseDown: our own trouble.
        """
        check_result(self._store.records.find(task_id), url, now_ms=self._store.now_ms(), days=self._store.days)
        stored = self._store.index.find(task_id, url)
        if stored is None or not self._store.objects.exists(stored):
            stored = self._fetch(task_id, url)
            self._kept(task_id)
        return StoredSource(self._store.objects, stored, self._door, self._store.clock() + LIFE_S)

    def probe(self) -> str:
        """Keep, read and drop an object of sixteen bytes.

        Returns:
            Why no browser would be sent to the store, in one word; empty when it would be.

        Raises:
            StorageFull, StorageDown: what stands against it, and the remedy.
        """
        objects = self._store.objects
        with objects.new_upload() as incoming:
            incoming.write(secrets.token_bytes(_PROBE_BYTES))
            stored = objects.put(incoming)
        try:
            with closing(objects.open(stored, 0, stored.length - 1)) as reading:
                whole = reading.read(stored.length) == stored.head
            reason = self._door.redirect_blocker(stored)
        finally:
            objects.delete(stored.digest)
        if not whole or objects.exists(stored):
            raise StorageDown("it does not give what it was given, or does not drop it")
        return reason

    def _fetch(self, task_id: str, url: str) -> StoredObject:
        if is_upload_url(url):
            raise ImageUnavailable("nobody has put this image in")
        try:
            self._guard.admit(url)
            source = RemoteSource(self._client, url, 0, sendable=False, listed_only=True)
            with self._slots, closing(source.open()) as opened:
                return self._store.ingest.store(
                    opened.read,
                    opened.info.length,
                    lambda stored: (None, self._store.index.put(task_id, url, stored)),
                )[0]
        except (OriginError, OriginNotAllowed) as error:
            raise ImageUnavailable(error.code) from error
