"""Our own records under /api/v1/records, for whoever generates images without the provider."""

import re
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from flask import Blueprint, Response, request
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    StrictStr,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from gateway.errors import InvalidBody, NotFound, OriginNotAllowed
from gateway.links.link import TASK_ID
from gateway.origins.upload_urls import own_url
from gateway.records.record import MOST_RESULTS, Record, Status
from gateway.web.app_context import services
from gateway.web.auth import admitted
from gateway.web.links import told
from gateway.web.request_body import read_body, whole_body
from gateway.web.responses import envelope

if TYPE_CHECKING:
    from gateway.services.store import OwnStore

blueprint = Blueprint("records", __name__, url_prefix="/api/v1/records")


def _unix_ms(value: object) -> object:
    """Read a time: an integral number is Unix milliseconds, a text is RFC 3339."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str):
        return value
    try:
        if _RFC_3339.fullmatch(value):
            return int(datetime.fromisoformat(_LEAP_SECOND.sub("59", value.upper())).timestamp() * 1000)
    except (ValueError, OverflowError):
        pass
    raise PydanticCustomError("time", "must be Unix milliseconds, or a time like 2026-11-28T06:00:00Z (RFC 3339)")


_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_LEAP_SECOND = re.compile(r"(?<=:)60(?=\.|Z|[+-])")  # Python has none
_MOST_MS = 2**53
CreatedAt = Annotated[
    StrictInt,
    Field(ge=0, lt=_MOST_MS),
    BeforeValidator(_unix_ms),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "exclusiveMaximum": _MOST_MS},
                {"type": "string", "format": "date-time"},
            ]
        }
    ),
]


class RecordBody(BaseModel):
    """The body of ``PUT /api/v1/records/<task_id>``. Unknown fields are ignored."""

    model_config = ConfigDict(hide_input_in_errors=True)

    status: Status = Field(description="How the task stands.")
    result_urls: Annotated[list[StrictStr], Field(max_length=MOST_RESULTS)] | None = Field(
        None,
        alias="resultUrls",
        description="Where its images were published: absolute URLs on hosts (of at most 253 "
        "characters) that the gateway serves from; any other is refused with 422. Null: it has no result.",
    )
    created_at: CreatedAt | None = Field(
        None, alias="createdAt", description="When it was created: Unix milliseconds, or RFC 3339 text. Null: now."
    )


@blueprint.put("/<task_id>")
def put_record(task_id: str) -> Response:
    """Keep a record, in place of the one that is there.

    Raises:
        AccessError: 401 or 403.
        RateLimited: 429.
        InvalidBody: 422, naming the field and the remedy.
        BodyTooLarge, UploadBroken: 413 or 400.
    """
    own = _own_store(task_id)
    body = _parsed(whole_body())
    result_urls = None if body.result_urls is None else [own.published.original(task_id, u) for u in body.result_urls]
    for number, url in enumerate(result_urls or ()):
        _check_result(number, url)
    now_ms = int(time.time() * 1000)
    record = Record(
        task_id=task_id,
        status=body.status,
        result_urls=None if result_urls is None else tuple(result_urls),
        created_at=now_ms if body.created_at is None else body.created_at,
        completed_at=None if body.status == "GENERATING" else now_ms,
    )
    known = own.records.find(task_id)
    own.records.put(record)
    _forget_sources(known, record)
    return envelope(record.to_wire())


@blueprint.get("/<task_id>")
def get_record(task_id: str) -> Response:
    """Give a record in the provider's form.

    Raises:
        NotFound: there is none.
    """
    record = _own_store(task_id).records.find(task_id)
    if record is None:
        raise NotFound("no record")
    return envelope(record.to_wire())


@blueprint.delete("/<task_id>")
def delete_record(task_id: str) -> Response:
    """Forget a record and its images.

    Raises:
        NotFound: there is none.
    """
    own = _own_store(task_id)
    known = own.records.find(task_id)
    if not own.record_files.forget(task_id):
        raise NotFound("no record")
    _forget_sources(known)
    return envelope(None)


@blueprint.put("/<task_id>/files/<name>")
def put_file(task_id: str, name: str) -> Response:
    """Keep an image of our own, the body of the request, among a task's results.

    Raises:
        AccessError: 401 or 403.
        RateLimited: 429.
        InvalidBody, UploadTooLarge, UploadBroken: it was not kept.
    """
    own = _own_store(task_id)
    try:
        url = own_url(name)
    except ValueError as rule:
        raise InvalidBody(f"name: {rule}") from None
    request.max_content_length = sys.maxsize  # the store has a limit of its own
    record = own.record_files.put_file(task_id, name, read_body, request.content_length)
    services().resolver.forget(task_id, url)
    return envelope({"url": url, **record.to_wire()})


def _forget_sources(*records: Record | None) -> None:
    """Have the images of records looked up anew; other workers do so within ten seconds."""
    for record in filter(None, records):
        services().resolver.forget(record.task_id, *(record.result_urls or ()))


def _own_store(task_id: str) -> "OwnStore":
    """The store, for a caller with a key, and a task id that can be in a link."""
    admitted("records")
    own = services().own
    if own is None:
        raise NotFound("no store", opened_by="GATEWAY_RESOLVER=store")
    if not TASK_ID.fullmatch(task_id):
        raise NotFound("no task can have this id")
    return own


def _parsed(body: bytes) -> RecordBody:
    try:
        return RecordBody.model_validate_json(body)
    except ValidationError as invalid:
        raise InvalidBody(told(invalid, RecordBody)) from None


def _check_result(number: int, url: str) -> None:
    """Hold a result to the list of origins; a blank one is kept as it is, as the provider's records may have them."""
    if not url.strip():
        return
    try:
        services().guard.admit(url)
    except OriginNotAllowed as refused:
        raise InvalidBody(f"resultUrls.{number}: {refused.advice}") from None
