"""What visitors follow: links, and the gateway's own direct URLs."""

from gateway.errors import (
    BadParameter,
    DatabaseDown,
    FileTooLarge,
    GatewayBusy,
    LinkError,
    LinkExpired,
    LinkInvalid,
    LinkRevoked,
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
from gateway.web.reference.components import RESOLVING_ERRORS, TASK, family
from gateway.web.reference.openapi import Answer, Content, Operation, Parameter
from gateway.web.schemas import URL_EXAMPLE

TAG = "Downloads"
ABOUT = """Followed by browsers and download tools, without a key: the signature is the permission. Errors are a page
for people, `application/problem+json` for `fetch()` and for whoever asks for JSON, and a line of text for tools.
`X-Gateway-Delivery` tells how a file came and why, for example `stream; reason=no-attachment`."""

# No call revokes a link or limits its downloads yet, so that no answer says so.
_LINK_ERRORS = tuple(error for error in family(LinkError) if error not in {LinkRevoked, LinkUsedUp})
_DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_NAME = {"type": "string", "minLength": 1, "maxLength": LONGEST_FILENAME}
_EXPIRES = Parameter(
    "expires",
    "query",
    "When it stops working, in Unix seconds.",
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
        "Where the image was published.",
        {"type": "string", "format": "uri", "minLength": 1, "maxLength": LONGEST_URL},
        URL_EXAMPLE,
        required=True,
    ),
    _EXPIRES,
    _SIG,
    Parameter("mode", "query", "How the file is delivered.", {"type": "string", "enum": list(MODES)}),
    Parameter(
        "filename",
        "query",
        "The name to save the file under, at most 255 bytes of UTF-8.",
        _NAME,
    ),
    Parameter("id", "query", "The link's own name.", {"type": "string", "pattern": f"^{LINK_ID.pattern}$"}),
)
_CONDITIONS = (
    Parameter("Range", "header", "One part of the file: `bytes=0-1023`.", {"type": "string"}),
    Parameter("If-Range", "header", "The `ETag` of the file that the part is of.", {"type": "string"}),
    Parameter("If-Match", "header", "The `ETag` of the file that a download was begun of.", {"type": "string"}),
    Parameter("If-None-Match", "header", "The `ETag` of the file that is there already.", {"type": "string"}),
)
_FILE = Content(
    dict.fromkeys(("image/*", "video/*", "audio/*", "application/zip", "application/octet-stream")),
)
_HEADERS = {
    "Content-Disposition": "Always `attachment`, with the name in both forms of RFC 6266.",
    "Content-Length": "The length in bytes, where it is known.",
    "ETag": "The version of the file, where the file can be resumed.",
    "Accept-Ranges": "`bytes`, where a part can be had.",
    "X-Gateway-Delivery": "How the file came, and why.",
}
_SAME_HEADERS = {name: _HEADERS[name] for name in ("ETag", "X-Gateway-Delivery")}
_STREAMED = (
    Answer(200, "The file", _FILE, _HEADERS),
    Answer(206, "A part of the file", _FILE, _HEADERS | {"Content-Range": "Which part, of how many bytes."}),
    Answer(304, "The file that is there already is the same", headers=_SAME_HEADERS),
)
_REDIRECT = Answer(
    302,
    "The browser fetches the file from its direct URL",
    headers={"Location": "The direct URL.", "X-Gateway-Delivery": _HEADERS["X-Gateway-Delivery"]},
)
_TOO_LONG = Answer(414, "The address is longer than the server reads", Content({"text/html": {"type": "string"}}))
_KEPT_ERRORS = (OriginNotFound, OriginGone, FileTooLarge, DatabaseDown, StorageDown)
_ERRORS = (
    PreconditionFailed,
    RangeNotSatisfiable,
    PrefetchRefused,
    LoopDetected,
    TooManyStreams,
    GatewayBusy,
    Maintenance,
)

OPERATIONS = (
    Operation(
        id="download",
        method="get",
        path="/download/{task_id}",
        tag=TAG,
        summary="Follow a link",
        description="Download the image of a link. Take the link as it was minted; parameters that the gateway does "
        "not know, such as `utm_source`, are ignored. A file name may follow the task in the path, as in "
        "`/download/task12345/cat.png`, for clients that save under it; it is not signed and means nothing else. "
        "Without any parameter, a page says what a link needs.",
        parameters=[TASK, *_QUERY, *_CONDITIONS],
        answers=[
            Answer(
                200,
                "The file, or without any parameter a page",
                Content({**_FILE.types, "text/html": {"type": "string"}}),
                _HEADERS,
            ),
            *_STREAMED[1:],
            _REDIRECT,
            _TOO_LONG,
        ],
        errors=(BadParameter, *_LINK_ERRORS, RateLimited, *RESOLVING_ERRORS, *_ERRORS),
        has_head=True,
    ),
    Operation(
        id="file",
        method="get",
        path="/files/{digest}/{name}",
        tag=TAG,
        summary="Fetch from a direct URL of ours",
        description="The direct URLs that the `store` resolver gives out; each is good for 20 minutes. "
        "`GATEWAY_RESOLVER=store` opens this call.",
        parameters=[
            Parameter("digest", "path", "Which object.", {"type": "string", "pattern": "^[0-9a-f]{64}$"}, _DIGEST),
            Parameter("name", "path", "The name to save it under.", _NAME, "cat.png"),
            _EXPIRES,
            _SIG,
            *_CONDITIONS,
        ],
        answers=_STREAMED,
        errors=(LinkInvalid, LinkExpired, NotFound, *_KEPT_ERRORS, *_ERRORS),
        has_head=True,
    ),
)
