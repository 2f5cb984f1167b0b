"""What a record holds: its images, and what becomes of them when it goes."""

import time
from collections.abc import Callable, Collection

from gateway.errors import FileTooLarge, InvalidBody, NotAnImage, UploadTooLarge
from gateway.own_urls import own_url
from gateway.records.record import DAY_MS, Record
from gateway.records.stored import SqlRecords
from gateway.storage.index import ObjectIndex
from gateway.storage.intake import Intake
from gateway.storage.objects import Objects, Stored

MOST_RESULTS = 100


class Holdings:
    """Puts images into records, and lets go of them.

    Args:
        records, index, objects: what is held.
        intake: the way in.
        days: how old a record may be.
        clock: Unix seconds.
    """

    def __init__(
        self,
        records: SqlRecords,
        index: ObjectIndex,
        objects: Objects,
        intake: Intake,
        days: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._records = records
        self._index = index
        self._objects = objects
        self._intake = intake
        self._days = days
        self._clock = clock

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
        replaced = self._index.find(task_id, url)
        try:
            stored, record = self._intake.take(read, length, lambda stored: self._note(task_id, url, stored))
        except NotAnImage as error:
            raise InvalidBody(f"the body: {error}; send PNG, JPEG, GIF, WebP or AVIF") from None
        except FileTooLarge:
            raise UploadTooLarge("larger than GATEWAY_MAX_BYTES") from None
        if replaced is not None and replaced.digest != stored.digest:
            self._drop(self._index.unheld({replaced.digest}))
        return record

    def drop_images(self, task_ids: Collection[str]) -> None:
        """Drop the objects that only these tasks have.

        Do it before their records go: what is cut off in between is done again the next time, and nothing stays behind.
        """
        self._drop(self._index.only_of(task_ids))

    def forget(self, task_id: str) -> bool:
        """Forget a record and its images; tells whether there was one."""
        self.drop_images([task_id])
        return self._records.delete(task_id)

    def let_go_if_gone(self, task_id: str) -> None:
        """Drop what was kept for a task whose record went meanwhile: no sweep would come by again."""
        record = self._records.find(task_id)
        if record is None or record.swept:
            self.drop_images([task_id])
            self._index.forget(task_id)

    def _note(self, task_id: str, url: str, stored: Stored) -> Record:
        now_ms = int(self._clock() * 1000)
        noting = self._index.noting(task_id, url, stored)
        return self._records.add_result(task_id, url, noting, now_ms=now_ms, oldest_ms=now_ms - self._days * DAY_MS)

    def _check_room(self, task_id: str, url: str) -> None:
        known = self._records.find(task_id)
        urls = known.result_urls or () if known else ()
        if len(urls) >= MOST_RESULTS and url not in urls:
            raise InvalidBody(f"the task has {MOST_RESULTS} results already; use another task id")

    def _drop(self, digests: Collection[str]) -> None:
        for digest in digests:
            self._objects.delete(digest)
