"""Models of the API's responses, from which ``/openapi.json`` is generated; tests validate every response with them.

Models of request bodies are beside their views, except the callback's: its parser
(``gateway.records.completion_callback``) accepts more than a schema can express.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.links.link import LONGEST_FILENAME, LONGEST_URL, TASK_ID
from gateway.records.record import MAX_RESULTS, Status

PLACE = "#/components/schemas/{model}"
TASK_EXAMPLE = "task12345"
URL_EXAMPLE = "https://tempfile.aiquickdraw.com/v/xxxxxxx.png"
OWN_URL_EXAMPLE = "gateway:cat.png"
LINK_EXAMPLE = (
    "https://dl.example.com/download/task12345/xxxxxxx.png?url=https%3A%2F%2Ftempfile.aiquickdraw.com%2Fv%2Fxxxxxxx.png"
    "&expires=1764000000&id=Xk3v9QmT0aZ1&sig=bZ0yq6Yk1x0mE2c4s9vJt7uW8nR5pL3hD1fG6aQ2oTk"
)
DIRECT_URL_EXAMPLE = (
    "https://xxxxxx.xxxxxxxx.r2.cloudflarestorage.com/v/xxxxxxx.png?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Date=20250415T101007Z&X-Amz-SignedHeaders=host&X-Amz-Expires=1200"
    "&X-Amz-Credential=2464206aa3e576aa7c035d889be3a84e%2F20250415%2Fapac%2Fs3%2Faws4_request"
    "&X-Amz-Signature=122ae8bef09110e620841ab2ef8061c1818e754fc201408a9d1c6847b36fd3df"
)
_CODES = """Response Status Codes

- **200**: Success - Request has been processed successfully
- **401**: Unauthorized - Authentication credentials are missing or invalid
- **404**: Not Found - The requested resource or endpoint does not exist
- **422**: Validation Error - The request parameters failed validation checks; record is null; Temporarily supports
  records within 14 days; record result data is blank; record status is not success; record result data not exist;
  record result data is empty
- **451**: Failed to fetch the image. Kindly verify any access limits set by you or your service provider
- **455**: Service Unavailable - System is currently undergoing maintenance
- **500**: Server Error - An unexpected error occurred while processing the request"""

# Only documented here: gateway.links.link validates the fields of a link.
TaskId = Annotated[
    str,
    Field(
        description="The task ID associated with the image generation",
        examples=[TASK_EXAMPLE],
        json_schema_extra={"pattern": f"^{TASK_ID.pattern}$"},
    ),
]
ImageUrl = Annotated[
    str, Field(examples=[URL_EXAMPLE], json_schema_extra={"format": "uri", "minLength": 1, "maxLength": LONGEST_URL})
]
FileName = Annotated[
    str, Field(examples=["cat.png"], json_schema_extra={"minLength": 1, "maxLength": LONGEST_FILENAME})
]
UnixMs = Annotated[int, Field(ge=0, lt=2**53, examples=[1774788500000])]


def reference(model: type[BaseModel]) -> dict[str, str]:
    """A reference to the schema of a model in the OpenAPI document."""
    return {"$ref": PLACE.format(model=model.__name__)}


class _Answer(BaseModel):
    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)


class Refusal(_Answer):
    """The envelope of an error."""

    code: int = Field(description="The HTTP status again.")
    msg: str = Field(description="What is wrong; for a body, the field and the remedy.")
    data: None = Field(description="Always null.")


class LinkMinted(_Answer):
    """A new link."""

    id: str = Field(description="The ID of the link, which is part of it.")
    link: str = Field(
        description="The URL for an `<a href>`. A path when the operator has set no public URL.",
        examples=[LINK_EXAMPLE],
    )
    expires_at: datetime = Field(
        alias="expiresAt", description="When the link expires: RFC 3339, in UTC.", examples=["2025-11-24T16:00:00Z"]
    )
    warnings: list[str] = Field(
        [],
        description="Probable mistakes, each with its remedy: for example that the link is a path, and how to set the "
        "public URL. Omitted when there is none.",
    )


class TaskResult(_Answer):
    """The result of a task."""

    result_urls: list[str] = Field(alias="resultUrls", description="The URLs of the images.", examples=[[URL_EXAMPLE]])


class TaskInfo(_Answer):
    """A record as the provider returns it. Times are mostly Unix milliseconds; any field may be undocumented."""

    task_id: TaskId = Field(alias="taskId")
    param_json: str | None = Field(alias="paramJson", description="The parameters of the task, as JSON text.")
    complete_time: int | str | None = Field(
        alias="completeTime", description="When the task ended, in Unix milliseconds."
    )
    response: TaskResult | None = Field(description="Null while the task has no result.")
    success_flag: int | None = Field(
        alias="successFlag", description="0 generating, 1 success, 2 could not be created, 3 could not be generated."
    )
    status: str | None = Field(
        description="The status of the task: `GENERATING`, `SUCCESS`, `CREATE_TASK_FAILED` or `GENERATE_FAILED`."
    )
    error_code: int | None = Field(alias="errorCode", description="The provider's error code.")
    error_message: str | None = Field(alias="errorMessage", description="The provider's error message.")
    create_time: int | str | None = Field(
        alias="createTime", description="When the task was created, in Unix milliseconds."
    )
    progress: str | None = Field(description="From 0.00 to 1.00, as text.")


class TaskRecord(TaskInfo):
    """A record of this gateway, in the provider's format. Times are Unix milliseconds."""

    param_json: str = Field(alias="paramJson", description="The parameters of the task, as JSON text.", examples=["{}"])
    complete_time: UnixMs | None = Field(alias="completeTime", description="When the task ended.")
    success_flag: Literal[0, 1, 2, 3] = Field(
        alias="successFlag", description="0 generating, 1 success, 2 could not be created, 3 could not be generated."
    )
    status: Status = Field(description="The status of the task.", examples=["SUCCESS"])
    create_time: UnixMs = Field(alias="createTime", description="When the task was created.")
    progress: str = Field(description="From 0.00 to 1.00, as text.", examples=["1.00"])


