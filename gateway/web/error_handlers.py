"""Errors become answers here, and nowhere else: a page, a problem, a line of text, or the API's envelope."""

import traceback

import structlog
from flask import Flask, Response, jsonify, request, url_for
from werkzeug.exceptions import HTTPException, MethodNotAllowed as WerkzeugMethodNotAllowed

from gateway.delivery.headers import cors_headers
from gateway.errors import (
    BodyTooLarge,
    GatewayBusy,
    GatewayError,
    InternalError,
    MethodNotAllowed,
    NotFound,
    OtherHttpError,
    RateLimited,
    RetryLater,
)
from gateway.web.hooks import request_log
from gateway.web.pages import page, policy_for_frames
from gateway.web.request_parsing import allowed_origin, form
from gateway.web.responses import contract_envelope, envelope, private
from gateway.web.state import services, settings
from gateway.web.texts import texts
from gateway.web.waiting import next_try

_log = structlog.get_logger("gateway.faults")


def init_app(app: Flask) -> None:
    """Register the three handlers."""
    app.register_error_handler(GatewayError, _gateway_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unforeseen)


def _gateway_error(error: GatewayError) -> Response:
    own = request_log()
    own.outcome, own.reason = error.code, str(error)
    if isinstance(error, RateLimited | GatewayBusy):
        services().metrics.limit_hit(error.code)
    if error.server_fault:
        _log.error("fault", code=error.code, reason=str(error), request_id=request_log().request_id)
    response = _FORMS[form()](error)
    response.headers.extend(error.headers)
    for name, value in cors_headers(allowed_origin(request.environ, settings().cors_origins)):
        response.headers[name] = value
    return private(response)


def _http_error(error: HTTPException) -> Response:
    if isinstance(error, WerkzeugMethodNotAllowed):
        return _gateway_error(MethodNotAllowed(list(error.valid_methods or [])))
    known = {404: NotFound, 413: BodyTooLarge}.get(error.code or 500)
    return _gateway_error(known() if known else OtherHttpError(error.code or 500))


def _unforeseen(error: Exception) -> Response:
    # Where it happened, and not what it says: a library's message may hold a URL with its signature.
    where = "".join(traceback.format_tb(error.__traceback__))
    _log.error("unforeseen", kind=type(error).__name__, where=where, request_id=request_log().request_id)
    return _gateway_error(_Reported("unforeseen " + type(error).__name__))


class _Reported(InternalError):
    """An internal error that was logged with its place already."""

    server_fault = False


def _as_page(error: GatewayError) -> Response:
    retry_after_s = error.retry_after_s if isinstance(error, RetryLater) else None
    again = next_try(error)
    response = page(
        "error.html",
        int(error.status),
        policy=policy_for_frames(settings().frame_ancestors),
        error=texts()[error.code],
        status=int(error.status),
        code=error.code,
        retry=error.retry,
        retry_after_s=retry_after_s,
        again_after_s=again.after_s if again else None,
    )
    if again:
        response.headers["Refresh"] = f"{again.after_s}; url={again.url}"
    return response


def _as_problem(error: GatewayError) -> Response:
    """RFC 9457; the type is a relative reference to the page on the code."""
    response = jsonify(
        type=url_for("problems.problem", code=error.code),
        title=error.status.phrase,
        status=int(error.status),
        detail=error.detail,
        requestId=request_log().request_id,
    )
    response.status_code = int(error.status)
    response.mimetype = "application/problem+json"
    return response


def _as_text(error: GatewayError) -> Response:
    line = f"{int(error.status)} {error.code}: {error.detail}\nrequest: {request_log().request_id}\n"
    return Response(line, status=int(error.status), mimetype="text/plain")


def _as_envelope(error: GatewayError) -> Response:
    return envelope(None, code=int(error.status), msg=error.detail)


def _as_contract(error: GatewayError) -> Response:
    return contract_envelope(None, *error.contract)


_FORMS = {
    "contract": _as_contract,
    "page": _as_page,
    "problem": _as_problem,
    "text": _as_text,
    "envelope": _as_envelope,
}
