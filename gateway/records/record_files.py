"""What a record holds: its images, and what becomes of them when it goes."""

from collections.abc import Callable
from functools import partial

from gateway.errors import FileTooLarge, InvalidBody, NotAnImage, UploadTooLarge
from gateway.origins.upload_urls import upload_url
from gateway.records.record import Record, check_result_limit
from gateway.records.record_store import RecordStore
from gateway.storage.object_store import StoredObject


class RecordFiles:
    """Puts images into records, and lets go of them.

    Args:
        shelf: what is held.
    """

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def put_file(self, task_id: str, name: str, read: Callable[[int], bytes], length: int | None) -> Record:
        """Keep an image of our own among a task's results; one of the same name is replaced.

        Args:
            task_id: the task.
            name: under which links find it, as ``gateway:<name>``.
            read: gives the bytes, at most so many at a time; empty at the end.
            length: how many there will be; None when unknown.

        Returns:
            The record as it is now.

        Raises:
            InvalidBody: not an image, or one too many; says the remedy.
            UploadTooLarge, UploadBroken: larger than is kept, or less than announced.
            StorageFull, StorageDown, DatabaseDown: our own trouble; nothing was kept.
        """
        url = upload_url(name)
        known = self._store.records.find(task_id)
        if known is not None and not self._begins_anew(known):
            check_result_limit(known, url)  # before the upload; the transaction that adds it checks again
        try:
            return self._store.ingest.store(read, length, partial(self._note, task_id, url))[1]
        except NotAnImage as error:
            raise InvalidBody(f"the body: {error}; send PNG, JPEG, GIF, WebP or AVIF") from None
        except FileTooLarge:
            raise UploadTooLarge("larger than GATEWAY_MAX_BYTES") from None

    def delete(self, task_id: str) -> bool:
        """Forget a record and its images; tells whether there was one."""
        digests = self._store.records.delete(task_id)
        if digests is None:
            return False
        self._store.deletions.delete(digests)
        return True

    def delete_if_orphaned(self, task_id: str) -> None:
        """Drop what was kept for a task whose record went meanwhile: no sweep would come by again."""
        record = self._store.records.find(task_id)
        if record is None or record.swept:
            self._store.deletions.delete(self._store.index.delete(task_id))

    def _note(self, task_id: str, url: str, stored: StoredObject) -> tuple[Record, str | None]:
        now_ms = self._store.now_ms()
        upsert_statement = self._store.index.upsert_statement(task_id, url, stored)
        oldest_ms = self._store.oldest_ms(now_ms)
        return self._store.records.add_result(task_id, url, upsert_statement, now_ms=now_ms, oldest_ms=oldest_ms)

    def _begins_anew(self, record: Record) -> bool:
        return record.swept or record.created_at < self._store.oldest_ms(self._store.now_ms())
