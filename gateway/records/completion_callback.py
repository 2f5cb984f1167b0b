"""The provider's completion callback: who may tell us of a task, and what becomes of what is told."""

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
MOST_SKEW_S = 300
_LONGEST_MESSAGE = 1000
_UNKEEPABLE = re.compile(r"[\x00\ud800-\udfff]")  # what databases do not take in a text
_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{43}=")  # base64 of 32 bytes
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class CallbackCredentials:
    """What came with a callback to show that the provider sent it; empty where nothing came.

    Attributes:
        token: the one in our callback URL.
        timestamp: ``X-Webhook-Timestamp``, Unix seconds.
        signature: ``X-Webhook-Signature``, base64 of HMAC-SHA256 over ``<task id>.<timestamp>``.
    """

    token: str = ""
    timestamp: str = ""
    signature: str = ""


class CallbackReceiver:
    """Receives callbacks.

    Args:
        records: where what they tell is kept.
        admit: lets pass the URLs that links may name, else raises.
        ring: keys derived for the token of our callback URL.
        provider_key: the provider's HMAC key; with it the signature is the proof, and without it the token is.
        base_url: our public URL.
        clock: Unix seconds.
    """

    def __init__(
        self,
        records: SqlRecords,
        admit: Callable[[str], None],
        ring: KeyRing,
        *,
        provider_key: str = "",
        base_url: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._records = records
        self._admit = admit
        self._ring = ring
        self._provider_key = provider_key
        self._base_url = base_url
        self._clock = clock

    @property
    def url(self) -> str:
        """What to give the provider as ``callBackUrl``; with the provider's key it needs no token."""
        token = "" if self._provider_key else f"?token={self._ring.sign(b'v1')}"
        return f"{self._base_url}{PATH}{token}"

    def receive(self, read_body: Callable[[], bytes], proof: CallbackCredentials) -> Record:
        """Keep what a callback tells. The same one again changes nothing; no other one changes a success.

        The body is read only where the proof can be good: strangers cannot make the gateway wait for one.

        Raises:
            CallbackRefused: the proof is missing, wrong, or too old.
            InvalidBody: the body cannot be used; says which field.
            CallbackConflict: the task has succeeded already, with another result.
        """
        self._check_before_body(proof)
        told = _object(read_body())
        data = _object_in(told, "data")
        task_id = _first(data, "taskId", "task_id")
        self._check_signature(proof, task_id if isinstance(task_id, str) else "")
        if told is None:
            raise InvalidBody("the body is not a JSON object")
        if not isinstance(task_id, str) or not TASK_ID.fullmatch(task_id):
            raise InvalidBody("data.taskId: is missing, or no task id")
        return self._keep(self._record(task_id, told, data))

    def _check_before_body(self, proof: CallbackCredentials) -> None:
        if not self._provider_key:
            if not self._ring.verify(b"v1", proof.token):
                raise CallbackRefused("no token, or another one")
            return
        if not _SIGNATURE.fullmatch(proof.signature):
            raise CallbackRefused("no signature")
        if not _TIMESTAMP.fullmatch(proof.timestamp) or abs(self._clock() - int(proof.timestamp)) > MOST_SKEW_S:
            raise CallbackRefused("signed too long ago, or in the future")

    def _check_signature(self, proof: CallbackCredentials, task_id: str) -> None:
        if not self._provider_key:
            return
        message = f"{task_id}.{proof.timestamp}".encode("utf-8", "replace")
        mac = hmac.digest(self._provider_key.encode(), message, hashlib.sha256)
        if not hmac.compare_digest(base64.b64encode(mac), proof.signature.encode("ascii")):
            raise CallbackRefused("another signature")

    def _record(self, task_id: str, told: dict[str, Any], data: dict[str, Any]) -> Record:
        now_ms = int(self._clock() * 1000)
        code = told.get("code")
        if isinstance(code, float) and code.is_integer():  # JSON has one kind of number (RFC 8259 section 6)
            code = int(code)
        if not isinstance(code, int) or isinstance(code, bool) or not 0 <= code < 100_000:
            raise InvalidBody("code: must be a number")
        if code == 200:
            return Record(task_id, "SUCCESS", self._results(data), now_ms, now_ms)
        message = _UNKEEPABLE.sub("\ufffd", str(told.get("msg") or ""))[:_LONGEST_MESSAGE]
        return Record(task_id, "GENERATE_FAILED", None, now_ms, now_ms, code, message)

    def _results(self, data: dict[str, Any]) -> tuple[str, ...] | None:
        """The result URLs: snake case in callbacks, camel case everywhere else."""
        urls = _first(_object_in(data, "info"), "result_urls", "resultUrls")
        if urls is None:
            return None
        if not isinstance(urls, list) or len(urls) > MAX_RESULTS or not all(isinstance(url, str) for url in urls):
            raise InvalidBody(f"data.info.result_urls: must be a list of at most {MAX_RESULTS} texts")
        for number, url in enumerate(cast("list[str]", urls)):
            try:
                if url.strip():
                    self._admit(url)
            except OriginNotAllowed as refused:
                raise InvalidBody(f"data.info.result_urls.{number}: {refused.reason}") from None
        return tuple(urls)

    def _keep(self, record: Record) -> Record:
        if self._records.put_unless_succeeded(record):
            return record
        known = self._records.find(record.task_id)
        if known is None or _result(known) != _result(record):
            raise CallbackConflict(record.status)
        return known


def _result(record: Record) -> Record:
    """The record without its times."""
    return replace(record, created_at=0, completed_at=0)


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _object_in(fields: dict[str, Any] | None, name: str) -> dict[str, Any]:
    value = (fields or {}).get(name)
    return value if isinstance(value, dict) else {}


def _first(fields: dict[str, Any], *names: str) -> Any:  # noqa: ANN401 (whatever JSON holds)
    return next((fields[name] for name in names if name in fields), None)
