"""The provider's records, reduced to the fields that the contract documents."""

import copy
import time
from collections.abc import Callable
from sys import getsizeof
from typing import Any

from gateway.cache import MemoryCache
from gateway.errors import ProviderBusy, RecordNotFound
from gateway.provider.client import ProviderClient
from gateway.singleflight import SingleFlight

CACHE_TTL_S = 1.0  # the provider allows three calls per second for one task
MAX_CACHED = 2_000
MAX_CACHED_BYTES = 8 * 2**20
TIMEOUT_S = 20.0
_FIELDS: dict[str, tuple[type, ...]] = {
    "paramJson": (str,),
    "completeTime": (int, str),
    "successFlag": (int,),
    "status": (str,),
    "errorCode": (int,),
    "errorMessage": (str,),
    "createTime": (int, str),
    "progress": (str,),
}


class RecordInfoClient:
    """Reads records from the provider, each at most once a second.

    Args:
        clock: Unix seconds.
    """

    def __init__(self, provider: ProviderClient, clock: Callable[[], float] = time.time) -> None:
        self._provider = provider
        self._clock = clock
        self._cached: MemoryCache[dict[str, Any]] = MemoryCache(MAX_CACHED, clock, max_bytes=MAX_CACHED_BYTES)
        self._busy: MemoryCache[ProviderBusy] = MemoryCache(MAX_CACHED, clock)
        self._single_flight: SingleFlight[dict[str, Any]] = SingleFlight()

    def find(self, task_id: str) -> dict[str, Any]:
        """The record of a task, in the provider's form.

        Raises:
            RecordNotFound: the provider has no record.
            ProviderError: the call failed.
        """
        key = (task_id,)
        return self._cached.get(key) or self._single_flight.do(key, lambda: self._request(task_id), TIMEOUT_S)

    def _request(self, task_id: str) -> dict[str, Any]:
        if busy := self._busy.get((task_id,)):
            raise copy.copy(busy)
        try:
            data = self._provider.record_info(task_id)
        except ProviderBusy as busy:
            self._busy.put((task_id,), copy.copy(busy), self._clock() + busy.retry_after_s)
            raise
        if not isinstance(data, dict):  # the response to an unknown task is a success with null
            raise RecordNotFound("no record")
        record: dict[str, Any] = {"taskId": task_id, "response": _response(data.get("response"))}
        record |= {name: _typed(data.get(name), types) for name, types in _FIELDS.items()}
        self._cached.put((task_id,), record, self._clock() + CACHE_TTL_S, _size(record))
        return record


def _response(response: object) -> dict[str, list[str]] | None:
    """The results; camel case in responses, snake case in the vendor's documentation."""
    if not isinstance(response, dict):
        return None
    urls = response.get("resultUrls", response.get("result_urls"))
    return {"resultUrls": [url for url in urls if isinstance(url, str)]} if isinstance(urls, list) else None


def _typed(value: object, types: tuple[type, ...]) -> object:
    return value if isinstance(value, types) and not isinstance(value, bool) else None


def _size(record: dict[str, Any]) -> int:
    """The size of a record in memory."""
    urls = (record["response"] or {}).get("resultUrls", ())
    return getsizeof(record) + sum(map(getsizeof, record.values())) + getsizeof(urls) + sum(map(getsizeof, urls))
