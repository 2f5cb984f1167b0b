"""The ``origin`` resolver: the source is the origin URL itself."""

import time
from collections.abc import Callable

from gateway.egress.client import Client
from gateway.egress.guard import Guard
from gateway.sources.remote import RemoteSource

SOURCE_TTL_S = 300  # in addition to the minimum life of a cached source


class OriginResolver:
    """For hosts that need no API key. Redirects of the origin must lead to allowed hosts.

    Args:
        client: fetches from origins.
        guard: checks URLs.
        min_life_s: minimum life of a cached source, in seconds.
        clock: Unix seconds.
    """

    def __init__(self, client: Client, guard: Guard, min_life_s: float, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._guard = guard
        self._life_s = SOURCE_TTL_S + min_life_s
        self._clock = clock

    def resolve(self, task_id: str, url: str) -> RemoteSource:  # noqa: ARG002 (the signature of Resolver)
        """Make a source whose metadata is valid for five minutes.

        Raises:
            OriginUnsafe: the guard rejects the URL.
        """
        self._guard.check_fetch(url, listed_only=True)
        return RemoteSource(
            self._client,
            url,
            self._clock() + self._life_s,
            sendable=self._guard.may_redirect_to(url),
            listed_only=True,
        )
