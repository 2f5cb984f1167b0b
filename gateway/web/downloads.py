"""The story: a signed link becomes a download."""

import re

from flask import Blueprint, Response, request

from gateway.delivery.exchange import DownloadRequest, DownloadResponse
from gateway.errors import Maintenance
from gateway.links.link import Link
from gateway.services import Services
from gateway.web.app_context import services
from gateway.web.download_app import raise_refusal
from gateway.web.pages import help_page, preview_page
from gateway.web.preview_bots import is_preview_bot
from gateway.web.responses import preflight_response

blueprint = Blueprint("downloads", __name__)
PATH = re.compile(r"/download/(?P<task_id>[^/]+)(?:/[^/]+)?")  # the name is for clients that save under it


def download(
    gateway: Services, download_request: DownloadRequest, query: bytes, task_id: str
) -> tuple[Link, DownloadResponse]:
    """Turn a signed link into a file: verify, admit, limit, resolve, deliver."""
    link = gateway.links.verify(task_id, query, download_request.visitor, download_request.resumes)  # LinkError
    gateway.deliverer.check_slots(link, download_request)  # GatewayBusy, TooManyStreams
    gateway.limit.spend(download_request, link)  # RateLimited
    source = gateway.resolver.resolve(link.task_id, link.url)  # ProviderError
    return link, gateway.deliverer.deliver(link, source, download_request)  # OriginError, RangeNotSatisfiable


@blueprint.get("/download/<task_id>", provide_automatic_options=False)
@blueprint.get("/download/<task_id>/<name>", provide_automatic_options=False)
def refusal(task_id: str, name: str = "") -> Response:  # noqa: ARG001 (part of the route)
    """Say why the door did not open; to a link previewer, what the link is; without a query, what a link needs."""
    raise_refusal(request.environ)
    if request.query_string and is_preview_bot(request.environ):
        return preview_page(services().links.verify(task_id, request.query_string))
    return help_page(task_id)


@blueprint.route("/download/<task_id>", methods=["OPTIONS"])
@blueprint.route("/download/<task_id>/<name>", methods=["OPTIONS"])
def preflight(task_id: str, name: str = "") -> Response:  # noqa: ARG001 (part of the route)
    """Tell a script of an allowed origin which headers it may send."""
    return preflight_response()


def refuse_in_maintenance() -> Response:
    """Refuse every download while ``GATEWAY_MAINTENANCE`` is on.

    Raises:
        Maintenance: always.
    """
    raise Maintenance("GATEWAY_MAINTENANCE is on", retry_after_s=120)
