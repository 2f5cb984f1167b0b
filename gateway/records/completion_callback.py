"""The provider's completion callback: authenticate it, and store the record that it reports."""

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

from gateway.errors import CallbackConflict, CallbackRefused, InvalidBody, OriginNotAllowed
from gateway.links.link import TASK_ID
from gateway.links.signer import KeyRing
from gateway.records.record import MAX_RESULTS, Record
from gateway.records.sql_records import SqlRecords

SALT = b"gateway.callback.v1"
PATH = "/api/v1/gpt4o-image/callback"
MAX_SKEW_S = 300
_MAX_MESSAGE_LENGTH = 1000
_INVALID_TEXT = re.compile(r"[\x00\ud800-\udfff]")  # databases cannot store these characters
_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{43}=")  # base64 of 32 bytes
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class CallbackCredentials:
    """The credentials in a callback request; each empty if missing.

    Attributes:
        token: of the callback URL.
        timestamp: ``X-Webhook-Timestamp``, Unix seconds.
        signature: ``X-Webhook-Signature``, base64 of HMAC-SHA256 over ``<task id>.<timestamp>``.
    """

    token: str = ""
    timestamp: str = ""
    signature: str = ""


class CallbackReceiver:
    """Authenticates callbacks and stores their records.

    Args:
        records: the records to write.
        check_url: raises OriginNotAllowed for a URL that links cannot name.
        ring: keys that sign the token of the callback URL.
        provider_key: the provider's HMAC key. With it the signature authenticates a callback, without it the token.
        base_url: the gateway's public URL.
        clock: Unix seconds.
    """

    def __init__(
        self,
        records: SqlRecords,
        check_url: Callable[[str], None],
        ring: KeyRing,
        *,
        provider_key: str = "",
        base_url: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._records = records
        self._check_url = check_url
        self._ring = ring
        self._provider_key = provider_key
        self._base_url = base_url
        self._clock = clock

    @property
    def url(self) -> str:
        """The ``callBackUrl`` for the provider; without a token if the provider signs its callbacks."""
        token = "" if self._provider_key else f"?token={self._ring.sign(b'v1')}"
        return f"{self._base_url}{PATH}{token}"

    def receive(self, read_body: Callable[[], bytes], credentials: CallbackCredentials) -> Record:
        """Store the record that a callback reports. A repeated callback changes nothing; a success is never replaced.

        Args:
            read_body: reads the body; called only if the credentials can be valid, so that an unauthenticated client
                cannot make the gateway wait for one.
            credentials: of the request.

        Raises:
            CallbackRefused: the credentials are missing, wrong or expired.
            InvalidBody: the body is invalid; the message names the field.
            CallbackConflict: the task has succeeded with another result.
        """
        self._check_headers(credentials)
        payload = _parse_object(read_body())
        data = _object_in(payload, "data")
        task_id = _first(data, "taskId", "task_id")
        self._check_signature(credentials, task_id if isinstance(task_id, str) else "")
        if payload is None:
            raise InvalidBody("the body is not a JSON object")
        if not isinstance(task_id, str) or not TASK_ID.fullmatch(task_id):
            raise InvalidBody("data.taskId: is missing or malformed")
        return self._store(self._record(task_id, payload, data))

    def _check_headers(self, credentials: CallbackCredentials) -> None:
        if not self._provider_key:
            if not self._ring.verify(b"v1", credentials.token):
                raise CallbackRefused("missing or wrong token")
            return
        if not _SIGNATURE.fullmatch(credentials.signature):
            raise CallbackRefused("missing or malformed signature")
        timestamp = credentials.timestamp
        if not _TIMESTAMP.fullmatch(timestamp) or abs(self._clock() - int(timestamp)) > MAX_SKEW_S:
            raise CallbackRefused("the timestamp is too old, or in the future")

    def _check_signature(self, credentials: CallbackCredentials, task_id: str) -> None:
        if not self._provider_key:
            return
        message = f"{task_id}.{credentials.timestamp}".encode("utf-8", "replace")
        mac = hmac.digest(self._provider_key.encode(), message, hashlib.sha256)
        if not hmac.compare_digest(base64.b64encode(mac), credentials.signature.encode("ascii")):
            raise CallbackRefused("wrong signature")

    def _record(self, task_id: str, payload: dict[str, Any], data: dict[str, Any]) -> Record:
        now_ms = int(self._clock() * 1000)
        code = payload.get("code")
        if isinstance(code, float) and code.is_integer():  # JSON has one number type (RFC 8259 section 6)
            code = int(code)
        if not isinstance(code, int) or isinstance(code, bool) or not 0 <= code < 100_000:
            raise InvalidBody("code: must be a number")
        if code == 200:
            return Record(task_id, "SUCCESS", self._results(data), now_ms, now_ms)
        message = _INVALID_TEXT.sub("\ufffd", str(payload.get("msg") or ""))[:_MAX_MESSAGE_LENGTH]
        return Record(task_id, "GENERATE_FAILED", None, now_ms, now_ms, code, message)

    def _results(self, data: dict[str, Any]) -> tuple[str, ...] | None:
        """The result URLs: snake case in callbacks, camel case elsewhere."""
        urls = _first(_object_in(data, "info"), "result_urls", "resultUrls")
        if urls is None:
            return None
        if not isinstance(urls, list) or len(urls) > MAX_RESULTS or not all(isinstance(url, str) for url in urls):
            raise InvalidBody(f"data.info.result_urls: must be a list of at most {MAX_RESULTS} strings")
        for number, url in enumerate(cast("list[str]", urls)):
            try:
                if url.strip():
                    self._check_url(url)
            except OriginNotAllowed as error:
                raise InvalidBody(f"data.info.result_urls.{number}: {error.reason}") from None
        return tuple(urls)

    def _store(self, record: Record) -> Record:
        if self._records.put_unless_succeeded(record):
            return record
        existing = self._records.find(record.task_id)
        if existing is None or _without_times(existing) != _without_times(record):
            raise CallbackConflict(record.status)
        return existing


def _without_times(record: Record) -> Record:
    return replace(record, created_at=0, completed_at=0)


def _parse_object(body: bytes) -> dict[str, Any] | None:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return payload if isinstance(payload, dict) else None


def _object_in(fields: dict[str, Any] | None, name: str) -> dict[str, Any]:
    value = (fields or {}).get(name)
    return value if isinstance(value, dict) else {}


def _first(fields: dict[str, Any], *names: str) -> Any:  # noqa: ANN401 (any JSON value)
    return next((fields[name] for name in names if name in fields), None)
