"""The ``store`` resolver: check the record, fetch and store the image, and return its object."""

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

SOURCE_TTL_S = 1200
MAX_AGE_S = 10  # of a cached source: other processes replace and delete images
MAX_FETCHES = 64  # concurrent, in this worker, so that slow origins do not fill the disk or use up file descriptors
_PROBE_BYTES = 16


class StoreResolver:
    """Resolves images of the gateway's own records.

    Args:
        store: records and images.
        public_url: makes public URLs of objects.
        client: fetches images from their origins.
        guard: checks the origin URLs.
        on_stored: called with the task id after an image was fetched and stored.
    """

    def __init__(
        self, store: RecordStore, public_url: PublicUrl, client: Client, guard: Guard, on_stored: Callable[[str], None]
    ) -> None:
        self._store = store
        self._public_url = public_url
        self._client = client
        self._guard = guard
        self._on_stored = on_stored
        self._slots = threading.BoundedSemaphore(MAX_FETCHES)

    def resolve(self, task_id: str, url: str) -> StoredSource:
        """The stored object of an image; fetches the image if it is not stored.

        Raises:
            ProviderError: the record has no such image, or the image cannot be fetched.
            StorageFull, StorageDown, DatabaseDown: the storage failed.
        """
        check_result(self._store.records.find(task_id), url, now_ms=self._store.now_ms(), days=self._store.days)
        stored = self._store.index.find(task_id, url)
        if stored is None or not self._store.objects.exists(stored):
            stored = self._fetch(task_id, url)
            self._on_stored(task_id)
        return StoredSource(self._store.objects, stored, self._public_url, self._store.clock() + SOURCE_TTL_S)

    def probe(self) -> str:
        """Check the object store: write, read and delete an object of sixteen bytes.

        Returns:
            Why browsers are not redirected to the store, in one word; empty if they are.

        Raises:
            StorageFull, StorageDown: the check failed; the message names the remedy.
        """
        objects = self._store.objects
        with objects.new_upload() as upload:
            upload.write(secrets.token_bytes(_PROBE_BYTES))
            stored = objects.put(upload)
        try:
            with closing(objects.open(stored, 0, stored.length - 1)) as reading:
                whole = reading.read(stored.length) == stored.head
            reason = self._public_url.redirect_blocker(stored)
        finally:
            objects.delete(stored.digest)
        if not whole or objects.exists(stored):
            raise StorageDown("an object that was written could not be read or deleted")
        return reason

    def _fetch(self, task_id: str, url: str) -> StoredObject:
        if is_upload_url(url):
            raise ImageUnavailable("the image was not uploaded")
        try:
            self._guard.check_link_url(url)
            source = RemoteSource(self._client, url, 0, sendable=False, listed_only=True)
            with self._slots, closing(source.open()) as opened:
                return self._store.ingest.store(
                    opened.read,
                    opened.info.length,
                    lambda stored: (None, self._store.index.put(task_id, url, stored)),
                )[0]
        except (OriginError, OriginNotAllowed) as error:
            raise ImageUnavailable(error.code) from error
