"""Upload images to records, and delete records with their images."""

from collections.abc import Callable

from gateway.errors import FileTooLarge, InvalidBody, NotAnImage, UploadTooLarge
from gateway.origins.upload_urls import upload_url
from gateway.records.record import Record, check_result_limit
from gateway.records.record_store import RecordStore
from gateway.storage.object_store import StoredObject


class RecordFiles:
    """Adds uploaded images to records, and deletes records with their images."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def put_file(self, task_id: str, name: str, read: Callable[[int], bytes], length: int | None) -> Record:
        """Store an uploaded image as a result of a task, in place of one with the same name.

        Args:
            task_id: the task; its record is created if there is none, or if it is expired.
            name: of the image; links name it as ``gateway:<name>``.
            read: reads at most the given number of bytes; empty at the end.
            length: the declared length in bytes; None if unknown.

        Returns:
            The new state of the record.

        Raises:
            InvalidBody: the body is not an image, or the record has the maximum number of results.
            UploadTooLarge, UploadBroken: the body is too large, or shorter than declared.
            StorageFull, StorageDown, DatabaseDown: the image was not stored.
        """
        url = upload_url(name)
        store = self._store
        record = store.records.find(task_id)
        if record is not None and not record.swept and record.created_at >= store.oldest_ms(store.now_ms()):
            check_result_limit(record, url)  # before the upload; the transaction below checks again

        def add_result(stored: StoredObject) -> tuple[Record, str | None]:
            now_ms = store.now_ms()
            return store.records.add_result(
                task_id,
                url,
                lambda connection: store.index.put_in(connection, task_id, url, stored),
                now_ms=now_ms,
                oldest_ms=store.oldest_ms(now_ms),
            )

        try:
            return store.ingest.store(read, length, add_result)[1]
        except NotAnImage as error:
            raise InvalidBody(f"the body: {error}; send PNG, JPEG, GIF, WebP or AVIF") from None
        except FileTooLarge:
            raise UploadTooLarge("larger than GATEWAY_MAX_BYTES") from None

    def delete(self, task_id: str) -> bool:
        """Delete a record and its images; returns whether there was one."""
        digests = self._store.records.delete(task_id)
        if digests is None:
            return False
        self._store.deleter.delete(digests)
        return True

    def delete_if_orphaned(self, task_id: str) -> None:
        """Delete the images of a task whose record was deleted or swept while they were stored."""
        record = self._store.records.find(task_id)
        if record is None or record.swept:
            self._store.deleter.delete(self._store.index.delete(task_id))
