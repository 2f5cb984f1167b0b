"""Records, for whoever makes images without the provider."""

from gateway.errors import InvalidBody, NotFound, StorageDown, UploadBroken, UploadTooLarge
from gateway.origins.upload_urls import MAX_NAME_BYTES
from gateway.web.records import RecordBody
from gateway.web.reference.authentication import key
from gateway.web.reference.components import BODY_ERRORS, KEY_ERRORS, RECORD_EXAMPLE, STORE_ERRORS, TASK, success
from gateway.web.reference.openapi import JSON, Answer, Content, Operation, Parameter
from gateway.web.schemas import OWN_URL_EXAMPLE, URL_EXAMPLE, DoneAnswer, FileAnswer, RecordAnswer

TAG = "Records"
ABOUT = """With its `store` resolver the gateway needs no provider: it keeps records of tasks, and serves the images
that they name. With another resolver these calls answer 404; `GATEWAY_RESOLVER=store` opens them."""
PATH = "/api/v1/records/{task_id}"

_OWN_RECORD_EXAMPLE = RECORD_EXAMPLE | {"response": {"resultUrls": [OWN_URL_EXAMPLE]}}
_KEPT = Content({JSON: RecordAnswer}, success(RECORD_EXAMPLE))
_NAME = Parameter(
    "name",
    "path",
    "The name of the image within the task, at most 255 bytes of UTF-8. It is not `.`, and not `..` either.",
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
        summary="Keep a record",
        description="Tell the gateway of a task, in place of what it knew of it. Fields that it does not know are "
        "ignored. A 422 names the field and the remedy.",
        proofs=key("records"),
        parameters=[TASK],
        body=Content({JSON: RecordBody}, {"done": {"status": "SUCCESS", "resultUrls": [URL_EXAMPLE]}}),
        answers=[Answer(200, "The record as it is kept", _KEPT)],
        errors=(*_ERRORS, *BODY_ERRORS),
    ),
    Operation(
        id="get-record",
        method="get",
        path=PATH,
        tag=TAG,
        summary="Get a record",
        description="Give a record in the provider's form.",
        proofs=key("records"),
        parameters=[TASK],
        answers=[Answer(200, "The record", _KEPT)],
        errors=_ERRORS,
    ),
    Operation(
        id="delete-record",
        method="delete",
        path=PATH,
        tag=TAG,
        summary="Forget a record",
        description="Forget a task and the images that are kept of it. Links to them stop working.",
        proofs=key("records"),
        parameters=[TASK],
        answers=[Answer(200, "It is forgotten", Content({JSON: DoneAnswer}, success(None)))],
        errors=(*_ERRORS, StorageDown),
    ),
    Operation(
        id="put-file",
        method="put",
        path=f"{PATH}/files/{{name}}",
        tag=TAG,
        summary="Put an image in",
        description="Keep an image of your own among a task's results, which makes the task a success. No record has "
        "to be there before. Links name the image by the `url` that is answered; it is fetched from nowhere. The same "
        "name again replaces the image.",
        proofs=key("records"),
        parameters=[TASK, _NAME],
        body=Content(
            {"application/octet-stream": None},
            description="The bytes of the image, as large as the operator allows: PNG, JPEG, GIF, WebP or AVIF. Which "
            "of them it is, its first bytes tell; the content type may be any.",
        ),
        answers=[
            Answer(
                200,
                "The image is kept; the record as it is now",
                Content({JSON: FileAnswer}, success({"url": OWN_URL_EXAMPLE, **_OWN_RECORD_EXAMPLE})),
            )
        ],
        errors=(*_ERRORS, InvalidBody, UploadTooLarge, UploadBroken, *STORE_ERRORS),
    ),
)
