"""Flask responses from plain values."""

from http import HTTPStatus
from typing import Any

from flask import Response, g, jsonify, request

from gateway.delivery.headers import cors_headers
from gateway.web.app_context import settings
from gateway.web.request_parsing import allowed_origin


def envelope(data: Any, code: int = 200, msg: str = "success") -> Response:  # noqa: ANN401 (any JSON)
    """The API's one form of answer; on our own routes the HTTP status equals the code.

    A caller whose key has a limit is told in the headers what is left of it.
    """
    response = jsonify(code=code, msg=msg, data=data)
    response.status_code = code
    if "allowance" in g:
        response.headers.extend(g.allowance.headers)
    return private(response)


def contract_envelope(data: Any, code: int = 200, msg: str = "success") -> Response:  # noqa: ANN401 (any JSON)
    """The envelope as the provider's contract has it: the code in the body, the HTTP status mostly 200."""
    response = envelope(data, code, msg)
    response.status_code = contract_status(code)
    response.headers["Content-Type"] = "application/json;charset=UTF-8"
    return response


def contract_status(code: int) -> int:
    """The HTTP status that goes with a code of the contract: 200, but for a few that are real statuses."""
    return code if code in {405, 429, 500} else 200


def private(response: Response) -> Response:
    """Mark an answer as nobody's to keep, and nothing to run."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    return response


def options_answer(allow: str) -> Response:
    """The answer to OPTIONS: the methods that the address takes, and no body, so no type of one either."""
    response = Response(status=HTTPStatus.NO_CONTENT, headers={"Allow": allow})
    del response.headers["Content-Type"]  # Flask's default
    return private(response)


def preflight_answer() -> Response:
    """The answer to a CORS preflight (Fetch standard); for origins that are not allowed it allows nothing."""
    response = options_answer("GET, HEAD, OPTIONS")
    response.headers["Vary"] = "Origin"
    if origin := allowed_origin(request.environ, settings().cors_origins):
        response.headers.extend(cors_headers(origin))
        response.headers["Access-Control-Allow-Methods"] = "GET, HEAD"
        response.headers["Access-Control-Allow-Headers"] = "Range, If-Range, If-Match, If-None-Match, X-Request-Id"
        response.headers["Access-Control-Max-Age"] = "600"
    return response
