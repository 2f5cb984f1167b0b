"""What whoever runs the gateway asks."""

from gateway.web.reference.openapi import JSON, Answer, Content, Operation
from gateway.web.schemas import Readiness

TAG = "Health"
ABOUT = "For load balancers and monitoring."

_READY = {"database": "ok", "provider": "ok", "maintenance": "off"}

OPERATIONS = (
    Operation(
        id="healthz",
        method="get",
        path="/healthz",
        tag=TAG,
        summary="Is it alive?",
        description="The process answers. Nobody else is asked.",
        answers=[Answer(200, "Yes", Content({"text/plain": {"type": "string", "const": "ok\n"}}))],
        public=True,
    ),
    Operation(
        id="readyz",
        method="get",
        path="/readyz",
        tag=TAG,
        summary="Can it serve downloads?",
        description="Looks at what downloads depend on.",
        answers=[
            Answer(200, "Yes", Content({JSON: Readiness}, {"ready": {"status": "ready", "checks": _READY}})),
            Answer(
                503,
                "No: something is down, or stands against it",
                Content(
                    {JSON: Readiness},
                    {"not ready": {"status": "not ready", "checks": _READY | {"database": "down"}}},
                ),
            ),
        ],
        public=True,
    ),
)
