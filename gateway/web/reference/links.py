"""Links that are created with an API key."""

from gateway.errors import InvalidBody, LinkUnknown
from gateway.links.link import LINK_ID
from gateway.web.link_schemas import (
    LINK_EXAMPLE,
    SHORT_LINK_EXAMPLE,
    LinkInfoResponse,
    LinkListResponse,
    LinkResponse,
    LinkRevokedResponse,
)
from gateway.web.links import LARGEST_PAGE, PAGE_SIZE, LinkBody
from gateway.web.reference.authentication import api_key
from gateway.web.reference.components import BODY_ERRORS, KEY_ERRORS, TASK_ID_PARAMETER, success
from gateway.web.reference.openapi import JSON, Content, Operation, Parameter, Response
from gateway.web.schemas import TASK_EXAMPLE, URL_EXAMPLE

TAG = "Links"
DESCRIPTION = """A page link is a signed URL that permits the download of one image until it expires. Put it into a
plain `<a href>`; the browser then saves the image instead of opening it. An e-mail link is short and stored, and leads
to a page with a download button, so that mail scanners that open it start no download."""

_ID = Parameter(
    "link_id", "path", "The ID of the link.", {"type": "string", "pattern": f"^{LINK_ID.pattern}$"}, "k3v9qmt2az5x"
)
_STORED_LINK = {
    "id": "k3v9qmt2az5x",
    "taskId": TASK_EXAMPLE,
    "url": URL_EXAMPLE,
    "filename": "cat.png",
    "mode": None,
    "link": SHORT_LINK_EXAMPLE,
    "state": "active",
    "createdAt": "2025-11-24T16:00:00Z",
    "expiresAt": "2025-12-08T16:00:00Z",
    "revokedAt": None,
    "maxDownloads": 3,
    "downloads": 1,
    "downloadsReserved": 0,
}

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
                "e-mail link": {
                    "taskId": TASK_EXAMPLE,
                    "url": URL_EXAMPLE,
                    "kind": "email",
                    "maxDownloads": 3,
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
    Operation(
        id="list-links",
        method="get",
        path="/api/v1/links",
        tag=TAG,
        summary="List the e-mail links of a task",
        description="Returns the stored links of a task, the newest first, in pages.",
        security=api_key("links"),
        parameters=[
            TASK_ID_PARAMETER.moved("taskId", "query"),
            Parameter(
                "limit",
                "query",
                f"The number of links, at most {LARGEST_PAGE}. Default: {PAGE_SIZE}.",
                {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE},
                "50",
            ),
            Parameter("after", "query", "The `next` of the page before.", {"type": "string"}, "k3v9qmt2az5x"),
        ],
        responses=[
            Response(
                200,
                "The links.",
                Content({JSON: LinkListResponse}, success({"links": [_STORED_LINK], "next": None})),
            )
        ],
        errors=(*KEY_ERRORS, InvalidBody),
    ),
    Operation(
        id="get-link",
        method="get",
        path="/api/v1/links/{link_id}",
        tag=TAG,
        summary="Get an e-mail link",
        description="Returns a stored link: its state, and how many downloads have completed.",
        security=api_key("links"),
        parameters=[_ID],
        responses=[Response(200, "The link.", Content({JSON: LinkInfoResponse}, success(_STORED_LINK)))],
        errors=(*KEY_ERRORS, LinkUnknown),
    ),
    Operation(
        id="revoke-link",
        method="delete",
        path="/api/v1/links/{link_id}",
        tag=TAG,
        summary="Revoke a link",
        description="Revokes an e-mail link, or a page link by the `id` that its creation returned. Every worker "
        "refuses the link within a second; downloads that run already continue.",
        security=api_key("links"),
        parameters=[_ID],
        responses=[
            Response(200, "The link is revoked.", Content({JSON: LinkRevokedResponse}, success({"id": "k3v9qmt2az5x"})))
        ],
        errors=(*KEY_ERRORS, LinkUnknown),
    ),
)
