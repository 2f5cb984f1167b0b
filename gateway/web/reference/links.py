"""Links for callers that hold an API key and not the secret."""

from gateway.web.links import LinkOrder
from gateway.web.reference.authentication import key
from gateway.web.reference.components import BODY_ERRORS, KEY_ERRORS, success
from gateway.web.reference.openapi import JSON, Answer, Content, Operation
from gateway.web.schemas import LINK_EXAMPLE, TASK_EXAMPLE, URL_EXAMPLE, LinkAnswer

TAG = "Links"
ABOUT = """A link is the permission to download one image, signed and valid for a short time. Put it into a plain
`<a href>`; every click on it is a download."""

OPERATIONS = (
    Operation(
        id="mint-link",
        method="post",
        path="/api/v1/links",
        tag=TAG,
        summary="Mint a link",
        description="Sign a link to one image. Nothing is fetched yet; whether the image is there shows when somebody "
        "follows the link. A 422 names the field and the remedy.",
        proofs=key("links"),
        body=Content(
            {JSON: LinkOrder},
            {
                "order": {"taskId": TASK_EXAMPLE, "url": URL_EXAMPLE},
                "every field": {
                    "taskId": TASK_EXAMPLE,
                    "url": URL_EXAMPLE,
                    "kind": "page",
                    "filename": "cat.png",
                    "mode": "stream",
                    "expiresIn": 3600,
                },
            },
        ),
        answers=[
            Answer(
                200,
                "The link",
                Content(
                    {JSON: LinkAnswer},
                    success({"id": "Xk3v9QmT0aZ1", "link": LINK_EXAMPLE, "expiresAt": "2025-11-24T16:00:00Z"}),
                ),
            )
        ],
        errors=(*KEY_ERRORS, *BODY_ERRORS),
    ),
)
