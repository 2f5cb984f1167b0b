"""Downloads: links, and the gateway's own direct URLs."""

from gateway.errors import (
    BadParameter,
    BodyTooLarge,
    DatabaseDown,
    FileTooLarge,
    GatewayBusy,
    LinkBusy,
    LinkError,
    LinkExpired,
    LinkInvalid,
    LinkRevoked,
    LinkUnknown,
    LinkUsedUp,
    LoopDetected,
    Maintenance,
    NotFound,
    OriginGone,
    OriginNotFound,
    PreconditionFailed,
    PrefetchRefused,
    RangeNotSatisfiable,
    RateLimited,
    StorageDown,
    TooManyStreams,
)
from gateway.links.link import EXPIRES, LINK_ID, LONGEST_FILENAME, LONGEST_URL, MODES
from gateway.web.link_schemas import SHORT_LINK_EXAMPLE
from gateway.web.reference.components import RESOLVING_ERRORS, TASK_ID_PARAMETER, family
from gateway.web.reference.openapi import Content, Operation, Parameter, Response
from gateway.web.schemas import URL_EXAMPLE

TAG = "Downloads"
DESCRIPTION = """Browsers and download tools open these URLs without an API key; the signature in the URL is the
permission. Errors are an HTML page for browsers, `application/problem+json` (RFC 9457) for `fetch()` and for clients
that accept JSON, and plain text for other tools. The header `X-Gateway-Delivery` says how the file was delivered and
why, for example `stream; reason=no-attachment`."""

