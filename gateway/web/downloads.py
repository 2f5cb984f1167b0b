"""The story: a signed link becomes a download."""

from flask import Blueprint, Response, request

from gateway.errors import Maintenance
from gateway.web.pages import help_page
from gateway.web.responses import preflight_answer, respond
from gateway.web.state import services
from gateway.web.visitor import asked, query_bytes

blueprint = Blueprint("downloads", __name__)


@blueprint.get("/download/<task_id>", provide_automatic_options=False)
def download(task_id: str) -> Response:
    """Turn a signed link into a file: verify, admit, limit, resolve, deliver."""
    if not request.query_string:
        return help_page(task_id)
    gateway = services()
    ask = asked()  # PrefetchRefused, LoopDetected
    link = gateway.links.verify(task_id, query_bytes(), ask.visitor, ask.resumes)  # LinkError
    gateway.deliveries.admit(link, ask)  # GatewayBusy, TooManyStreams
    gateway.limit.spend(ask, link)  # RateLimited
    source = gateway.resolver.resolve(link.task_id, link.url)  # ProviderError
    delivered = gateway.deliveries.deliver(link, source, ask)  # OriginError, RangeNotSatisfiable
    return respond(delivered, link)


@blueprint.route("/download/<task_id>", methods=["OPTIONS"])
def preflight(task_id: str) -> Response:  # noqa: ARG001 (part of the route)
    """Tell a script of an allowed origin which headers it may send."""
    return preflight_answer()


def closed() -> Response:
    """Stand before every download while the operator works on the gateway.

    Raises:
        Maintenance: always.
    """
    raise Maintenance("GATEWAY_MAINTENANCE is on", retry_after_s=120)