class StoredFile(TaskRecord):
    """A record, and the image that was stored in it."""

    url: str = Field(description="The URL of the image for links.", examples=[OWN_URL_EXAMPLE])


class _Success(_Answer):
    code: Literal[200] = Field(description="The HTTP status again.")
    msg: str = Field(description="The word success.", examples=["success"])


class LinkAnswer(_Success):
    """The envelope of a new link."""

    data: LinkMinted


class RecordAnswer(_Success):
    """The envelope of a record."""

    data: TaskRecord


class FileAnswer(_Success):
    """The envelope of a stored image."""

    data: StoredFile


class DoneAnswer(_Success):
    """The envelope of a call that returns no data."""

    data: None = Field(description="Always null.")


class _ContractAnswer(_Answer):
    code: Literal[200, 401, 404, 422, 451, 455, 500] = Field(description=_CODES, examples=[200])
    msg: str = Field(description="Error message when code != 200", examples=["success"])


class DirectUrlAnswer(_ContractAnswer):
    """The contract's envelope of a direct URL."""

    data: str | None = Field(
        description="Direct download URL valid for 20 minutes. Null when code != 200.", examples=[DIRECT_URL_EXAMPLE]
    )


class RecordInfoAnswer(_ContractAnswer):
    """The contract's envelope of a record."""

    data: TaskInfo | None = Field(description="The record. Null when code != 200.")


class ContractRefusal(_Answer):
    """The contract's envelope of an error whose code is the HTTP status, too."""

    code: Literal[405, 429, 500] = Field(description="The HTTP status again.")
    msg: str = Field(description="What is wrong.")
    data: None = Field(description="Always null.")


class Problem(_Answer):
    """A problem document (RFC 9457), for programs outside the API."""

    type: str = Field(
        description="The URL of a page about the error; its end is the code.",
        examples=["/problems/link_expired"],
    )
    title: str = Field(description="The HTTP status in words.", examples=["Gone"])
    status: int = Field(description="The HTTP status.", examples=[410])
    detail: str = Field(description="What is wrong, and the remedy.")
    request_id: str = Field(
        alias="requestId", description="The request ID, as in `X-Request-Id` and in the gateway's log."
    )


class Checks(_Answer):
    """The state of each dependency."""

    database: Literal["ok", "down"] = Field(description="The database of API keys and records.")
    store: Literal["ok", "down", "not used"] = Field(description="The store of images.")
    provider: str = Field(
        description="The provider's API: `unknown` before the first call, then the result of the last calls: `ok`, or "
        "what is wrong and since when. `not used` with another resolver.",
        examples=["ok"],
    )
    maintenance: Literal["on", "off"] = Field(description="Whether downloads are closed for maintenance.")


class Readiness(_Answer):
    """Whether downloads can be served, and the state of each dependency."""

    status: Literal["ready", "degraded", "not ready"] = Field(description="The overall state.")
    checks: Checks
    warnings: list[str] = Field(description="Settings that are probably mistakes, each with its remedy.")


class CallbackInfo(BaseModel):
    """The result of a task, in a callback."""

    result_urls: Annotated[list[str], Field(max_length=MAX_RESULTS)] | None = Field(
        None,
        description="The URLs of its images, on hosts that the gateway serves from.",
        examples=[[URL_EXAMPLE]],
    )


class CallbackData(BaseModel):
    """The task of a callback, and its result."""

    task_id: TaskId = Field(alias="taskId")
    info: CallbackInfo | None = Field(None, description="Null when the task has no result.")


class CallbackBody(BaseModel):
    """The body of a callback."""

    code: Annotated[int, Field(ge=0, lt=100_000)] = Field(
        description="200 when the task succeeded; else the provider's error code, such as 400, 451 or 500.",
    )
    msg: str | None = Field(None, description="The provider's error message; the first 1000 characters are stored.")
    data: CallbackData
