"""Records, for whoever makes images without the provider."""

from gateway.errors import DatabaseDown, NotFound
from gateway.web.records import RecordBody
from gateway.web.reference.openapi import JSON, Answer, Content, Operation
from gateway.web.reference.parts import BODY_ERRORS, KEY_ERRORS, RECORD_EXAMPLE, TASK, success
from gateway.web.schemas import URL_EXAMPLE, DoneAnswer, RecordAnswer

TAG = "Records"
ABOUT = """With its `store` resolver the gateway needs no provider: it keeps records of tasks, and serves the images
that they name. With another resolver these calls answer 404."""
PATH = "/api/v1/records/{task_id}"

_KEPT = Content({JSON: RecordAnswer}, success(RECORD_EXAMPLE))
_ERRORS = (*KEY_ERRORS, NotFound, DatabaseDown)

OPERATIONS = (
    Operation(
        id="put-record",
        method="put",
        path=PATH,
        tag=TAG,
        summary="Keep a record",
        description="Tell the gateway of a task, in place of what it knew of it. Fields that it does not know are "
        "ignored. A 422 names the field and the remedy.",
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
        description="Forget a task. Links to its images stop working.",
        parameters=[TASK],
        answers=[Answer(200, "It is forgotten", Content({JSON: DoneAnswer}, success(None)))],
        errors=_ERRORS,
    ),
)
