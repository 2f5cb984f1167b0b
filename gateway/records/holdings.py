"""What a record holds: its images, and what becomes of them when it goes."""

from collections.abc import Callable, Collection

from gateway.errors import FileTooLarge, InvalidBody, NotAnImage, UploadTooLarge
from gateway.own_urls import own_url
from gateway.records.record import Record
from gateway.records.shelf import Shelf
from gateway.storage.objects import Stored

MOST_RESULTS = 100


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
        self._check_room(task_id, url)
        replaced = self._shelf.index.find(task_id, url)
        try:
            stored, record = self._shelf.intake.take(read, length, lambda stored: self._note(task_id, url, stored))
        except NotAnImage as error:
            raise InvalidBody(f"the body: {error}; send PNG, JPEG, GIF, WebP or AVIF") from None
        except FileTooLarge:
            raise UploadTooLarge("larger than GATEWAY_MAX_BYTES") from None
        if replaced is not None and replaced.digest != stored.digest:
            self._drop(self._shelf.index.unheld({replaced.digest}))
        return record

    def drop_images(self, task_ids: Collection[str]) -> None:
        """Drop the objects that only these tasks have.

        Do it before their records go: what is cut off in between is done again the next time, and nothing stays behind.
        """
        self._drop(self._shelf.index.only_of(task_ids))

    def forget(self, task_id: str) -> bool:
        """Forget a record and its images; tells whether there was one."""
        self.drop_images([task_id])
        return self._shelf.records.delete(task_id)

    def let_go_if_gone(self, task_id: str) -> None:
        """Drop what was kept for a task whose record went meanwhile: no sweep would come by again."""
        record = self._shelf.records.find(task_id)
        if record is None or record.swept:
            self.drop_images([task_id])
            self._shelf.index.forget(task_id)

    def _note(self, task_id: str, url: str, stored: Stored) -> Record:
        now_ms = self._shelf.now_ms()
        noting = self._shelf.index.noting(task_id, url, stored)
        oldest_ms = self._shelf.oldest_ms(now_ms)
        return self._shelf.records.add_result(task_id, url, noting, now_ms=now_ms, oldest_ms=oldest_ms)

    def _check_room(self, task_id: str, url: str) -> None:
        known = self._shelf.records.find(task_id)
        urls = known.result_urls or () if known else ()
        if len(urls) >= MOST_RESULTS and url not in urls:
            raise InvalidBody(f"the task has {MOST_RESULTS} results already; use another task id")

    def _drop(self, digests: Collection[str]) -> None:
        for digest in digests:
            self._shelf.objects.delete(digest)
