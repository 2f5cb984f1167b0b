"""The whole table: every call that somebody outside may make, in the order of the reference."""

from gateway import __version__
from gateway.web.reference import callback, contract, downloads, health, links, records
from gateway.web.reference.openapi import Json, document

ROOMS = (contract, links, records, callback, downloads, health)
OPERATIONS = tuple(operation for room in ROOMS for operation in room.OPERATIONS)
TAGS = {room.TAG: room.ABOUT for room in ROOMS}
INFO = {
    "title": "Download Gateway",
    "version": __version__,
    "summary": "Every click becomes a download.",
    "description": """A signed link becomes a download: the gateway verifies the link, obtains a direct URL of the
image, and redirects the browser to it or streams the bytes, whichever really downloads.

Calls below `/api/` need an API key, but for the callback, and answer with an envelope, `{"code": …, "msg": …,
"data": …}`. A body is JSON of at most 64 KiB, whatever its content type says, but for an image that is put in. Every
answer bears `X-Request-Id`; give that number when you ask for help.""",
    "license": {"name": "MIT", "identifier": "MIT"},
}


def described(public_url: str) -> Json:
    """The OpenAPI document of a gateway; ``public_url`` is where it is, empty for wherever the document was read."""
    return document(INFO, TAGS, OPERATIONS, public_url)
