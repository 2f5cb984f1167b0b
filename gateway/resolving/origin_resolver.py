"""The ``origin`` resolver: no conversion, the source is the origin URL itself."""

import time
from collections.abc import Callable

from gateway.egress.client import Client
from gateway.egress.guard import Guard
from gateway.sources.remote import RemoteSource

REMEMBERED_S = 300  # beyond the shortest life in which a source is reused


class OriginResolver:
    """For hosts that need no key. Redirects of the origin must stay on the list of origins.

    Args:
        client: the way out.
        guard: tells whether a browser may be sent to a URL.
        min_life_s: how much life a source must have left to be reused, in seconds.
    """

    def __init__(self, client: Client, guard: Guard, min_life_s: float, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._guard = guard
        self._life_s = REMEMBERED_S + min_life_s
        self._clock = clock

    def resolve(self, task_id: str, url: str) -> RemoteSource:  # noqa: ARG002 (the resolvers' common signature)
        """Make a source of the URL. What is learned of the file is remembered for five minutes.

        Raises:
            OriginUnsafe: the guard refuses the URL.
        """
        self._guard.place(url, listed_only=True)
        return RemoteSource(
            self._client,
            url,
            self._clock() + self._life_s,
            sendable=self._guard.is_sendable(url),
            listed_only=True,
        )
