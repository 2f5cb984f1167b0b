"""Liveness, readiness and metrics, for the operator."""

import hmac
from datetime import UTC, datetime

from flask import Blueprint, Response, jsonify, request

from gateway.errors import KeyMissing, NotFound
from gateway.web.app_context import services, settings
from gateway.web.responses import add_security_headers
from gateway.web.schemas import Checks, Readiness

blueprint = Blueprint("ops", __name__)
_HEALTHY = {"ok", "off", "not used", "unknown"}


@blueprint.get("/healthz")
def healthz() -> Response:
    """Liveness: the process responds. Checks no dependency."""
    return add_security_headers(Response("ok\n", mimetype="text/plain"))


@blueprint.get("/readyz")
def readyz() -> Response:
    """Readiness: 200 when downloads can be served, else 503; the body has the state of each dependency.

    A database that is down makes the gateway ``degraded``, as page links need none, except with the store resolver.
    So does a provider whose last call failed, as cached direct URLs stay in use until the circuit breaker opens.
    """
    gateway = services()
    checks = Checks(
        database="ok" if gateway.database.is_available() else "down",
        store="not used" if gateway.store is None else "ok" if gateway.store.objects.is_available() else "down",
        provider=_provider(),
        maintenance="on" if settings().maintenance else "off",
    )
    failing = {name for name, state in checks.model_dump().items() if state not in _HEALTHY}
    tolerated = set() if gateway.breaker.is_open else {"provider"}
    if gateway.store is None:
        tolerated.add("database")
    ready = failing <= tolerated
    status = "not ready" if not ready else "degraded" if failing else "ready"
    readiness = Readiness(status=status, checks=checks, warnings=list(settings().warnings))
    response = jsonify(readiness.model_dump())
    response.status_code = 200 if ready else 503
    return add_security_headers(response)


@blueprint.get("/metrics")
def metrics() -> Response:
    """The metrics of all workers, for Prometheus.

    Raises:
        NotFound: ``GATEWAY_METRICS_TOKEN`` is not set.
        KeyMissing: the request has no token, or a wrong one.
    """
    token = settings().metrics_token
    if not token:
        raise NotFound("GATEWAY_METRICS_TOKEN is not set", enabled_by="GATEWAY_METRICS_TOKEN")
    authorization = request.headers.get("Authorization", "")
    if not hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
        raise KeyMissing("missing or wrong token")
    text, content_type = services().metrics.exposition()
    return add_security_headers(Response(text, content_type=content_type))


def _provider() -> str:
    """The state of the provider after this worker's last calls. Makes no call."""
    gateway = services()
    if gateway.provider is None:
        return "not used"
    status = gateway.breaker.status
    if status is None:
        return "ok" if gateway.breaker.has_outcome else "unknown"
    return f"{status.what} since {datetime.fromtimestamp(status.since, UTC):%Y-%m-%dT%H:%M:%SZ}"
