"""``/api/v1/records``: the gateway's own records and images, for services that generate images without the provider."""

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
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from gateway.errors import InvalidBody, NotFound, OriginNotAllowed
from gateway.links.link import TASK_ID
from gateway.origins.upload_urls import upload_url
from gateway.records.record import MAX_RESULTS, Record, Status
from gateway.web.app_context import services
from gateway.web.auth import authorize
from gateway.web.request_body import parse_json_body, read_chunk
from gateway.web.responses import envelope

if TYPE_CHECKING:
    from gateway.services.store_services import StoreServices

blueprint = Blueprint("records", __name__, url_prefix="/api/v1/records")


def _unix_ms(value: object) -> object:
    """Parse a time: an integral number is Unix milliseconds, a string is RFC 3339."""
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
_LEAP_SECOND = re.compile(r"(?<=:)60(?=\.|Z|[+-])")  # datetime has no leap seconds
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

    status: Status = Field(description="The status of the task.")
    result_urls: Annotated[list[StrictStr], Field(max_length=MAX_RESULTS)] | None = Field(
        None,
        alias="resultUrls",
        description="The URLs of its images: absolute URLs on hosts in `GATEWAY_ORIGIN_HOSTS`; other hosts return 422. "
        "Null: the task has no result.",
    )
    created_at: CreatedAt | None = Field(
        None,
        alias="createdAt",
        description="When the task was created: Unix milliseconds, or RFC 3339 text. Default: now.",
    )


@blueprint.put("/<task_id>")
def put_record(task_id: str) -> Response:
    """Create or replace a record.

    Raises:
        AccessError: 401 or 403.
        RateLimited: 429.
        InvalidBody: 422, naming the field and the remedy.
        BodyTooLarge, UploadBroken: 413, 400.
    """
    store = _store_services(task_id)
    body = parse_json_body(RecordBody)
    result_urls = None if body.result_urls is None else [store.published.original(task_id, u) for u in body.result_urls]
    for index, url in enumerate(result_urls or ()):
        _check_result_url(index, url)
    now_ms = int(time.time() * 1000)
    record = Record(
        task_id=task_id,
        status=body.status,
        result_urls=None if result_urls is None else tuple(result_urls),
        created_at=now_ms if body.created_at is None else body.created_at,
        completed_at=None if body.status == "GENERATING" else now_ms,
    )
    replaced = store.records.find(task_id)
    store.records.put(record)
    _invalidate_sources(replaced, record)
    return envelope(record.to_wire())


@blueprint.get("/<task_id>")
def get_record(task_id: str) -> Response:
    """Return a record in the provider's format.

    Raises:
        NotFound: the task has no record.
    """
    record = _store_services(task_id).records.find(task_id)
    if record is None:
        raise NotFound("no record")
    return envelope(record.to_wire())


@blueprint.delete("/<task_id>")
def delete_record(task_id: str) -> Response:
    """Delete a record and its images.

    Raises:
        NotFound: the task has no record.
    """
    store = _store_services(task_id)
    deleted = store.records.find(task_id)
    if not store.record_files.delete(task_id):
        raise NotFound("no record")
    _invalidate_sources(deleted)
    return envelope(None)


@blueprint.put("/<task_id>/files/<name>")
def put_file(task_id: str, name: str) -> Response:
    """Store the body of the request as an image among the task's results.

    Raises:
        AccessError: 401 or 403.
        RateLimited: 429.
        InvalidBody, UploadTooLarge, UploadBroken: the image was not stored.
    """
    store = _store_services(task_id)
    try:
        url = upload_url(name)
    except ValueError as error:
        raise InvalidBody(f"name: {error}") from None
    request.max_content_length = sys.maxsize  # the store enforces GATEWAY_MAX_BYTES
    record = store.record_files.put_file(task_id, name, read_chunk, request.content_length)
    services().resolver.invalidate(task_id, url)
    return envelope({"url": url, **record.to_wire()})


def _invalidate_sources(*records: Record | None) -> None:
    """Drop the cached sources of records; other workers' expire within ten seconds."""
    for record in filter(None, records):
        services().resolver.invalidate(record.task_id, *(record.result_urls or ()))


def _store_services(task_id: str) -> "StoreServices":
    """The store, after the caller is authorized and the task ID is validated."""
    authorize("records")
    store = services().store
    if store is None:
        raise NotFound("no store", enabled_by="GATEWAY_RESOLVER=store")
    if not TASK_ID.fullmatch(task_id):
        raise NotFound("invalid task ID")
    return store


def _check_result_url(index: int, url: str) -> None:
    """Check that the URL is on an allowed origin. Blank URLs are accepted, as the provider's records contain them."""
    if not url.strip():
        return
    try:
        services().guard.check_link_url(url)
    except OriginNotAllowed as error:
        raise InvalidBody(f"resultUrls.{index}: {error.advice}") from None
