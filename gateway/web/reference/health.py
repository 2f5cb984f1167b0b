"""What whoever runs the gateway asks."""

from gateway.settings import RELATIVE_LINKS
from gateway.web.reference.openapi import JSON, Answer, Content, Operation
from gateway.web.schemas import Readiness

TAG = "Health"
ABOUT = "For load balancers and monitoring."

_CHECKS = {"database": "ok", "store": "ok", "provider": "ok", "maintenance": "off"}
_UNSET = [RELATIVE_LINKS]
_DEGRADED = _CHECKS | {"database": "down", "store": "not used"}

OPERATIONS = (
    Operation(
        id="healthz",
        method="get",
        path="/healthz",
        tag=TAG,
        summary="Is it alive?",
        description="The process answers. Nobody else is asked.",
        answers=[Answer(200, "Yes", Content({"text/plain": {"type": "string", "const": "ok\n"}}))],
    ),
    Operation(
        id="readyz",
        method="get",
        path="/readyz",
        tag=TAG,
        summary="Can it serve downloads?",
        description="Looks at what downloads depend on. `degraded` is still a yes: page links work, though the "
        "database does not answer, where API keys are.",
        answers=[
            Answer(
                200,
                "Yes",
                Content(
                    {JSON: Readiness},
                    {
                        "ready": {"status": "ready", "checks": _CHECKS, "warnings": []},
                        "degraded": {"status": "degraded", "checks": _DEGRADED, "warnings": _UNSET},
                    },
                ),
            ),
            Answer(
                503,
                "No: something is down, or stands against it",
                Content(
                    {JSON: Readiness},
                    {"not ready": {"status": "not ready", "checks": _CHECKS | {"store": "down"}, "warnings": []}},
                ),
            ),
        ],
    ),
)
