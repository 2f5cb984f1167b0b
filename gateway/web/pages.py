"""HTML pages: home, help, link preview and problem types."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, make_response, render_template

from gateway import __version__
from gateway.delivery.filename import file_name
from gateway.errors import GatewayError, NotFound
from gateway.files.media_types import UNKNOWN
from gateway.links.link import Link
from gateway.web.app_context import settings
from gateway.web.reference.components import family
from gateway.web.request_logging import request_log
from gateway.web.responses import add_security_headers
from gateway.web.translations import texts

blueprint = Blueprint("pages", __name__)
_NO_FRAME = "frame-ancestors 'none'"
PAGE_POLICY = f"default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; {_NO_FRAME}"
_ERROR_TYPES = {error_type.code: error_type for error_type in family(GatewayError)}
_EXAMPLE_URL = "https%3A%2F%2Ftempfile.aiquickdraw.com%2Fv%2Fx.png"


@blueprint.get("/")
def home() -> Response:
    """Show the home page."""
    return page("home.html", version=__version__)


@blueprint.get("/problems/<code>")
def problem(code: str) -> Response:
    """Describe an error: the page that a problem document's ``type`` refers to (RFC 9457 section 3.1.1).

    Raises:
        NotFound: no error has this code.
    """
    error_type = _ERROR_TYPES.get(code)
    if error_type is None:
        raise NotFound("no error has this code")
    return page("error.html", error=texts()[code], status=int(error_type.status), code=code)


def help_page(task_id: str) -> Response:
    """Explain which parameters a link to ``/download/<task_id>`` needs."""
    link = f"{settings().public_url}/download/{task_id}/x.png?url={_EXAMPLE_URL}&expires=1764000000&sig=…"
    return page("help.html", example=link)


def preview_page(link: Link) -> Response:
    """The page from which chat apps make a preview card: the file's name and no image. It counts as no download."""
    request_log().outcome = "previewed"
    return page("preview.html", name=file_name(link.filename, link.url, link.task_id, UNKNOWN))


def policy_for_frames(ancestors: Sequence[str]) -> str:
    """The page policy that lets only ``ancestors`` frame the page (CSP 3, section 6.4.2)."""
    return PAGE_POLICY.replace(_NO_FRAME, "frame-ancestors " + " ".join(ancestors)) if ancestors else PAGE_POLICY


def page(template: str, http_status: int = 200, /, *, policy: str = PAGE_POLICY, **context: Any) -> Response:  # noqa: ANN401
    """Render a template in the visitor's language, with a Content-Security-Policy that allows no scripts."""
    html = render_template(template, texts=texts(), request_id=request_log().request_id, **context)
    response = make_response(html, http_status)
    response.headers["Content-Security-Policy"] = policy
    if _NO_FRAME in policy:  # for browsers without frame-ancestors; it cannot list origins
        response.headers["X-Frame-Options"] = "DENY"
    response.headers["Vary"] = "Accept-Language, Accept, Sec-Fetch-Dest, Sec-Fetch-Mode"
    return add_security_headers(response)
