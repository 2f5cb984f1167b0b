"""The public URLs of uploaded images in API responses.

A record lists an uploaded image as ``gateway:<name>``. API clients fetch the URLs that ``record-info`` lists, so it
lists a signed file URL instead, valid as long as the record, and at least one hour. ``download-url`` accepts both.
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
    """Converts between the two forms.

    Args:
        index: maps images to objects.
        files: signs file URLs.
        base_url: the gateway's public URL; if empty, the URLs are paths.
        days: validity of a record.
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
        """The result URLs of a record in their public form.

        Raises:
            DatabaseDown: the database does not respond.
        """
        min_expires = (int(self._clock()) // HOUR_S + 2) * HOUR_S  # rounded, so that the URL changes once an hour
        expires = max((record.created_at + self._days * DAY_MS) // 1000, min_expires)
        return [self._public_url(record.task_id, url, expires) for url in record.result_urls or ()]

    def original(self, task_id: str, url: str) -> str:
        """The URL in the record: ``gateway:<name>`` for a signed file URL, otherwise ``url`` itself.

        Raises:
            DatabaseDown: the database does not respond.
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

    def _public_url(self, task_id: str, url: str, expires: int) -> str:
        stored = self._index.find(task_id, url) if is_upload_url(url) else None
        if stored is None:
            return url
        return self._files.mint(stored.digest, unquote(url.removeprefix(SCHEME)), expires)
