"""The project's documentation, rendered as HTML at ``/guides/<path>``; paths are those of the repository."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, redirect, request, url_for
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from gateway.errors import NotFound
from gateway.web import docs
from gateway.web.pages import page
from gateway.web.static_document import StaticDocument

blueprint = Blueprint("guides", __name__)
_ROOT = Path(__file__).parents[2]
_PUBLIC = ("*.md", "LICENSE", "bench/*.md", "docs/**/*.*", "gateway/**/*.py")  # what the documentation links to
_TYPES = {".json": "application/json", ".svg": "image/svg+xml", ".webp": "image/webp"}
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def init_app(app: Flask) -> None:
    """Register ``/guides/``, and redirect browsers from the Markdown of a guide to its page."""
    app.register_blueprint(blueprint)
    markdown = app.view_functions["docs.guide"]

    def guide_or_page(name: str) -> Any:  # noqa: ANN401 (a Flask view)
        """Return Markdown to programs; redirect browsers."""
        if (
            name in docs.GUIDES
            and request.accept_mimetypes.quality("text/html") > request.accept_mimetypes["text/markdown"]
        ):
            return redirect(url_for("guides.guide", path=f"docs/{name}.md"))
        return markdown(name=name)

    app.view_functions["docs.guide"] = guide_or_page


@blueprint.get("/guides/<path:path>")
def guide(path: str) -> Response:
    """Return a page of the documentation, or a file that one of them links to.

    Raises:
        NotFound: the documentation has no such file.
    """
    file = _files().get(path)
    if file is None:
        raise NotFound("no such guide")
    if file.suffix != ".md":
        content_type = _TYPES.get(file.suffix, "text/plain; charset=utf-8")
        return StaticDocument.of(file.read_bytes(), content_type).respond("no-cache")
    title, html = render(file.read_text("utf-8"))
    return page("guide.html", title=title, html=html)


@lru_cache
def _files() -> dict[str, Path]:
    found = (file for pattern in _PUBLIC for file in _ROOT.glob(pattern) if file.is_file())
    return {file.relative_to(_ROOT).as_posix(): file for file in found}


@lru_cache
def render(markdown: str) -> tuple[str, Markup]:
    """Render Markdown without raw HTML; headings get the ids that GitHub gives them.

    Returns:
        The text of the first heading, and the HTML.
    """
    tokens = _MARKDOWN.parse(markdown)
    headings = [tokens[i + 1] for i, token in enumerate(tokens) if token.type == "heading_open"]
    for i, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", _slug(tokens[i + 1]))
        elif token.type in {"table_open", "fence"}:
            token.attrSet("tabindex", "0")
    title = _text(headings[0]) if headings else ""
    return title, Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))  # noqa: S704 (html is disabled)


def _text(inline: Token) -> str:
    return "".join(child.content for child in inline.children or ())


def _slug(inline: Token) -> str:
    return re.sub(r"[^\w\- ]", "", _text(inline).lower()).replace(" ", "-")
