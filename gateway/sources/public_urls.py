"""How others get at our objects: at a URL of our own, or at one that the bucket's server honours."""

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
from gateway.storage.objects import Stored

_TRY_DEADLINE_S = 12.0
_TRY_AGAIN_S = 60.0
_FAILED = "endpoint-failed"
_TRIED_NAME = "attachment; filename=\"a cat.png\"; filename*=UTF-8''%D1%8F.png"


class PublicUrl(Protocol):
    """A way to an object, for a browser that is sent there, or for a caller of the API."""

    def redirect_blocker(self, stored: Stored) -> str:
        """Why no browser is sent through here, in one word; empty when it can be."""

    def url(self, stored: Stored, disposition: str, content_type: str) -> str:
        """Make a URL under which the object says these two headers; good for 1200 s.

        Raises:
            StorageDown: there is no key to sign it with.
        """


class SignedFileUrl:
    """Our own signed URLs. No visitor of ours is sent from one of our URLs to another.

    Args:
        sign: makes the URL of an object, from its digest and a file name.
    """

    def __init__(self, sign: Callable[[str, str], str]) -> None:
        self._sign = sign

    def redirect_blocker(self, stored: Stored) -> str:  # noqa: ARG002 (the same for every object)
        """Always."""
        return "own-bytes"

    def url(self, stored: Stored, disposition: str, content_type: str) -> str:  # noqa: ARG002 (told by the first bytes)
        """Our own URL, under the name that the disposition bears."""
        return self._sign(stored.digest, unquote(disposition.rpartition("''")[2]))


class PresignedUrl:
    """URLs presigned for the bucket's server, once it was seen to be public and to say the name that it is given.

    Some servers ignore the name, and there the browser would show the image. So one URL is tried, when the first object
    is asked for; until one was good, our own door is used.

    Args:
        presign: makes the URL of an object, from a disposition and a content type.
        own: what others are given instead.
        client, guard: the way to the server, as a visitor's direct URL would be reached.
    """

    def __init__(
        self,
        presign: Callable[[Stored, str, str], str],
        own: PublicUrl,
        client: Client,
        guard: Guard,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._presign = presign
        self._own = own
        self._client = client
        self._guard = guard
        self._clock = clock
        self._lock = threading.Lock()
        self._reason = ""
        self._try_at = -math.inf

    def redirect_blocker(self, stored: Stored) -> str:
        """What was found when it was tried; a server that failed is tried again after a minute."""
        with self._lock:
            if self._clock() >= self._try_at:
                self._reason = self._try(stored)
                self._try_at = self._clock() + _TRY_AGAIN_S if self._reason == _FAILED else math.inf
            return self._reason

    def url(self, stored: Stored, disposition: str, content_type: str) -> str:
        """A presigned URL, or our own where no browser can be sent there."""
        if self.redirect_blocker(stored):
            return self._own.url(stored, disposition, content_type)
        return self._presign(stored, disposition, content_type)

    def _try(self, stored: Stored) -> str:
        url = self._presign(stored, _TRIED_NAME, UNKNOWN.content_type)
        try:
            with (
                origin_errors(),
                deadline(_TRY_DEADLINE_S),
                closing(self._client.get(url, byte_range="bytes=0-0")) as answer,
            ):
                status, name = answer.status, answer.header("Content-Disposition")
        except OriginUnsafe:
            return "private-endpoint"
        except OriginError:
            return _FAILED
        if not self._guard.is_sendable(url):
            return "private-endpoint"
        if status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            return _FAILED
        return "" if name == _TRIED_NAME else "name-ignored"
