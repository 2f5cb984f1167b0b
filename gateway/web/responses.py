"""Flask responses: API envelopes, and responses to OPTIONS."""

from http import HTTPStatus
from typing import Any

from flask import Response, g, jsonify, request

from gateway.delivery.headers import cors_headers
from gateway.web.app_context import settings
from gateway.web.request_parsing import allowed_origin


def envelope(data: Any, code: int = 200, msg: str = "success") -> Response:  # noqa: ANN401 (any JSON)
    """The response of an API call: an envelope whose HTTP status equals the code, with ``RateLimit-*`` headers."""
    response = jsonify(code=code, msg=msg, data=data)
    response.status_code = code
    if "rate_limit" in g:
        response.headers.extend(g.rate_limit.headers)
    return add_security_headers(response)


def contract_envelope(data: Any, code: int = 200, msg: str = "success") -> Response:  # noqa: ANN401 (any JSON)
    """The response of a call of the provider's contract: mostly HTTP 200, with the code in the body."""
    response = envelope(data, code, msg)
    response.status_code = contract_status(code)
    response.headers["Content-Type"] = "application/json;charset=UTF-8"
    return response


def contract_status(code: int) -> int:
    """The HTTP status for a code of the contract: 200, except for 405, 429 and 500."""
    return code if code in {405, 429, 500} else 200


def add_security_headers(response: Response) -> Response:
    """Add the headers that forbid caching, indexing, MIME sniffing and scripts."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    return response


def options_response(allow: str) -> Response:
    """The response to OPTIONS: 204 with ``Allow``, without a body or a Content-Type."""
    response = Response(status=HTTPStatus.NO_CONTENT, headers={"Allow": allow})
    del response.headers["Content-Type"]  # Flask's default
    return add_security_headers(response)


def preflight_response() -> Response:
    """The response to a CORS preflight (Fetch standard); it grants nothing to origins that are not allowed."""
    response = options_response("GET, HEAD, OPTIONS")
    response.headers["Vary"] = "Origin"
    if origin := allowed_origin(request.environ, settings().cors_origins):
        response.headers.extend(cors_headers(origin))
        response.headers["Access-Control-Allow-Methods"] = "GET, HEAD"
        response.headers["Access-Control-Allow-Headers"] = "Range, If-Range, If-Match, If-None-Match, X-Request-Id"
        response.headers["Access-Control-Max-Age"] = "600"
    return response
