"""Links that are created with an API key."""

from gateway.web.links import LinkBody
from gateway.web.reference.authentication import api_key
from gateway.web.reference.components import BODY_ERRORS, KEY_ERRORS, success
from gateway.web.reference.openapi import JSON, Content, Operation, Response
from gateway.web.schemas import LINK_EXAMPLE, TASK_EXAMPLE, URL_EXAMPLE, LinkResponse

TAG = "Links"
DESCRIPTION = """A link is a signed URL that permits the download of one image until it expires. Put it into a plain
`<a href>`; the browser then saves the image instead of opening it."""

OPERATIONS = (
    Operation(
        id="create-link",
        method="post",
        path="/api/v1/links",
        tag=TAG,
        summary="Create a link",
        description="Signs a link to one image. The gateway does not fetch the image yet, so a link to a missing image "
        "is created too, and its download then fails.",
        security=api_key("links"),
        request_body=Content(
            {JSON: LinkBody},
            {
                "required fields": {"taskId": TASK_EXAMPLE, "url": URL_EXAMPLE},
                "all fields": {
                    "taskId": TASK_EXAMPLE,
                    "url": URL_EXAMPLE,
                    "kind": "page",
                    "filename": "cat.png",
                    "mode": "stream",
                    "expiresIn": 3600,
                },
            },
        ),
        responses=[
            Response(
                200,
                "The new link.",
                Content(
                    {JSON: LinkResponse},
                    success({"id": "Xk3v9QmT0aZ1", "link": LINK_EXAMPLE, "expiresAt": "2025-11-24T16:00:00Z"}),
                ),
            )
        ],
        errors=(*KEY_ERRORS, *BODY_ERRORS),
    ),
)
