"""The provider's API, exactly as the contract says and as tolerant as the wire asks: patient, inside one deadline."""

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.egress.retry_after import seconds_of
from gateway.errors import (
    ImageNotFound,
    ImageRejected,
    ImageUnavailable,
    ProviderBusy,
    ProviderError,
    ProviderFailed,
    ProviderGarbled,
    ProviderMaintenance,
    ProviderTimeout,
    ProviderUnauthorized,
    ProviderUnreachable,
    RecordNotFound,
    RecordNotReady,
    RecordTooOld,
    ResultBlank,
    ResultEmpty,
    ResultMissing,
)
from gateway.observability.metrics import Metrics
from gateway.provider.circuit_breaker import CircuitBreaker, Failure
from gateway.provider.transport import Call, ProviderSession, Reply

DOWNLOAD_URL = "/api/v1/gpt4o-image/download-url"
RECORD_INFO = "/api/v1/gpt4o-image/record-info"
DEADLINE_S = 15.0  # and then the origin has its 10 s: platforms' routers give up after 30
ATTEMPT_TIMEOUT_S = 8.0
SHORTEST_ATTEMPT_S = 1.0
MOST_ATTEMPTS = 3
FIRST_BACKOFF_S = 0.25

# The contract's codes and, for 422, its messages. "record is null" travels as "recordInfo is null" too.
_BY_CODE: dict[int, type[ProviderError]] = {
    401: ProviderUnauthorized,
    402: ProviderUnauthorized,  # not in the contract; its sibling calls say so when the account is empty
    403: ProviderUnauthorized,
    404: ImageNotFound,
    451: ImageUnavailable,
    455: ProviderMaintenance,
    500: ProviderFailed,
    429: ProviderBusy,
}
_ON_422: tuple[type[ProviderError], ...] = (
    ImageRejected,
    RecordNotFound,
    RecordTooOld,
    ResultBlank,
    RecordNotReady,
    ResultMissing,
    ResultEmpty,
)
_BY_MESSAGE = {kind.contract[1].lower(): kind for kind in _ON_422} | {"recordinfo is null": RecordNotFound}
_CODES = {200, 422, *_BY_CODE}
# The provider's own failures: worth another try, and what the breaker counts.
_ITS_FAULT = (ProviderFailed, ProviderMaintenance, ProviderTimeout, ProviderUnreachable)
_FAILURES: dict[type[ProviderError], Failure] = {
    ProviderFailed: "fails",
    ProviderMaintenance: "is in maintenance",
    ProviderTimeout: "does not answer in time",
    ProviderUnreachable: "cannot be reached",
}


@dataclass(frozen=True, slots=True)
class _Envelope:
    """The answer's ``{code, msg, data}``, read tolerantly."""

    code: int
    message: str
    data: object


