"""Security schemes of the OpenAPI document."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.keys.key import Scope

# OpenAPI 3.1 section 4.8.30: alternatives, each of which names schemes that are all required. Empty: public.
Security = Sequence[Mapping[str, Sequence[str]]]

SECURITY_SCHEMES: dict[str, dict[str, Any]] = {
    "BearerAuth": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "API Key",
        "description": "An API key in the header `Authorization: Bearer <key>`. The operator of the gateway issues "
        "keys; each has scopes, which name the calls that it may make. Use keys on servers only: never put one into a "
        "page, an app or a repository.",
    },
    "CallbackToken": {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "The token of the callback URL. The command `flask --app wsgi callback-url` prints that URL. "
        "Anyone who has the token can report tasks, so keep it secret.",
    },
    "WebhookSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Webhook-Signature",
        "description": "Replaces the token when the operator has set `GATEWAY_CALLBACK_KEY`. Base64 of the "
        "HMAC-SHA256 of `<taskId>.<timestamp>` under that key.",
    },
    "WebhookTimestamp": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Webhook-Timestamp",
        "description": "The signed timestamp, in Unix seconds. It may be at most five minutes old.",
    },
}
CALLBACK: Security = [{"CallbackToken": []}, {"WebhookSignature": [], "WebhookTimestamp": []}]


def api_key(scope: Scope) -> Security:
    """An API key with a scope."""
    return [{"BearerAuth": [scope]}]
