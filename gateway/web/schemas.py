"""Models of the API's response bodies, for ``/openapi.json``; tests validate real responses against them.

Models of request bodies are beside the views that validate them, except for the callback's: its parser
(``gateway.records.completion_callback``) accepts more than a schema can express.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.links.link import LONGEST_FILENAME, LONGEST_URL, TASK_ID
from gateway.records.record import MAX_RESULTS, Status

SCHEMA_PATH = "#/components/schemas/{model}"
TASK_EXAMPLE = "task12345"
URL_EXAMPLE = "https://tempfile.aiquickdraw.com/v/xxxxxxx.png"
OWN_URL_EXAMPLE = "gateway:cat.png"
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

# gateway.links.link checks these rules; the schema only documents them.
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
    """A reference to the schema of a model."""
    return {"$ref": SCHEMA_PATH.format(model=model.__name__)}


class ResponseModel(BaseModel):
    """Base of all response models."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)


class ErrorResponse(ResponseModel):
    """The envelope of an error."""

    code: int = Field(description="The HTTP status.")
    msg: str = Field(description="What is wrong. For an invalid body: the field, and how to correct it.")
    data: None = Field(description="Always null.")


class TaskResult(ResponseModel):
    """The results of a task."""

    result_urls: list[str] = Field(alias="resultUrls", description="The URLs of the images.", examples=[[URL_EXAMPLE]])


class TaskInfo(ResponseModel):
    """A record in the provider's format; the provider sometimes sends other types and status words."""

    task_id: TaskId = Field(alias="taskId")
    param_json: str | None = Field(alias="paramJson", description="The parameters of the task, as JSON text.")
    complete_time: int | str | None = Field(
        alias="completeTime", description="When the task ended, in Unix milliseconds."
    )
    response: TaskResult | None = Field(description="Null while the task has no result.")
    success_flag: int | None = Field(
        alias="successFlag",
        description="0: generating. 1: success. 2: the task could not be created. 3: the generation failed.",
    )
    status: str | None = Field(
        description="The status of the task: `GENERATING`, `SUCCESS`, `CREATE_TASK_FAILED` or `GENERATE_FAILED`."
    )
    error_code: int | None = Field(alias="errorCode", description="The provider's error code.")
    error_message: str | None = Field(alias="errorMessage", description="The provider's error message.")
    create_time: int | str | None = Field(
        alias="createTime", description="When the task was created, in Unix milliseconds."
    )
    progress: str | None = Field(description="The progress, from `0.00` to `1.00`, as text.")


class TaskRecord(TaskInfo):
    """The gateway's own record, in the provider's format."""

    param_json: str = Field(alias="paramJson", description="The parameters of the task, as JSON text.", examples=["{}"])
    complete_time: UnixMs | None = Field(alias="completeTime", description="When the task ended, in Unix milliseconds.")
    success_flag: Literal[0, 1, 2, 3] = Field(
        alias="successFlag",
        description="0: generating. 1: success. 2: the task could not be created. 3: the generation failed.",
    )
    status: Status = Field(description="The status of the task.", examples=["SUCCESS"])
    create_time: UnixMs = Field(alias="createTime", description="When the task was created, in Unix milliseconds.")
    progress: str = Field(description="The progress, from `0.00` to `1.00`, as text.", examples=["1.00"])


class StoredFile(TaskRecord):
    """A record, and the URL of the uploaded image."""

    url: str = Field(description="The URL to use in links to this image.", examples=[OWN_URL_EXAMPLE])


class SuccessResponse(ResponseModel):
    """Base of the envelopes of successful calls."""

    code: Literal[200] = Field(description="The HTTP status.")
    msg: str = Field(description="Always `success`.", examples=["success"])


class RecordResponse(SuccessResponse):
    """The envelope of a record."""

    data: TaskRecord


class FileResponse(SuccessResponse):
    """The envelope of an uploaded image."""

    data: StoredFile


class EmptyResponse(SuccessResponse):
    """The envelope of a call that returns no data."""

    data: None = Field(description="Always null.")


class _ContractResponse(ResponseModel):
    code: Literal[200, 401, 404, 422, 451, 455, 500] = Field(description=_CODES, examples=[200])
    msg: str = Field(description="Error message when code != 200", examples=["success"])


class DirectUrlResponse(_ContractResponse):
    """The provider's envelope of a direct URL."""

    data: str | None = Field(
        description="Direct download URL valid for 20 minutes. Null when code != 200.", examples=[DIRECT_URL_EXAMPLE]
    )


class RecordInfoResponse(_ContractResponse):
    """The provider's envelope of a record."""

    data: TaskInfo | None = Field(description="The record. Null when code != 200.")


class ContractErrorResponse(ResponseModel):
    """The provider's envelope of an error whose code is also the HTTP status."""

    code: Literal[405, 429, 500] = Field(description="The HTTP status.")
    msg: str = Field(description="What is wrong.")
    data: None = Field(description="Always null.")


class Problem(ResponseModel):
    """A problem document (RFC 9457)."""

    type: str = Field(
        description="The URL of a page about the error; it ends in the error code.", examples=["/problems/link_expired"]
    )
    title: str = Field(description="The phrase of the HTTP status.", examples=["Gone"])
    status: int = Field(description="The HTTP status.", examples=[410])
    detail: str = Field(description="What is wrong, and how to correct it.")
    request_id: str = Field(
        alias="requestId", description="The request ID, as in `X-Request-Id` and in the log of the gateway."
    )


class Checks(ResponseModel):
    """The state of each dependency."""

    database: Literal["ok", "down"] = Field(description="The database of API keys and records.")
    store: Literal["ok", "down", "not used"] = Field(description="The store of images.")
    provider: str = Field(
        description="The provider's API: `unknown` before the first call; then `ok`, or the error and its start time. "
        "`not used` with another resolver.",
        examples=["ok"],
    )
    maintenance: Literal["on", "off"] = Field(description="Whether maintenance mode is on.")


class Readiness(ResponseModel):
    """Whether the gateway can serve downloads."""

    status: Literal["ready", "degraded", "not ready"] = Field(description="The overall state.")
    checks: Checks
    warnings: list[str] = Field(description="Likely mistakes in the configuration, and how to correct them.")


class CallbackInfo(BaseModel):
    """The results of a task, in a callback."""

    result_urls: Annotated[list[str], Field(max_length=MAX_RESULTS)] | None = Field(
        None,
        description="The URLs of the images, on hosts in `GATEWAY_ORIGIN_HOSTS`.",
        examples=[[URL_EXAMPLE]],
    )


class CallbackData(BaseModel):
    """The task of a callback."""

    task_id: TaskId = Field(alias="taskId")
    info: CallbackInfo | None = Field(None, description="Null if the task has no result.")


class CallbackBody(BaseModel):
    """The body of a callback."""

    code: Annotated[int, Field(ge=0, lt=100_000)] = Field(
        description="200 if the task succeeded; otherwise the provider's error code, such as 400, 451 or 500.",
    )
    msg: str | None = Field(None, description="The provider's error message. The first 1000 characters are stored.")
    data: CallbackData
