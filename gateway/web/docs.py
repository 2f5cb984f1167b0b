"""The API documentation: ``/docs`` for people, ``/openapi.json`` for programs, ``/llms.txt`` for language models."""

import json
from functools import lru_cache
from pathlib import Path

from flask import Blueprint, Response, render_template, request

from gateway.errors import NotFound
from gateway.web.app_context import settings
from gateway.web.pages import PAGE_POLICY
from gateway.web.reference import rendering
from gateway.web.reference.openapi import Json
from gateway.web.reference.operations import openapi_document
from gateway.web.static_document import StaticDocument

blueprint = Blueprint("docs", __name__)
GUIDES = {
    "api": ("API examples", "every call with curl, Python and JavaScript"),
    "links": ("Signed links", "how to sign links in Python, JavaScript, PHP, Go and shell"),
    "email": ("Links in e-mails", "short links, an HTML button, and what mail scanners do"),
    "store": ("Store", "records, uploads and callbacks without the image provider"),
    "how-it-works": ("How it works", "what happens between the click and the last byte"),
    "reliability": ("Reliability", "resumed downloads, limits, failures and metrics"),
    "settings": ("Settings", "the settings of a gateway"),
}
DOCS_POLICY = f"{PAGE_POLICY}; script-src 'self'"
_FOLDER = Path(__file__).parents[2] / "docs"
_MAX_VARIANTS = 8  # combinations of public URL and path prefix; one application has one, tests have several
_MAX_PAGES = 32 * _MAX_VARIANTS
_CACHE_CONTROL = "public, max-age=300"


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """Return the OpenAPI document."""
    return _cross_origin(_openapi(settings().public_url))


@blueprint.get("/docs")
def overview() -> Response:
    """Show the list of calls, and what they have in common."""
    return _html(_page(settings().public_url, request.script_root, ""))


@blueprint.get("/docs/<name>")
def page(name: str) -> Response:
    """Show the reference of one operation, by its operation ID, or a guide.

    Raises:
        NotFound: there is no such operation or guide.
    """
    return _html(_page(settings().public_url, request.script_root, name))


@blueprint.get("/docs/<name>.md")
def guide(name: str) -> Response:
    """Return the Markdown source of a guide.

    Raises:
        NotFound: there is no such guide.
    """
    if name not in GUIDES:
        raise NotFound("no such guide")
    return _cross_origin(_guide(name))


@blueprint.get("/llms.txt")
def llms() -> Response:
    """Return the index for language models, in the format of llmstxt.org."""
    return _cross_origin(_llms(settings().public_url, request.script_root))


@lru_cache(_MAX_VARIANTS)
def _document(public_url: str) -> Json:
    return openapi_document(public_url)


@lru_cache(_MAX_VARIANTS)
def _openapi(public_url: str) -> StaticDocument:
    return StaticDocument.of(json.dumps(_document(public_url), ensure_ascii=False), "application/json")


@lru_cache(_MAX_PAGES)
def _page(public_url: str, script_root: str, name: str) -> StaticDocument:  # noqa: ARG001 (url_for depends on script_root)
    document = _document(public_url)
    context = {"document": document, "rendering": rendering, "guides": GUIDES, "name": name}
    if not name:
        html = render_template("docs/overview.html", **context)
    elif name in GUIDES:
        markdown = (_FOLDER / f"{name}.md").read_text(encoding="utf-8")
        html = render_template("docs/guide.html", html=rendering.guide(markdown, GUIDES), **context)
    else:
        for path, method, operation in rendering.operations(document):
            if operation["operationId"] == name:
                html = render_template("docs/operation.html", path=path, method=method, operation=operation, **context)
                break
        else:
            raise NotFound("no such operation or guide")
    return StaticDocument.of(html, "text/html; charset=utf-8")


@lru_cache(_MAX_VARIANTS)
def _guide(name: str) -> StaticDocument:
    return StaticDocument.of((_FOLDER / f"{name}.md").read_bytes(), "text/markdown; charset=utf-8")


@lru_cache(_MAX_VARIANTS)
def _llms(public_url: str, script_root: str) -> StaticDocument:
    base_url = public_url or script_root
    text = render_template("llms.txt", base_url=base_url, guides=GUIDES, document=_document(public_url))
    return StaticDocument.of(text, "text/plain; charset=utf-8")


def _html(document: StaticDocument) -> Response:
    response = document.respond(_CACHE_CONTROL)
    response.headers["Content-Security-Policy"] = DOCS_POLICY
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _cross_origin(document: StaticDocument) -> Response:
    """Respond with a document that scripts of every origin may read."""
    response = document.respond(_CACHE_CONTROL)
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response
