"""The table of operations, in the order of the reference."""

from gateway import __version__
from gateway.web.reference import callback, contract, downloads, health, links, records
from gateway.web.reference.openapi import Json, document

_MODULES = (links, downloads, records, callback, contract, health)
OPERATIONS = tuple(operation for module in _MODULES for operation in module.OPERATIONS)
TAGS = {module.TAG: module.DESCRIPTION for module in _MODULES}
INFO = {
    "title": "Download Gateway",
    "version": __version__,
    "summary": "Signed download links for generated images.",
    "description": """The gateway turns image URLs into signed download links. When a visitor opens a link, the gateway
verifies it, obtains a direct URL of the image, and redirects the browser to it or streams the image, so that the
browser always saves the file.

Calls below `/api/` take and return JSON. Except for the callback they need an API key. A request body may have at most
64 KiB, except for uploaded images. Every response has the header `X-Request-Id`; include its value when you ask for
help.""",
    "license": {"name": "MIT", "identifier": "MIT"},
}


def openapi_document(public_url: str) -> Json:
    """The OpenAPI document of a gateway.

    Args:
        public_url: the gateway's base URL; empty for the host that serves the document.
    """
    return document(INFO, TAGS, OPERATIONS, public_url)
