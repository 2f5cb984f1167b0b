"""The provider's calls, in the words of its contract."""

from gateway.errors import InvalidBody, Maintenance, MethodNotAllowed, ProviderError, StillPreparing
from gateway.links.link import TASK_ID
from gateway.provider.client import DOWNLOAD_URL, RECORD_INFO
from gateway.web.contract import DownloadUrlOrder
from gateway.web.reference.authentication import key
from gateway.web.reference.components import BODY_ERRORS, KEY_ERRORS, RECORD_EXAMPLE, RESOLVING_ERRORS, family, success
from gateway.web.reference.openapi import JSON, Answer, Content, Operation, Parameter
from gateway.web.schemas import DIRECT_URL_EXAMPLE, TASK_EXAMPLE, URL_EXAMPLE, DirectUrlAnswer, RecordInfoAnswer

TAG = "The provider's API"
ABOUT = """The image provider's own contract, served by this gateway with keys of its own. A program that calls the
provider needs nothing but another address and another key.

Errors travel as HTTP 200 with the code in the body: read `code` first. Only 405, 429 and 500 are the HTTP status
too. A key without the scope is 401 here, and 500 with `Retry-After` is worth another try."""

OPERATIONS = (
    Operation(
        id="get-4o-image-download-url",
        method="post",
        path=DOWNLOAD_URL,
        tag=TAG,
        summary="Get Direct Download URL",
        description="Convert an image URL to a direct download URL. This helps solve cross-domain issues when "
        "downloading images directly. The returned URL is valid for 20 minutes.",
        proofs=key("download-url"),
        body=Content({JSON: DownloadUrlOrder}, {"order": {"taskId": TASK_EXAMPLE, "url": URL_EXAMPLE}}),
        answers=[Answer(200, "Request successful", Content({JSON: DirectUrlAnswer}, success(DIRECT_URL_EXAMPLE)))],
        errors=(*KEY_ERRORS, *BODY_ERRORS, *RESOLVING_ERRORS, Maintenance, MethodNotAllowed),
    ),
    Operation(
        id="get-4o-image-record-info",
        method="get",
        path=RECORD_INFO,
        tag=TAG,
        summary="Get the record of a task",
        description="Tell what is known of a task: how it stands, and where its images were published. With the "
        "`store` resolver the record is this gateway's own. With the `upstream` resolver it is the provider's, relayed "
        "as it is, so that every field but `taskId` may be null.",
        proofs=key("download-url"),
        parameters=[
            Parameter(
                "taskId",
                "query",
                "The task ID associated with the image generation.",
                {"type": "string", "pattern": f"^{TASK_ID.pattern}$"},
                TASK_EXAMPLE,
                required=True,
            )
        ],
        answers=[Answer(200, "Request successful", Content({JSON: RecordInfoAnswer}, success(RECORD_EXAMPLE)))],
        errors=(*KEY_ERRORS, InvalidBody, *family(ProviderError), StillPreparing, Maintenance, MethodNotAllowed),
    ),
)
