"""The callback for completed tasks."""

from gateway.errors import CallbackConflict, CallbackRefused, DatabaseDown, NotFound
from gateway.records.completion_callback import PATH
from gateway.web.reference.authentication import CALLBACK
from gateway.web.reference.components import BODY_ERRORS, success
from gateway.web.reference.openapi import JSON, Content, Operation, Response
from gateway.web.schemas import TASK_EXAMPLE, URL_EXAMPLE, CallbackBody, EmptyResponse

TAG = "Callback"
DESCRIPTION = """The image provider reports each completed task to a callback URL. Pass the callback URL of this gateway
to the provider as `callBackUrl`; the gateway then stores a record of each task, and links to its images work. Your own
image generator can make the same call. The gateway must use the `store` resolver (`GATEWAY_RESOLVER=store`); with
another resolver the call returns 404."""

OPERATIONS = (
    Operation(
        id="report-completed-task",
        method="post",
        path=PATH,
        tag=TAG,
        summary="Report a completed task",
        description="Stores the record of a task that succeeded or failed. Repeating the same report is safe. A task "
        "that has succeeded cannot be changed: a different result returns 409. Repeat the call after a 5xx response.",
        security=CALLBACK,
        request_body=Content(
            {JSON: CallbackBody},
            {
                "success": {
                    "code": 200,
                    "msg": "success",
                    "data": {"taskId": TASK_EXAMPLE, "info": {"result_urls": [URL_EXAMPLE]}},
                },
                "failure": {
                    "code": 400,
                    "msg": "Your content was flagged by OpenAI as violating content policies",
                    "data": {"taskId": TASK_EXAMPLE, "info": None},
                },
            },
            "The provider's callback. The names `task_id` and `resultUrls` are also accepted. Unknown fields are "
            "ignored.",
        ),
        responses=[Response(200, "The record is stored.", Content({JSON: EmptyResponse}, success(None)))],
        errors=(CallbackRefused, NotFound, CallbackConflict, *BODY_ERRORS, DatabaseDown),
    ),
)
