"""The API described: for programs, for people, and for language models."""

import json
from functools import lru_cache
from pathlib import Path

from flask import Blueprint, Response, render_template, request

from gateway.errors import NotFound
from gateway.web.app_context import settings
from gateway.web.pages import PAGE_POLICY
from gateway.web.reference import rendering
from gateway.web.reference.openapi import Json
from gateway.web.reference.operations import described
from gateway.web.static_document import StaticDocument

blueprint = Blueprint("docs", __name__)
GUIDES = {
    "api": ("API examples", "every call with curl, Python and JavaScript, ready to run"),
    "links": ("Signed links", "signing links in a program of your own, in Python, JavaScript, PHP, Go and shell"),
    "how-it-works": ("How it works", "what happens from the click to the last byte"),
    "settings": ("Settings", "what the operator of a gateway sets, and why"),
}
_FOLDER = Path(__file__).parents[2] / "docs"
_MOST_VARIANTS = 8  # an application has one public URL and one path in front; tests have many
_CACHE_CONTROL = "public, max-age=300"


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """Give the OpenAPI document to every program, scripts of other origins included: there is nothing secret in it."""
    return _to_everybody(_openapi(settings().public_url))


@blueprint.get("/docs")
def reference() -> Response:
    """Show the document to people."""
    response = _reference(settings().public_url, request.script_root).respond(_CACHE_CONTROL)
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@blueprint.get("/docs/<name>.md")
def guide(name: str) -> Response:
    """Give one of the guides as it is in the repository.

    Raises:
        NotFound: there is none of this name.
    """
    if name not in GUIDES:
        raise NotFound("no such guide")
    return _to_everybody(_guide(name))


@blueprint.get("/llms.txt")
def llms() -> Response:
    """Give the index for language models, in the form of llmstxt.org."""
    return _to_everybody(_llms(settings().public_url, request.script_root))


@lru_cache(_MOST_VARIANTS)
def _described(public_url: str) -> Json:
    return described(public_url)


@lru_cache(_MOST_VARIANTS)
def _openapi(public_url: str) -> StaticDocument:
    return StaticDocument.of(json.dumps(_described(public_url), ensure_ascii=False), "application/json")


@lru_cache(_MOST_VARIANTS)
def _reference(public_url: str, script_root: str) -> StaticDocument:  # noqa: ARG001 (the page's links begin with it)
    html = render_template("docs.html", document=_described(public_url), reading=rendering, guides=GUIDES)
    return StaticDocument.of(html, "text/html; charset=utf-8")


@lru_cache(_MOST_VARIANTS)
def _guide(name: str) -> StaticDocument:
    return StaticDocument.of((_FOLDER / f"{name}.md").read_bytes(), "text/markdown; charset=utf-8")


@lru_cache(_MOST_VARIANTS)
def _llms(public_url: str, script_root: str) -> StaticDocument:
    base_url = public_url or script_root
    text = render_template("llms.txt", base_url=base_url, guides=GUIDES, document=_described(public_url))
    return StaticDocument.of(text, "text/plain; charset=utf-8")


def _to_everybody(document: StaticDocument) -> Response:
    """Allow scripts of every origin to read it, and caches to keep it for five minutes."""
    response = document.respond(_CACHE_CONTROL)
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response
