"""Direct URLs of stored objects: our own signed URLs, or presigned URLs of the bucket."""

import math
import threading
import time
from collections.abc import Callable
from contextlib import closing
from http import HTTPStatus
from typing import Protocol
from urllib.parse import unquote

from gateway.egress.client import Client, origin_errors
from gateway.egress.deadline import deadline
from gateway.egress.guard import Guard
from gateway.errors import OriginError, OriginUnsafe
from gateway.files.media_types import UNKNOWN
from gateway.storage.object_store import StoredObject

_TRY_TIMEOUT_S = 12.0
_RETRY_AFTER_S = 60.0
_FAILED = "endpoint-failed"
_TRIED_NAME = "attachment; filename=\"a cat.png\"; filename*=UTF-8''%D1%8F.png"


class PublicUrl(Protocol):
    """Makes the direct URL of an object, for a redirect or for a caller of the API."""

    def redirect_blocker(self, stored: StoredObject) -> str:
        """Why a browser cannot be redirected there, in one word; empty when it can."""

    def url(self, stored: StoredObject, disposition: str, content_type: str) -> str:
        """Make a URL that is valid for 1200 s and sends these two headers.

        Raises:
            StorageDown: the bucket has no credentials to sign with.
        """


class SignedFileUrl:
    """Our own signed URLs. The gateway does not redirect from one of its own URLs to another.

    Args:
        sign: makes the URL of an object from its digest and a file name.
    """

    def __init__(self, sign: Callable[[str, str], str]) -> None:
        self._sign = sign

    def redirect_blocker(self, stored: StoredObject) -> str:  # noqa: ARG002 (the same for every object)
        """Always ``own-bytes``."""
        return "own-bytes"

    def url(self, stored: StoredObject, disposition: str, content_type: str) -> str:  # noqa: ARG002 (detected from the first bytes)
        """Our own URL with the file name of the disposition."""
        return self._sign(stored.digest, unquote(disposition.rpartition("''")[2]))


class PresignedUrl:
    """Presigned URLs of the bucket, when its server is public and sends the requested ``Content-Disposition``.

    Some servers ignore ``response-content-disposition``; a browser would then show the image. So one URL is tried when
    the first object is requested. Until a try succeeds, ``fallback`` makes the URLs.

    Args:
        presign: makes the URL of an object from a disposition and a content type.
        fallback: makes the URLs that the server cannot serve.
        client, guard: fetch the tried URL and judge it.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        presign: Callable[[StoredObject, str, str], str],
        fallback: PublicUrl,
        client: Client,
        guard: Guard,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._presign = presign
        self._fallback = fallback
        self._client = client
        self._guard = guard
        self._clock = clock
        self._lock = threading.Lock()
        self._reason = ""
        self._try_at = -math.inf

    def redirect_blocker(self, stored: StoredObject) -> str:
        """The result of the try; a server that failed is tried again after a minute."""
        with self._lock:
            if self._clock() >= self._try_at:
                self._reason = self._try(stored)
                self._try_at = self._clock() + _RETRY_AFTER_S if self._reason == _FAILED else math.inf
            return self._reason

    def url(self, stored: StoredObject, disposition: str, content_type: str) -> str:
        """A presigned URL, or the fallback's."""
        if self.redirect_blocker(stored):
            return self._fallback.url(stored, disposition, content_type)
        return self._presign(stored, disposition, content_type)

    def _try(self, stored: StoredObject) -> str:
        url = self._presign(stored, _TRIED_NAME, UNKNOWN.content_type)
        try:
            with (
                origin_errors(),
                deadline(_TRY_TIMEOUT_S),
                closing(self._client.get(url, byte_range="bytes=0-0")) as response,
            ):
                status, name = response.status, response.header("Content-Disposition")
        except OriginUnsafe:
            return "private-endpoint"
        except OriginError:
            return _FAILED
        if not self._guard.may_redirect_to(url):
            return "private-endpoint"
        if status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            return _FAILED
        return "" if name == _TRIED_NAME else "name-ignored"
