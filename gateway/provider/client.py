"""A client of the provider's API: retries within a deadline, reports to the circuit breaker, maps errors."""

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.egress.retry_after import parse_retry_after
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
from gateway.provider.transport import ProviderRequest, ProviderResponse, ProviderSession

DOWNLOAD_URL = "/api/v1/gpt4o-image/download-url"
RECORD_INFO = "/api/v1/gpt4o-image/record-info"
DEADLINE_S = 15.0  # platform routers time out after 30 s, and the origin needs time too
ATTEMPT_TIMEOUT_S = 8.0
MIN_ATTEMPT_S = 1.0
MAX_ATTEMPTS = 3
FIRST_BACKOFF_S = 0.25

# The contract's codes and, for 422, its messages. The provider sends "recordInfo is null" for "record is null" too.
_BY_CODE: dict[int, type[ProviderError]] = {
    401: ProviderUnauthorized,
    402: ProviderUnauthorized,  # not in the contract; other calls of the API send it when the account is empty
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
# Failures of the provider: retried, and counted by the breaker.
_PROVIDER_FAILURES = (ProviderFailed, ProviderMaintenance, ProviderTimeout, ProviderUnreachable)
_FAILURES: dict[type[ProviderError], Failure] = {
    ProviderFailed: "fails",
    ProviderMaintenance: "is in maintenance",
    ProviderTimeout: "does not respond in time",
    ProviderUnreachable: "cannot be reached",
}


@dataclass(frozen=True, slots=True)
class _Envelope:
    """The ``{code, msg, data}`` of a response."""

    code: int
    message: str
    data: object


class ProviderClient:
    """Calls the provider's API.

    Args:
        session: sends the requests.
        breaker: rejects calls to a failing provider.
        clock: seconds.
        sleep: pauses between attempts.
        metrics: counts the calls.
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

    def request_download_url(self, task_id: str, url: str) -> object:
        """Call ``download-url``; returns the unchecked ``data`` of the response.

        Raises:
            ProviderError: the call failed.
        """
        return self._call(ProviderRequest("POST", DOWNLOAD_URL, json={"taskId": task_id, "url": url}))

    def record_info(self, task_id: str) -> object:
        """Call ``record-info``; returns the unchecked ``data`` of the response.

        Raises:
            ProviderError: the call failed.
        """
        return self._call(ProviderRequest("GET", RECORD_INFO, query={"taskId": task_id}))

    def probe(self) -> None:
        """Request an unknown task, to check that the provider responds and accepts the API key.

        Raises:
            ProviderError: it does not.
        """
        unknown = {"taskId": "gateway-check", "url": "https://example.com/gateway-check.png"}
        try:
            self._call_once(ProviderRequest("POST", DOWNLOAD_URL, json=unknown), ATTEMPT_TIMEOUT_S)
        except (ProviderUnauthorized, ProviderGarbled, ProviderBusy, *_PROVIDER_FAILURES):
            raise
        except ProviderError:
            return  # the expected response for an unknown task

    def _call(self, request: ProviderRequest) -> object:
        """Call with retries, and report the outcome to the breaker."""
        self._breaker.check()
        try:
            data = self._call_with_retries(request, self._clock() + DEADLINE_S)
        except _PROVIDER_FAILURES as failure:
            self._breaker.failed(_FAILURES.get(type(failure), "fails"))
            raise
        except ProviderUnauthorized:
            self._breaker.auth_failed()
            raise
        except ProviderGarbled:
            self._breaker.garbled()
            raise
        except ProviderBusy as busy:
            # download-url has one rate limit for the API key, record-info one for each task.
            self._breaker.defer_for(busy.retry_after_s if request.path == DOWNLOAD_URL else 0)
            raise
        except ProviderError:
            self._breaker.succeeded()
            raise
        self._breaker.succeeded()
        return data

    def _call_with_retries(self, request: ProviderRequest, until: float) -> object:
        for attempt in range(1, MAX_ATTEMPTS):
            try:
                return self._call_once(request, min(ATTEMPT_TIMEOUT_S, until - self._clock()))
            except _PROVIDER_FAILURES:
                pause_s = random.uniform(0.5, 1) * FIRST_BACKOFF_S * 2**attempt  # noqa: S311 (jitter, not a secret)
                if self._clock() + pause_s + MIN_ATTEMPT_S >= until:
                    raise
                self._sleep(pause_s)
        return self._call_once(request, min(ATTEMPT_TIMEOUT_S, until - self._clock()))

    def _call_once(self, request: ProviderRequest, timeout_s: float) -> object:
        started_at, code = time.monotonic(), ""
        try:
            response = self._session.call(request, timeout_s=timeout_s)
            envelope = read_envelope(response)
            code = str(envelope.code) if envelope.code in _CODES else "other"
        except ProviderError as error:
            code = error.code.removeprefix("provider_")
            raise
        finally:
            self._metrics.provider_called(code, time.monotonic() - started_at)
        if envelope.code != 200:
            raise _error(envelope, response)
        return envelope.data


def read_envelope(response: ProviderResponse) -> _Envelope:
    """Read the envelope of a response; without one, use the HTTP status as its code.

    Raises:
        ProviderGarbled: neither is valid.
    """
    try:
        body: Any = json.loads(response.body)
    except (ValueError, RecursionError):
        body = None
    fields = body if isinstance(body, dict) else {}
    code = _whole_number(fields.get("code"))
    if code is None:
        # A 404 without an envelope does not mean that the image is unknown, but that the base URL is wrong.
        if (response.status in _BY_CODE and response.status != 404) or response.status >= 500:
            return _Envelope(response.status, "", None)
        raise ProviderGarbled(f"HTTP {response.status} without an envelope")
    return _Envelope(code, str(fields.get("msg") or ""), fields.get("data"))


def _whole_number(value: object) -> int | None:
    """An integer, also from a string of digits or a float without a fraction (RFC 8259 section 6)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 6:
        return int(value)
    return value if isinstance(value, int) else None


def _error(envelope: _Envelope, response: ProviderResponse) -> ProviderError:
    by_message = _BY_MESSAGE.get(envelope.message.strip().rstrip(".").lower())
    if envelope.code == 422:
        return by_message("422") if by_message else ImageRejected("422 with an unknown message")
    error_class = _BY_CODE.get(envelope.code) or (ProviderFailed if 500 <= envelope.code < 600 else ProviderGarbled)
    if issubclass(error_class, ProviderBusy | ProviderMaintenance):
        return error_class(str(envelope.code), retry_after_s=parse_retry_after(response.retry_after))
    return error_class(str(envelope.code))
