"""``GET /download/<task_id>``: a signed link becomes a download."""

from flask import Blueprint, Response, request

from gateway.delivery.exchange import DownloadRequest, DownloadResponse
from gateway.errors import Maintenance
from gateway.links.link import Link
from gateway.services import Services
from gateway.web.app_context import services
from gateway.web.download_app import FileRoute
from gateway.web.pages import help_page, preview_page
from gateway.web.preview_bots import is_preview_bot
from gateway.web.responses import preflight_response

blueprint = Blueprint("downloads", __name__)


def download(
    gateway: Services,
    download_request: DownloadRequest,
    query: bytes,
    task_id: str,
    name: str = "",  # noqa: ARG001 (for clients that save the file under the last segment of the path)
) -> tuple[Link, DownloadResponse]:
    """Verify, limit, resolve, then plan and deliver."""
    link = gateway.links.verify(task_id, query, download_request.visitor, download_request.resumes)  # LinkError
    gateway.deliverer.check_slots(link, download_request)  # GatewayBusy, TooManyStreams
    gateway.limit.spend(download_request, link)  # RateLimited
    source = gateway.resolver.resolve(link.task_id, link.url)  # ProviderError
    return link, gateway.deliverer.deliver(link, source, download_request)  # OriginError, RangeNotSatisfiable


def help_or_preview(task_id: str, name: str = "") -> Response:  # noqa: ARG001 (part of the route)
    """Show what a link needs; to a preview bot, show what the link leads to."""
    if request.query_string and is_preview_bot(request.environ):
        return preview_page(services().links.verify(task_id, request.query_string))
    return help_page(task_id)


ROUTE = FileRoute("/download/<task_id>", download, suffix="/<name>")
ROUTE.add_view(blueprint, help_or_preview, options=False)


@blueprint.route("/download/<task_id>", methods=["OPTIONS"])
@blueprint.route("/download/<task_id>/<name>", methods=["OPTIONS"])
def preflight(task_id: str, name: str = "") -> Response:  # noqa: ARG001 (part of the route)
    """Answer a CORS preflight request."""
    return preflight_response()


def refuse_in_maintenance() -> Response:
    """Refuse every download while ``GATEWAY_MAINTENANCE`` is on.

    Raises:
        Maintenance: always.
    """
    raise Maintenance("GATEWAY_MAINTENANCE is on", retry_after_s=120)