_LINK_ERRORS = tuple(error for error in family(LinkError) if error is not LinkUnknown)
_SHORT_LINK_ERRORS = (LinkInvalid, LinkExpired, LinkRevoked, LinkUsedUp, DatabaseDown)
_DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_NAME = {"type": "string", "minLength": 1, "maxLength": LONGEST_FILENAME}
_EXPIRES = Parameter(
    "expires",
    "query",
    "When the URL expires, in Unix seconds.",
    {"type": "string", "pattern": f"^{EXPIRES.pattern}$"},
    "1764000000",
    required=True,
)
_SIG = Parameter(
    "sig",
    "query",
    "The signature.",
    {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"},
    "bZ0yq6Yk1x0mE2c4s9vJt7uW8nR5pL3hD1fG6aQ2oTk",
    required=True,
)
_QUERY = (
    Parameter(
        "url",
        "query",
        "The URL of the image at its origin.",
        {"type": "string", "format": "uri", "minLength": 1, "maxLength": LONGEST_URL},
        URL_EXAMPLE,
        required=True,
    ),
    _EXPIRES,
    _SIG,
    Parameter("mode", "query", "How the file is delivered.", {"type": "string", "enum": list(MODES)}),
    Parameter("filename", "query", "The name of the saved file, at most 255 bytes of UTF-8.", _NAME),
    Parameter("id", "query", "The ID of the link.", {"type": "string", "pattern": f"^{LINK_ID.pattern}$"}),
)
_CONDITIONS = (
    Parameter("Range", "header", "A byte range: `bytes=0-1023`.", {"type": "string"}),
    Parameter("If-Range", "header", "The `ETag` of the file that the range belongs to.", {"type": "string"}),
    Parameter("If-Match", "header", "The `ETag` that the file must have.", {"type": "string"}),
    Parameter("If-None-Match", "header", "The `ETag` of a copy that the client already has.", {"type": "string"}),
)
_FILE = Content(dict.fromkeys(("image/*", "video/*", "audio/*", "application/zip", "application/octet-stream")))
_FILE_OR_PAGE = Content({**_FILE.types, "text/html": {"type": "string"}})
_HEADERS = {
    "Content-Disposition": "Always `attachment`, with the file name in both forms of RFC 6266.",
    "Content-Length": "The length in bytes, if it is known.",
    "ETag": "The entity tag of the file, if the download can be resumed.",
    "Accept-Ranges": "`bytes`, if byte ranges are supported.",
    "X-Gateway-Delivery": "How the file was delivered, and why.",
}
_NOT_MODIFIED_HEADERS = {name: _HEADERS[name] for name in ("ETag", "X-Gateway-Delivery")}
_FILE_RESPONSES = (
    Response(200, "The file.", _FILE, _HEADERS),
    Response(206, "A part of the file.", _FILE, _HEADERS | {"Content-Range": "The range and the full length."}),
    Response(304, "The client's copy is current.", headers=_NOT_MODIFIED_HEADERS),
)
_REDIRECT = Response(
    302,
    "A redirect to the direct URL of the file.",
    headers={"Location": "The direct URL.", "X-Gateway-Delivery": _HEADERS["X-Gateway-Delivery"]},
)
_URI_TOO_LONG = Response(414, "The URL is longer than the server accepts.", Content({"text/html": {"type": "string"}}))
_STORED_FILE_ERRORS = (OriginNotFound, OriginGone, FileTooLarge, DatabaseDown, StorageDown)
_DELIVERY_ERRORS = (
    PreconditionFailed,
    RangeNotSatisfiable,
    PrefetchRefused,
    LoopDetected,
    TooManyStreams,
    GatewayBusy,
    Maintenance,
)

_CODE = Parameter(
    "code",
    "path",
    "The code of the link.",
    {"type": "string", "minLength": 1},
    SHORT_LINK_EXAMPLE.rpartition("/")[2],
)
_PAGE = Content({"text/html": {"type": "string"}})

OPERATIONS = (
    Operation(
        id="download",
        method="get",
        path="/download/{task_id}",
        tag=TAG,
        summary="Download a file",
        description="Downloads the image of a signed link. Use links unchanged; extra parameters such as `utm_source` "
        "are ignored. The path may end in a file name, as in `/download/task12345/cat.png`, for clients that take the "
        "name from the path; it is not signed. Without parameters the response is a help page.",
        parameters=[TASK_ID_PARAMETER, *_QUERY, *_CONDITIONS],
        responses=[
            Response(200, "The file, or a help page if there are no parameters.", _FILE_OR_PAGE, _HEADERS),
            *_FILE_RESPONSES[1:],
            _REDIRECT,
            _URI_TOO_LONG,
        ],
        errors=(BadParameter, *_LINK_ERRORS, RateLimited, *RESOLVING_ERRORS, *_DELIVERY_ERRORS),
        has_head=True,
    ),
    Operation(
        id="download-stored-file",
        method="get",
        path="/files/{digest}/{name}",
        tag=TAG,
        summary="Download a stored file",
        description="A direct URL that the `store` resolver (`GATEWAY_RESOLVER=store`) returns. It is valid for 20 "
        "minutes.",
        parameters=[
            Parameter(
                "digest",
                "path",
                "The SHA-256 of the image.",
                {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                _DIGEST,
            ),
            Parameter("name", "path", "The name of the saved file.", _NAME, "cat.png"),
            _EXPIRES,
            _SIG,
            *_CONDITIONS,
        ],
        responses=_FILE_RESPONSES,
        errors=(LinkInvalid, LinkExpired, NotFound, *_STORED_FILE_ERRORS, *_DELIVERY_ERRORS),
        has_head=True,
    ),
    Operation(
        id="show-short-link",
        method="get",
        path="/d/{code}",
        tag=TAG,
        summary="Show the page of an e-mail link",
        description="Shows what the link leads to, with a download button. It counts as no download.",
        parameters=[_CODE],
        responses=[Response(200, "The page.", _PAGE)],
        errors=_SHORT_LINK_ERRORS,
        has_head=True,
    ),
    Operation(
        id="press-short-link",
        method="post",
        path="/d/{code}",
        tag=TAG,
        summary="Begin the download of an e-mail link",
        description="The page's button sends this form. It reserves one download and redirects to a page link that is "
        "valid for two minutes. A form without the button's value shows the page again.",
        parameters=[_CODE],
        request_body=Content(
            {
                "application/x-www-form-urlencoded": {
                    "type": "object",
                    "properties": {"download": {"type": "string", "pattern": "^[0-9a-f]{16}$"}},
                }
            }
        ),
        responses=[
            Response(200, "The page again.", _PAGE),
            Response(303, "A redirect to the page link.", headers={"Location": "The page link."}),
        ],
        errors=(*_SHORT_LINK_ERRORS, LinkBusy, BodyTooLarge),
    ),
)
