"""Health checks."""

from gateway.settings import RELATIVE_LINKS
from gateway.web.reference.openapi import JSON, Content, Operation, Response
from gateway.web.schemas import Readiness

TAG = "Health"
DESCRIPTION = "Checks for load balancers and monitoring."

_CHECKS = {"database": "ok", "store": "ok", "provider": "ok", "maintenance": "off"}
_DEGRADED = _CHECKS | {"database": "down", "store": "not used"}

OPERATIONS = (
    Operation(
        id="healthz",
        method="get",
        path="/healthz",
        tag=TAG,
        summary="Liveness",
        description="Reports that the process is running. It does not check the database, the store or the provider.",
        responses=[
            Response(200, "The process is running.", Content({"text/plain": {"type": "string", "const": "ok\n"}}))
        ],
    ),
    Operation(
        id="readyz",
        method="get",
        path="/readyz",
        tag=TAG,
        summary="Readiness",
        description="Checks the database, the store and the provider. The status `degraded` also returns 200: signed "
        "links work, but the database is down, so that API keys stored in it do not, or the last call to the provider "
        "failed.",
        responses=[
            Response(
                200,
                "The gateway can serve downloads.",
                Content(
                    {JSON: Readiness},
                    {
                        "ready": {"status": "ready", "checks": _CHECKS, "warnings": []},
                        "degraded": {"status": "degraded", "checks": _DEGRADED, "warnings": [RELATIVE_LINKS]},
                    },
                ),
            ),
            Response(
                503,
                "The gateway cannot serve downloads.",
                Content(
                    {JSON: Readiness},
                    {"not ready": {"status": "not ready", "checks": _CHECKS | {"store": "down"}, "warnings": []}},
                ),
            ),
        ],
    ),
)
