"""The provider's records, relayed: what the contract documents of them, and nothing else."""

import copy
import time
from collections.abc import Callable
from sys import getsizeof
from typing import Any

from gateway.cache import MemoryCache
from gateway.errors import ProviderBusy, RecordNotFound
from gateway.provider.client import ProviderClient
from gateway.singleflight import SingleFlight

KNOWN_FOR_S = 1.0  # the provider takes three queries a second for one task
MOST_KNOWN = 2_000
MOST_BYTES = 8 * 2**20
LONGEST_WAIT_S = 20.0
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
    """Finds records at the provider, each at most once a second.

    Args:
        provider: is asked.
        clock: Unix seconds.
    """

    def __init__(self, provider: ProviderClient, clock: Callable[[], float] = time.time) -> None:
        self._provider = provider
        self._clock = clock
        self._known: MemoryCache[dict[str, Any]] = MemoryCache(MOST_KNOWN, clock, max_bytes=MOST_BYTES)
        self._busy: MemoryCache[ProviderBusy] = MemoryCache(MOST_KNOWN, clock)
        self._single_flight: SingleFlight[dict[str, Any]] = SingleFlight()

    def find(self, task_id: str) -> dict[str, Any]:
        """Give the record of a task in the provider's form.

        Raises:
            RecordNotFound: the provider has none.
            ProviderError: the leaf that says why it cannot be told.
        """
        key = (task_id,)
        known = self._known.get(key)
        return known if known is not None else self._single_flight.do(key, lambda: self._ask(task_id), LONGEST_WAIT_S)

    def _ask(self, task_id: str) -> dict[str, Any]:
        if busy := self._busy.get((task_id,)):
            raise copy.copy(busy)
        try:
            data = self._provider.record_info(task_id)
        except ProviderBusy as busy:
            self._busy.put((task_id,), copy.copy(busy), self._clock() + busy.retry_after_s)
            raise
        if not isinstance(data, dict):  # the provider says success, and null, of a task it does not know
            raise RecordNotFound("no record")
        record: dict[str, Any] = {"taskId": task_id, "response": _response(data.get("response"))}
        record |= {name: _typed(data.get(name), types) for name, types in _FIELDS.items()}
        self._known.put((task_id,), record, self._clock() + KNOWN_FOR_S, _size(record))
        return record


def _response(response: object) -> dict[str, list[str]] | None:
    """The results; camel case on the wire, snake case in the vendor's prose."""
    if not isinstance(response, dict):
        return None
    urls = response.get("resultUrls", response.get("result_urls"))
    return {"resultUrls": [url for url in urls if isinstance(url, str)]} if isinstance(urls, list) else None


def _typed(value: object, types: tuple[type, ...]) -> object:
    return value if isinstance(value, types) and not isinstance(value, bool) else None


def _size(record: dict[str, Any]) -> int:
    """The bytes that a record holds in memory."""
    urls = (record["response"] or {}).get("resultUrls", ())
    return getsizeof(record) + sum(map(getsizeof, record.values())) + getsizeof(urls) + sum(map(getsizeof, urls))
