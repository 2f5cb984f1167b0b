"""The provider's API as this gateway serves it."""

from gateway.errors import InvalidBody, Maintenance, MethodNotAllowed, ProviderError, StillPreparing
from gateway.provider.client import DOWNLOAD_URL, RECORD_INFO
from gateway.web.contract import DownloadUrlBody
from gateway.web.reference.authentication import api_key
from gateway.web.reference.components import (
    BODY_ERRORS,
    KEY_ERRORS,
    RECORD_EXAMPLE,
    RESOLVING_ERRORS,
    TASK_ID_PARAMETER,
    family,
    success,
)
from gateway.web.reference.openapi import JSON, Content, Operation, Response
from gateway.web.schemas import DIRECT_URL_EXAMPLE, TASK_EXAMPLE, URL_EXAMPLE, DirectUrlResponse, RecordInfoResponse

TAG = "Provider API"
DESCRIPTION = """The image provider's API, served by this gateway with its own API keys. A program that calls the
provider only needs another base URL and another key.

Errors are HTTP 200 with an error code in the body, so read `code` first. Only 405, 429 and 500 are also the HTTP
status. A key without the scope gets 401. Repeat a call that returns 500 with `Retry-After`."""

OPERATIONS = (
    Operation(
        id="get-4o-image-download-url",
        method="post",
        path=DOWNLOAD_URL,
        tag=TAG,
        summary="Get Direct Download URL",
        description="Convert an image URL to a direct download URL. This helps solve cross-domain issues when "
        "downloading images directly. The returned URL is valid for 20 minutes.",
        security=api_key("download-url"),
        request_body=Content({JSON: DownloadUrlBody}, {"request": {"taskId": TASK_EXAMPLE, "url": URL_EXAMPLE}}),
        responses=[
            Response(200, "Request successful", Content({JSON: DirectUrlResponse}, success(DIRECT_URL_EXAMPLE)))
        ],
        errors=(*KEY_ERRORS, *BODY_ERRORS, *RESOLVING_ERRORS, Maintenance, MethodNotAllowed),
    ),
    Operation(
        id="get-4o-image-record-info",
        method="get",
        path=RECORD_INFO,
        tag=TAG,
        summary="Get the details of a task",
        description="Returns the status of a task and the URLs of its images. With the `store` resolver this is the "
        "gateway's own record. With the `upstream` resolver it is the provider's record, passed on unchanged; every "
        "field except `taskId` may then be null.",
        security=api_key("download-url"),
        parameters=[TASK_ID_PARAMETER.moved("taskId", "query")],
        responses=[Response(200, "Request successful", Content({JSON: RecordInfoResponse}, success(RECORD_EXAMPLE)))],
        errors=(*KEY_ERRORS, InvalidBody, *family(ProviderError), StillPreparing, Maintenance, MethodNotAllowed),
    ),
)
