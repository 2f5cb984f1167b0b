"""What a record holds: its images, and what becomes of them when it goes."""

from collections.abc import Callable
from functools import partial

from gateway.errors import FileTooLarge, InvalidBody, NotAnImage, UploadTooLarge
from gateway.origins.upload_urls import own_url
from gateway.records.record import Record, check_room
from gateway.records.shelf import Shelf
from gateway.storage.objects import Stored


class Holdings:
    """Puts images into records, and lets go of them.

    Args:
        shelf: what is held.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

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
        url = own_url(name)
        known = self._shelf.records.find(task_id)
        if known is not None and not self._begins_anew(known):
            check_room(known, url)  # before the upload; the transaction that adds it checks again
        try:
            return self._shelf.intake.take(read, length, partial(self._note, task_id, url))[1]
        except NotAnImage as error:
            raise InvalidBody(f"the body: {error}; send PNG, JPEG, GIF, WebP or AVIF") from None
        except FileTooLarge:
            raise UploadTooLarge("larger than GATEWAY_MAX_BYTES") from None

    def forget(self, task_id: str) -> bool:
        """Forget a record and its images; tells whether there was one."""
        digests = self._shelf.records.delete(task_id)
        if digests is None:
            return False
        self._shelf.deletions.delete(digests)
        return True

    def let_go_if_gone(self, task_id: str) -> None:
        """Drop what was kept for a task whose record went meanwhile: no sweep would come by again."""
        record = self._shelf.records.find(task_id)
        if record is None or record.swept:
            self._shelf.deletions.delete(self._shelf.index.forget(task_id))

    def _note(self, task_id: str, url: str, stored: Stored) -> tuple[Record, str | None]:
        now_ms = self._shelf.now_ms()
        noting = self._shelf.index.noting(task_id, url, stored)
        oldest_ms = self._shelf.oldest_ms(now_ms)
        return self._shelf.records.add_result(task_id, url, noting, now_ms=now_ms, oldest_ms=oldest_ms)

    def _begins_anew(self, record: Record) -> bool:
        return record.swept or record.created_at < self._shelf.oldest_ms(self._shelf.now_ms())
