"""The static files, and what browsers and crawlers ask for by themselves: ``/favicon.ico`` and ``/robots.txt``."""

from pathlib import Path

from flask import Blueprint, Response, request, url_for

from gateway.errors import NotFound
from gateway.web.documents import Document

blueprint = Blueprint("static_files", __name__)
_FOLDER = Path(__file__).parents[2] / "static"
_TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".ico": "image/x-icon"}
_FILES = {path.name: Document.of(path.read_bytes(), _TYPES[path.suffix]) for path in _FOLDER.iterdir()}
_A_YEAR = "public, max-age=31536000, immutable"
_A_DAY = "public, max-age=86400"
_NOT_CRAWLED = ("/download/", "/files/", "/api/")


@blueprint.app_template_global()
def static_url(name: str) -> str:
    """The URL of a static file, which changes with its bytes."""
    return url_for("static_files.static_file", version=_FILES[name].digest, name=name)


@blueprint.get("/static/<name>", defaults={"version": ""})
@blueprint.get("/static/<version>/<name>")
def static_file(version: str, name: str) -> Response:
    """Give a static file.

    Under the URL of other bytes, as a page of another version may have it during a deploy, the file is given as it is
    and may not be kept.

    Raises:
        NotFound: there is none of this name.
    """
    document = _FILES.get(name)
    if document is None:
        raise NotFound("no such static file")
    return document.respond(_A_YEAR if version == document.digest else "no-cache")


@blueprint.get("/favicon.ico")
def favicon() -> Response:
    """Give the icon to browsers that show an answer without a page, which could name another."""
    return _FILES["favicon.ico"].respond(_A_DAY)


@blueprint.get("/robots.txt")
def robots() -> Response:
    """Tell crawlers to follow no links to files (RFC 9309)."""
    rules = "".join(f"Disallow: {request.script_root}{path}\n" for path in _NOT_CRAWLED)
    return Document.of(f"User-agent: *\n{rules}", "text/plain; charset=utf-8").respond(_A_DAY)