class ProviderClient:
    """Calls the provider.

    Args:
        session: sends the calls.
        breaker: leaves a failing provider alone.
        clock, sleep: time, and how to wait for it.
        metrics: is told of each call.
    """

    def __init__(
        self,
        session: ProviderSession,
        breaker: CircuitBreaker,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        *,
        metrics: Metrics | None = None,
    ) -> None:
        self._session = session
        self._breaker = breaker
        self._metrics = metrics or Metrics()
        self._clock = clock
        self._sleep = sleep

    def convert(self, task_id: str, url: str) -> object:
        """Ask for a direct URL; gives the ``data`` of the answer, whatever it is.

        Raises:
            ProviderError: the leaf that says why there is none.
        """
        return self._ask_patiently(Call("POST", DOWNLOAD_URL, json={"taskId": task_id, "url": url}))

    def record_info(self, task_id: str) -> object:
        """Ask for a record; gives the ``data`` of the answer, whatever it is.

        Raises:
            ProviderError: the leaf that says why there is none.
        """
        return self._ask_patiently(Call("GET", RECORD_INFO, query={"taskId": task_id}))

    def probe(self) -> None:
        """Ask for something that does not exist, to learn whether the provider answers and takes our key.

        Raises:
            ProviderError: it does not answer, or refuses the key.
        """
        unknown = {"taskId": "gateway-check", "url": "https://example.com/gateway-check.png"}
        try:
            self._ask(Call("POST", DOWNLOAD_URL, json=unknown), ATTEMPT_TIMEOUT_S)
        except (ProviderUnauthorized, ProviderGarbled, ProviderBusy, *_ITS_FAULT):
            raise
        except ProviderError:
            return  # it understood us, and rightly does not know that task

    def _ask_patiently(self, call: Call) -> object:
        """Ask again, with growing random pauses and inside one deadline, while it is the provider that fails."""
        self._breaker.check()
        try:
            data = self._ask_again(call, self._clock() + DEADLINE_S)
        except _ITS_FAULT as failure:
            self._breaker.failed(_FAILURES.get(type(failure), "fails"))
            raise
        except ProviderUnauthorized:
            self._breaker.auth_failed()
            raise
        except ProviderGarbled:
            self._breaker.garbled()
            raise
        except ProviderBusy as busy:
            # The rate of conversions is our key's, and so every file's; that of record-info is one task's.
            self._breaker.defer_for(busy.retry_after_s if call.path == DOWNLOAD_URL else 0)
            raise
        except ProviderError:
            self._breaker.succeeded()
            raise
        self._breaker.succeeded()
        return data

    def _ask_again(self, call: Call, until: float) -> object:
        for attempt in range(1, MOST_ATTEMPTS):
            try:
                return self._ask(call, min(ATTEMPT_TIMEOUT_S, until - self._clock()))
            except _ITS_FAULT:
                pause_s = random.uniform(0.5, 1) * FIRST_BACKOFF_S * 2**attempt  # noqa: S311 (jitter, not a secret)
                if self._clock() + pause_s + SHORTEST_ATTEMPT_S >= until:
                    raise
                self._sleep(pause_s)
        return self._ask(call, min(ATTEMPT_TIMEOUT_S, until - self._clock()))

    def _ask(self, call: Call, timeout_s: float) -> object:
        asked_at, code = time.monotonic(), ""
        try:
            reply = self._session.call(call, timeout_s=timeout_s)
            envelope = read_envelope(reply)
            code = str(envelope.code) if envelope.code in _CODES else "other"
        except ProviderError as error:
            code = error.code.removeprefix("provider_")
            raise
        finally:
            self._metrics.provider_answered(code, time.monotonic() - asked_at)
        if envelope.code != 200:
            raise _error(envelope, reply)
        return envelope.data


def read_envelope(reply: Reply) -> _Envelope:
    """Read the code of the envelope first, and the HTTP status where there is no envelope.

    Raises:
        ProviderGarbled: the answer is neither.
    """
    try:
        body: Any = json.loads(reply.body)
    except (ValueError, RecursionError):
        body = None
    fields = body if isinstance(body, dict) else {}
    code = _whole_number(fields.get("code"))
    if code is None:
        # A bare 404 is no word of the provider's on an image: the base URL is wrong.
        if (reply.status in _BY_CODE and reply.status != 404) or reply.status >= 500:
            return _Envelope(reply.status, "", None)
        raise ProviderGarbled(f"HTTP {reply.status} without an envelope")
    return _Envelope(code, str(fields.get("msg") or ""), fields.get("data"))


def _whole_number(value: object) -> int | None:
    """An integer, also when it came as a string or as a float without a fraction (RFC 8259 section 6)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 6:
        return int(value)
    return value if isinstance(value, int) else None


def _error(envelope: _Envelope, reply: Reply) -> ProviderError:
    by_message = _BY_MESSAGE.get(envelope.message.strip().rstrip(".").lower())
    if envelope.code == 422:
        return by_message("422") if by_message else ImageRejected("422 with a message that the contract does not have")
    kind = _BY_CODE.get(envelope.code) or (ProviderFailed if 500 <= envelope.code < 600 else ProviderGarbled)
    if issubclass(kind, ProviderBusy | ProviderMaintenance):
        return kind(str(envelope.code), retry_after_s=seconds_of(reply.retry_after))
    return kind(str(envelope.code))
