"""What the API answers, as models: ``/openapi.json`` is made of them, and tests hold every answer to them.

What it takes is validated by models beside each view; the body of a callback alone is only told here, as more is
understood of it than a schema can say (``gateway.records.completion_callback``).
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.links.link import LONGEST_FILENAME, LONGEST_URL, TASK_ID
from gateway.records.record import MOST_RESULTS, Status

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

# The rules of a link's fields are checked where a link is made (gateway.links.link); here they are only told.
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
    """Where the document has the schema of a model."""
    return {"$ref": PLACE.format(model=model.__name__)}


class _Answer(BaseModel):
    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)


class Refusal(_Answer):
    """The envelope of a call that was refused."""

    code: int = Field(description="The HTTP status again.")
    msg: str = Field(description="What is wrong; for a body, the field and the remedy.")
    data: None = Field(description="Always null.")


class LinkMinted(_Answer):
    """A new link."""

    id: str = Field(description="The link's own name, which is part of the link.")
    link: str = Field(
        description="What to put into a plain `<a href>`. A path, while the operator has set no public URL.",
        examples=[LINK_EXAMPLE],
    )
    expires_at: datetime = Field(
        alias="expiresAt", description="When it stops working: RFC 3339, in UTC.", examples=["2025-11-24T16:00:00Z"]
    )
    warnings: list[str] = Field(
        [],
        description="What is rarely meant, each with the remedy: for example that the link is a path, and how to set "
        "the public URL. Left out when there is nothing.",
    )


class TaskResult(_Answer):
    """What a task made."""

    result_urls: list[str] = Field(
        alias="resultUrls", description="Where the images were published.", examples=[[URL_EXAMPLE]]
    )


class TaskInfo(_Answer):
    """A record as the provider tells it: Unix milliseconds on the wire, and other words now and then."""

    task_id: TaskId = Field(alias="taskId")
    param_json: str | None = Field(alias="paramJson", description="What was asked for, as JSON text.")
    complete_time: int | str | None = Field(
        alias="completeTime", description="When the task came to its end, in Unix milliseconds."
    )
    response: TaskResult | None = Field(description="Null while the task has no result.")
    success_flag: int | None = Field(
        alias="successFlag", description="0 generating, 1 success, 2 could not be created, 3 could not be generated."
    )
    status: str | None = Field(
        description="How the task stands: `GENERATING`, `SUCCESS`, `CREATE_TASK_FAILED` or `GENERATE_FAILED`."
    )
    error_code: int | None = Field(alias="errorCode", description="The provider's code of a failure.")
    error_message: str | None = Field(alias="errorMessage", description="The provider's words for a failure.")
    create_time: int | str | None = Field(
        alias="createTime", description="When the task was created, in Unix milliseconds."
    )
    progress: str | None = Field(description="From 0.00 to 1.00, as text.")


class TaskRecord(TaskInfo):
    """A record of our own, in the provider's form. Times are Unix milliseconds."""

    param_json: str = Field(alias="paramJson", description="What was asked for, as JSON text.", examples=["{}"])
    complete_time: UnixMs | None = Field(alias="completeTime", description="When the task came to its end.")
    success_flag: Literal[0, 1, 2, 3] = Field(
        alias="successFlag", description="0 generating, 1 success, 2 could not be created, 3 could not be generated."
    )
    status: Status = Field(description="How the task stands.", examples=["SUCCESS"])
    create_time: UnixMs = Field(alias="createTime", description="When the task was created.")
    progress: str = Field(description="From 0.00 to 1.00, as text.", examples=["1.00"])


class StoredFile(TaskRecord):
    """A record, and the image that was put into it."""

    url: str = Field(description="How links name the image.", examples=[OWN_URL_EXAMPLE])


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
    """The envelope of an image that was put in."""

    data: StoredFile


class DoneAnswer(_Success):
    """The envelope of a call that has nothing to tell."""

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
    """The contract's envelope of what is refused with an HTTP status of its own."""

    code: Literal[405, 429, 500] = Field(description="The HTTP status again.")
    msg: str = Field(description="What is wrong.")
    data: None = Field(description="Always null.")


class Problem(_Answer):
    """RFC 9457: what went wrong, for a program that is not a caller of the API."""

    type: str = Field(
        description="A reference to a page on the error, which ends in its code.", examples=["/problems/link_expired"]
    )
    title: str = Field(description="The HTTP status in words.", examples=["Gone"])
    status: int = Field(description="The HTTP status.", examples=[410])
    detail: str = Field(description="What is wrong, and what helps.")
    request_id: str = Field(
        alias="requestId", description="The request's number, as in `X-Request-Id` and in the log of the gateway."
    )


class Checks(_Answer):
    """How each dependency is."""

    database: Literal["ok", "down"] = Field(description="Where API keys and records are.")
    store: Literal["ok", "down", "not used"] = Field(description="Where images are kept.")
    provider: str = Field(
        description="The API that direct URLs come from: `unknown` before the first call, then what the last calls "
        "said: `ok`, or what is wrong and since when. `not used` with another resolver.",
        examples=["ok"],
    )
    maintenance: Literal["on", "off"] = Field(description="Whether the operator has closed the gateway.")


class Readiness(_Answer):
    """Whether downloads can be served, and what stands against it."""

    status: Literal["ready", "degraded", "not ready"] = Field(description="The verdict.")
    checks: Checks
    warnings: list[str] = Field(description="Settings that are allowed but rarely meant, each with the remedy.")


class CallbackInfo(BaseModel):
    """What a task made, in a callback."""

    result_urls: Annotated[list[str], Field(max_length=MOST_RESULTS)] | None = Field(
        None,
        description="Where its images were published, on hosts that the gateway serves from.",
        examples=[[URL_EXAMPLE]],
    )


class CallbackData(BaseModel):
    """Which task a callback is about."""

    task_id: TaskId = Field(alias="taskId")
    info: CallbackInfo | None = Field(None, description="Null when the task has no result.")


class CallbackBody(BaseModel):
    """The body of a callback."""

    code: Annotated[int, Field(ge=0, lt=100_000)] = Field(
        description="200 when the task succeeded; else the provider's code of the failure, such as 400, 451 or 500.",
    )
    msg: str | None = Field(None, description="The provider's words for a failure; the first 1000 characters are kept.")
    data: CallbackData
