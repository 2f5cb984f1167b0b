"""What the provider calls, or whoever makes the images in its place."""

from gateway.errors import CallbackConflict, CallbackRefused, DatabaseDown, NotFound
from gateway.records.completion_callback import PATH
from gateway.web.reference.authentication import CALLBACK
from gateway.web.reference.components import BODY_ERRORS, success
from gateway.web.reference.openapi import JSON, Answer, Content, Operation
from gateway.web.schemas import TASK_EXAMPLE, URL_EXAMPLE, CallbackBody, DoneAnswer

TAG = "Callback"
ABOUT = """The image provider tells by a callback that a task is done. Give it the callback URL of this gateway as
`callBackUrl`, and every image that it makes can be downloaded here. An image generator of your own may tell in the
same way, and needs no API key for it. HTTP statuses are real, so that the sender knows when to repeat it.
Without the `store` resolver this call answers 404; `GATEWAY_RESOLVER=store` opens it."""

OPERATIONS = (
    Operation(
        id="tell-of-task",
        method="post",
        path=PATH,
        tag=TAG,
        summary="Tell that a task is done",
        description="Keep the record of a task that succeeded or failed. The same again changes nothing and is fine; "
        "a success is never changed by another result. Without the `store` resolver this call answers 404.",
        proofs=CALLBACK,
        body=Content(
            {JSON: CallbackBody},
            {
                "done": {
                    "code": 200,
                    "msg": "success",
                    "data": {"taskId": TASK_EXAMPLE, "info": {"result_urls": [URL_EXAMPLE]}},
                },
                "failed": {
                    "code": 400,
                    "msg": "Your content was flagged by OpenAI as violating content policies",
                    "data": {"taskId": TASK_EXAMPLE, "info": None},
                },
            },
            "As the provider sends it. `task_id` and `resultUrls` are understood too, and unknown fields are ignored.",
        ),
        answers=[Answer(200, "It is kept", Content({JSON: DoneAnswer}, success(None)))],
        errors=(CallbackRefused, NotFound, CallbackConflict, *BODY_ERRORS, DatabaseDown),
    ),
)
