"""The URLs under which clients of the contract see images that were uploaded here.

Inside, such an image is ``gateway:<name>``. A client fetches whatever ``record-info`` lists, so it is shown a signed
URL of ours, valid as long as the record is and for an hour at least, and ``download-url`` takes either form.
"""

import time
from collections.abc import Callable
from urllib.parse import parse_qs, unquote, urlsplit

from gateway.links.file_links import FileLinks
from gateway.origins.upload_urls import SCHEME, is_upload_url, upload_url
from gateway.records.record import DAY_MS, Record
from gateway.storage.object_index import ObjectIndex

HOUR_S = 3600


class PublishedUrls:
    """Translates between the two forms.

    Args:
        index: which object holds which image.
        files: signs URLs of objects.
        base_url: our public URL; empty makes paths, which the gateway warns of when it starts.
        days: how long a record is kept.
        clock: Unix seconds.
    """

    def __init__(
        self, index: ObjectIndex, files: FileLinks, base_url: str, days: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._index = index
        self._files = files
        self._base_url = base_url
        self._days = days
        self._clock = clock

    def of(self, record: Record) -> list[str]:
        """The result URLs of a record, each one that can be fetched.

        Raises:
            DatabaseDown: an uploaded image could not be looked up.
        """
        earliest = (int(self._clock()) // HOUR_S + 2) * HOUR_S  # rounded, so that the URL is the same for an hour
        expires = max((record.created_at + self._days * DAY_MS) // 1000, earliest)
        return [self._published(record.task_id, url, expires) for url in record.result_urls or ()]

    def original(self, task_id: str, url: str) -> str:
        """The URL under which the record lists an image: ``gateway:<name>`` for a URL of ours, else ``url`` itself.

        Raises:
            DatabaseDown: the image could not be looked up.
        """
        path = url.removeprefix(self._base_url)
        parts = urlsplit(path)
        segments = parts.path.split("/")
        if parts.scheme or parts.netloc or len(segments) != 4 or segments[:2] != ["", "files"]:
            return url
        digest, name, query = segments[2], unquote(segments[3]), parse_qs(parts.query)
        expires, signature = (query.get(field, [""])[0] for field in ("expires", "sig"))
        if not self._files.is_authentic(digest, name, expires, signature):
            return url
        original = upload_url(name)
        stored = self._index.find(task_id, original)
        return original if stored is not None and stored.digest == digest else url

    def _published(self, task_id: str, url: str, expires: int) -> str:
        stored = self._index.find(task_id, url) if is_upload_url(url) else None
        if stored is None:
            return url
        return self._files.mint(stored.digest, unquote(url.removeprefix(SCHEME)), expires)
