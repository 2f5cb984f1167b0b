"""For whoever runs the gateway: alive, and ready."""

import hmac
from datetime import UTC, datetime

from flask import Blueprint, Response, jsonify, request

from gateway.errors import KeyMissing, NotFound
from gateway.web.app_context import services, settings
from gateway.web.responses import private
from gateway.web.schemas import Checks, Readiness

blueprint = Blueprint("ops", __name__)
_GOOD = {"ok", "off", "not used", "unknown"}


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process answers. Asks nobody else."""
    return private(Response("ok\n", mimetype="text/plain"))


@blueprint.get("/readyz")
def readyz() -> Response:
    """Downloads can be served: 200, or 503 with the dependency that stands against it.

    Without the database, page links still work, but for those to our own records: that is 200 and ``degraded``. So is a
    provider that failed at the last call, refuses our key or asks to be left alone, as direct URLs that are known go on
    being used. Before the first call nothing is known of the provider: ``unknown``.
    """
    gateway = services()
    checks = Checks(
        database="ok" if gateway.database.answers() else "down",
        store="not used" if gateway.own is None else "ok" if gateway.own.objects.answers() else "down",
        provider=_provider(),
        maintenance="on" if settings().maintenance else "off",
    )
    bad = {name for name, state in checks.model_dump().items() if state not in _GOOD}
    harmless = set() if gateway.breaker.is_open else {"provider"}
    if gateway.own is None:
        harmless.add("database")
    ready = bad <= harmless
    status = "not ready" if not ready else "degraded" if bad else "ready"
    readiness = Readiness(status=status, checks=checks, warnings=list(settings().warnings))
    response = jsonify(readiness.model_dump())
    response.status_code = 200 if ready else 503
    return private(response)


@blueprint.get("/metrics")
def metrics() -> Response:
    """What all workers counted, for Prometheus.

    Raises:
        NotFound: ``GATEWAY_METRICS_TOKEN`` is not set.
        KeyMissing: the token did not come with the request.
    """
    token = settings().metrics_token
    if not token:
        raise NotFound("GATEWAY_METRICS_TOKEN is not set", opened_by="GATEWAY_METRICS_TOKEN")
    raw = request.headers.get("Authorization", "")
    if not hmac.compare_digest(raw.encode(), f"Bearer {token}".encode()):
        raise KeyMissing("no token, or another one")
    text, content_type = services().metrics.exposition()
    return private(Response(text, content_type=content_type))


def _provider() -> str:
    """The state of the provider, by the last calls of this worker. Makes no call."""
    gateway = services()
    if gateway.provider is None:
        return "not used"
    status = gateway.breaker.status
    if status is None:
        return "ok" if gateway.breaker.has_outcome else "unknown"
    return f"{status.what} since {datetime.fromtimestamp(status.since, UTC):%Y-%m-%dT%H:%M:%SZ}"
