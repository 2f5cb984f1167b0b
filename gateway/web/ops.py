"""For whoever runs the gateway: alive, and ready."""

from flask import Blueprint, Response, jsonify

from gateway.web.responses import private
from gateway.web.state import services, settings

blueprint = Blueprint("ops", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process answers. Asks nobody else."""
    return private(Response("ok\n", mimetype="text/plain"))


@blueprint.get("/readyz")
def readyz() -> Response:
    """Downloads can be served: 200, or 503 with the dependency that stands against it."""
    own = services().own
    checks = {
        "database": "not used" if own is None else "ok" if own.database.answers() else "down",
        "store": "not used" if own is None else "ok" if own.objects.answers() else "down",
        "provider": "paused after failures" if services().breaker.is_open else "ok",
        "maintenance": "on" if settings().maintenance else "off",
    }
    ready = not {"down", "paused after failures", "on"} & set(checks.values())
    response = jsonify(status="ready" if ready else "not ready", checks=checks)
    response.status_code = 200 if ready else 503
    return private(response)
