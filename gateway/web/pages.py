"""Pages for people."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, make_response, render_template

from gateway import __version__
from gateway.delivery.filename import file_name
from gateway.files.media_types import UNKNOWN
from gateway.links.link import Link
from gateway.web.hooks import request_log
from gateway.web.responses import private
from gateway.web.state import settings
from gateway.web.texts import texts

blueprint = Blueprint("pages", __name__)
_NO_FRAME = "frame-ancestors 'none'"
PAGE_POLICY = f"default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; {_NO_FRAME}"
_EXAMPLE_URL = "https%3A%2F%2Ftempfile.aiquickdraw.com%2Fv%2Fx.png"


@blueprint.get("/")
def home() -> Response:
    """Say what this is."""
    return page("home.html", version=__version__)


def help_page(task_id: str) -> Response:
    """Say what a link to ``/download/<task_id>`` needs."""
    link = f"{settings().public_url}/download/{task_id}/x.png?url={_EXAMPLE_URL}&expires=1764000000&sig=…"
    return page("help.html", example=link)


def preview_page(link: Link) -> Response:
    """Say what a link leads to, for the card that a chat shows: a title, no image. Counts nothing."""
    request_log().outcome = "previewed"
    return page("preview.html", name=file_name(link.filename, link.url, link.task_id, UNKNOWN))


def policy_for_frames(ancestors: Sequence[str]) -> str:
    """The ``frame-ancestors`` policy of a page: these origins only, or none (CSP 3, 6.4.2)."""
    return PAGE_POLICY.replace(_NO_FRAME, "frame-ancestors " + " ".join(ancestors)) if ancestors else PAGE_POLICY


def page(template: str, http_status: int = 200, /, *, policy: str = PAGE_POLICY, **context: Any) -> Response:  # noqa: ANN401
    """Render a page in the visitor's language, under a policy that runs nothing."""
    html = render_template(template, texts=texts(), request_id=request_log().request_id, **context)
    response = make_response(html, http_status)
    response.headers["Content-Security-Policy"] = policy
    if _NO_FRAME in policy:  # for browsers that know nothing of frame-ancestors; it can name no other origins
        response.headers["X-Frame-Options"] = "DENY"
    response.headers["Vary"] = "Accept-Language, Accept, Sec-Fetch-Dest, Sec-Fetch-Mode"
    return private(response)
