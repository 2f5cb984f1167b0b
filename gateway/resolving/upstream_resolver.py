"""The ``upstream`` resolver: the provider returns a direct URL."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from gateway.egress.client import Client
from gateway.egress.guard import Guard
from gateway.errors import DirectUrlRefused, OriginUnsafe, ProviderGarbled
from gateway.provider.client import ProviderClient
from gateway.sources.remote import RemoteSource

DIRECT_URL_LIFE_S = 1200
_AMZ_DATE = re.compile(r"\d{8}T\d{6}Z", re.ASCII)


class UpstreamResolver:
    """Requests direct URLs from the provider.

    Args:
        provider: the provider's API.
        client: fetches from direct URLs.
        guard: checks direct URLs.
        clock: Unix seconds.
    """

    def __init__(
        self, provider: ProviderClient, client: Client, guard: Guard, clock: Callable[[], float] = time.time
    ) -> None:
        self._provider = provider
        self._client = client
        self._guard = guard
        self._clock = clock

    def resolve(self, task_id: str, url: str) -> RemoteSource:
        """Request a direct URL and make a source of it.

        Raises:
            ProviderError: there is no direct URL, or the guard rejects it.
        """
        direct_url = _direct_url(self._provider.request_download_url(task_id, url))
        try:
            self._guard.check_fetch(direct_url)
        except OriginUnsafe as error:
            raise DirectUrlRefused(str(error)) from None
        expires_at = expiry_of(direct_url) or self._clock() + DIRECT_URL_LIFE_S
        return RemoteSource(self._client, direct_url, expires_at, sendable=self._guard.may_redirect_to(direct_url))


def _direct_url(data: object) -> str:
    """The direct URL in ``data``: a string by the contract, ``data.downloadUrl`` in the vendor's quickstart."""
    direct_url = data.get("downloadUrl") if isinstance(data, dict) else data
    if not isinstance(direct_url, str) or not direct_url.strip():
        raise ProviderGarbled("success without a usable direct URL")
    return direct_url.strip()


def expiry_of(url: str) -> float | None:
    """The expiry of a presigned URL, X-Amz-Date plus X-Amz-Expires, in Unix seconds; None if these are missing."""
    query = parse_qs(urlsplit(url).query)
    date, seconds = query.get("X-Amz-Date", [""])[0], query.get("X-Amz-Expires", [""])[0]
    if not _AMZ_DATE.fullmatch(date) or not seconds.isascii() or not seconds.isdigit() or len(seconds) > 6:
        return None
    try:
        signed_at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return signed_at.timestamp() + int(seconds)
