"""For whoever runs the gateway: alive, and ready."""

from flask import Blueprint, Response, jsonify

from gateway.web.responses import private
from gateway.web.schemas import Checks, Readiness
from gateway.web.state import services, settings

blueprint = Blueprint("ops", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process answers. Asks nobody else."""
    return private(Response("ok\n", mimetype="text/plain"))


@blueprint.get("/readyz")
def readyz() -> Response:
    """Downloads can be served: 200, or 503 with the dependency that stands against it.

    Without the database, page links still work, but for those to our own records: that is 200 and ``degraded``.
    """
    gateway = services()
    checks = Checks(
        database="ok" if gateway.database.answers() else "down",
        store="not used" if gateway.own is None else "ok" if gateway.own.objects.answers() else "down",
        provider="paused after failures" if gateway.breaker.is_open else "ok",
        maintenance="on" if settings().maintenance else "off",
    )
    bad = {"down", "paused after failures", "on"} & set(checks.model_dump().values())
    ready = not bad or (bad == {"down"} and gateway.own is None)
    status = "not ready" if not ready else "degraded" if bad else "ready"
    response = jsonify(Readiness(status=status, checks=checks).model_dump())
    response.status_code = 200 if ready else 503
    return private(response)
