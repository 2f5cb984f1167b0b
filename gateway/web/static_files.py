"""Static files, ``/favicon.ico`` and ``/robots.txt``."""

from pathlib import Path

from flask import Blueprint, Response, request, url_for

from gateway.errors import NotFound
from gateway.web.static_document import StaticDocument

blueprint = Blueprint("static_files", __name__)
_FOLDER = Path(__file__).parents[2] / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
}
_FILES = {path.name: StaticDocument.of(path.read_bytes(), _TYPES[path.suffix]) for path in _FOLDER.iterdir()}
_CACHE_YEAR = "public, max-age=31536000, immutable"
_CACHE_DAY = "public, max-age=86400"
_DISALLOWED = ("/download/", "/d/", "/files/", "/api/")


@blueprint.app_template_global()
def static_url(name: str) -> str:
    """The URL of a static file, with a version that changes with its bytes."""
    return url_for("static_files.static_file", version=_FILES[name].digest, name=name)


@blueprint.get("/static/<name>", defaults={"version": ""})
@blueprint.get("/static/<version>/<name>")
def static_file(version: str, name: str) -> Response:
    """Serve a static file.

    The URL of another version, which a page may contain during a deploy, gets the current file with ``no-cache``.

    Raises:
        NotFound: no static file has this name.
    """
    document = _FILES.get(name)
    if document is None:
        raise NotFound("no such static file")
    return document.respond(_CACHE_YEAR if version == document.digest else "no-cache")


@blueprint.get("/favicon.ico")
def favicon() -> Response:
    """Serve the icon to browsers that show a response without HTML."""
    return _FILES["favicon.ico"].respond(_CACHE_DAY)


@blueprint.get("/robots.txt")
def robots() -> Response:
    """Exclude downloads and the API from crawling (RFC 9309)."""
    rules = "".join(f"Disallow: {request.script_root}{path}\n" for path in _DISALLOWED)
    return StaticDocument.of(f"User-agent: *\n{rules}", "text/plain; charset=utf-8").respond(_CACHE_DAY)
