"""Records of tasks, for images that are generated without the provider."""

from gateway.errors import InvalidBody, NotFound, StorageDown, UploadBroken, UploadTooLarge
from gateway.origins.upload_urls import MAX_NAME_BYTES
from gateway.web.records import RecordBody
from gateway.web.reference.authentication import api_key
from gateway.web.reference.components import (
    BODY_ERRORS,
    KEY_ERRORS,
    RECORD_EXAMPLE,
    STORE_ERRORS,
    TASK_ID_PARAMETER,
    success,
)
from gateway.web.reference.openapi import JSON, Content, Operation, Parameter, Response
from gateway.web.schemas import OWN_URL_EXAMPLE, URL_EXAMPLE, EmptyResponse, FileResponse, RecordResponse

TAG = "Records"
DESCRIPTION = """A record holds the status of a task and the URLs of its images. With the `store` resolver the gateway
keeps its own records, so that it works without the image provider. With another resolver these calls return 404; to use
them, set `GATEWAY_RESOLVER=store`."""
PATH = "/api/v1/records/{task_id}"

_UPLOADED_RECORD_EXAMPLE = RECORD_EXAMPLE | {"response": {"resultUrls": [OWN_URL_EXAMPLE]}}
_RECORD = Content({JSON: RecordResponse}, success(RECORD_EXAMPLE))
_NAME = Parameter(
    "name",
    "path",
    "The file name of the image, at most 255 bytes of UTF-8. It must not be `.` or `..`.",
    {"type": "string", "minLength": 1, "maxLength": MAX_NAME_BYTES, "pattern": r"^[^/\\\x00-\x1f\x7f-\x9f\ufffd]+$"},
    "cat.png",
)
_ERRORS = (*KEY_ERRORS, NotFound)

OPERATIONS = (
    Operation(
        id="put-record",
        method="put",
        path=PATH,
        tag=TAG,
        summary="Save a record",
        description="Stores a record of a task and replaces an existing one. Unknown fields are ignored.",
        security=api_key("records"),
        parameters=[TASK_ID_PARAMETER],
        request_body=Content({JSON: RecordBody}, {"success": {"status": "SUCCESS", "resultUrls": [URL_EXAMPLE]}}),
        responses=[Response(200, "The stored record.", _RECORD)],
        errors=(*_ERRORS, *BODY_ERRORS),
    ),
    Operation(
        id="get-record",
        method="get",
        path=PATH,
        tag=TAG,
        summary="Get a record",
        description="Returns a record in the provider's format.",
        security=api_key("records"),
        parameters=[TASK_ID_PARAMETER],
        responses=[Response(200, "The record.", _RECORD)],
        errors=_ERRORS,
    ),
    Operation(
        id="delete-record",
        method="delete",
        path=PATH,
        tag=TAG,
        summary="Delete a record",
        description="Deletes a record and the stored images of its task. Links to these images stop working.",
        security=api_key("records"),
        parameters=[TASK_ID_PARAMETER],
        responses=[Response(200, "The record is deleted.", Content({JSON: EmptyResponse}, success(None)))],
        errors=(*_ERRORS, StorageDown),
    ),
    Operation(
        id="upload-image",
        method="put",
        path=f"{PATH}/files/{{name}}",
        tag=TAG,
        summary="Upload an image",
        description="Stores an image as a result of a task, and sets the status of the task to `SUCCESS`. A missing "
        "record is created. Use the `url` of the response to create links to the image. An image with the same name is "
        "replaced.",
        security=api_key("records"),
        parameters=[TASK_ID_PARAMETER, _NAME],
        request_body=Content(
            {"application/octet-stream": None},
            description="The bytes of a PNG, JPEG, GIF, WebP or AVIF image. The gateway detects the type from the "
            "first bytes; any `Content-Type` is accepted. `GATEWAY_MAX_BYTES` limits the size.",
        ),
        responses=[
            Response(
                200,
                "The image is stored. The record as it is now.",
                Content({JSON: FileResponse}, success({"url": OWN_URL_EXAMPLE, **_UPLOADED_RECORD_EXAMPLE})),
            )
        ],
        errors=(*_ERRORS, InvalidBody, UploadTooLarge, UploadBroken, *STORE_ERRORS),
    ),
)
