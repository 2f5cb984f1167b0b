"""What opens a call: the security schemes of the document."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.keys.key import Scope

# As OpenAPI has it: any of these is enough, and of each everything; without any, the call is open to all.
Proofs = Sequence[Mapping[str, Sequence[str]]]

SCHEMES: dict[str, dict[str, Any]] = {
    "BearerAuth": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "API Key",
        "description": "An API key of this gateway, in the header `Authorization: Bearer <key>`. Its operator gives "
        "keys out, each with the scopes that it opens. Keep yours secure: it never belongs into a page, an app or a "
        "repository.",
    },
    "CallbackToken": {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "The token of the callback URL, which the operator's command `flask --app wsgi callback-url` "
        "prints. Whoever has it may tell the gateway of tasks.",
    },
    "WebhookSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Webhook-Signature",
        "description": "Where the operator has set `GATEWAY_CALLBACK_KEY`, the proof in place of the token: "
        "base64 of HMAC-SHA256, under that key, over `<taskId>.<timestamp>`.",
    },
    "WebhookTimestamp": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Webhook-Timestamp",
        "description": "The timestamp that is signed, in Unix seconds. At most five minutes old.",
    },
}
CALLBACK: Proofs = [{"CallbackToken": []}, {"WebhookSignature": [], "WebhookTimestamp": []}]


def key(scope: Scope) -> Proofs:
    """An API key that has a scope."""
    return [{"BearerAuth": [scope]}]
