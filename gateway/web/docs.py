"""The API described: for programs, for people, and for language models."""

import json
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, render_template, request, send_from_directory

from gateway.errors import NotFound
from gateway.web.pages import page
from gateway.web.reference import reading
from gateway.web.reference.openapi import Json
from gateway.web.reference.table import described
from gateway.web.state import settings

blueprint = Blueprint("docs", __name__)
GUIDES = {
    "api": ("API examples", "every call with curl, Python and JavaScript, ready to run"),
    "links": ("Signed links", "signing links in a program of your own, in Python, JavaScript, PHP, Go and shell"),
    "how-it-works": ("How it works", "what happens from the click to the last byte"),
    "settings": ("Settings", "what the operator of a gateway sets, and why"),
}
_FOLDER = Path(__file__).parents[2] / "docs"
_CACHED_S = 300


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """Give the OpenAPI document to every program, scripts of other origins included: there is nothing secret in it."""
    return _open(Response(_written(settings().public_url), mimetype="application/json"))


@blueprint.get("/docs")
def reference() -> Response:
    """Show the document to people."""
    return page("docs.html", document=_described(settings().public_url), reading=reading, guides=GUIDES)


@blueprint.get("/docs/<name>.md")
def guide(name: str) -> Response:
    """Give one of the guides as it is in the repository.

    Raises:
        NotFound: there is none of this name.
    """
    if name not in GUIDES:
        raise NotFound("no such guide")
    return _open(send_from_directory(_FOLDER, f"{name}.md", mimetype="text/markdown"))


@blueprint.get("/llms.txt")
def llms() -> Response:
    """Give the index for language models, in the form of llmstxt.org."""
    base_url = settings().public_url or request.script_root
    text = render_template("llms.txt", base_url=base_url, guides=GUIDES, document=_described(settings().public_url))
    return _open(Response(text, mimetype="text/plain"))


@cache
def _described(public_url: str) -> Json:
    return described(public_url)


@cache
def _written(public_url: str) -> str:
    return json.dumps(_described(public_url), ensure_ascii=False)


def _open(response: Response) -> Response:
    """Let everybody have it, and keep it for some minutes."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cache-Control"] = f"public, max-age={_CACHED_S}"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
    return response
