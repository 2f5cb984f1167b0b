"""The only place that renders errors: as an HTML page, a problem document, plain text, or an API envelope."""

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
from gateway.web.app_context import services, settings
from gateway.web.auto_refresh import next_refresh
from gateway.web.pages import page, policy_for_frames
from gateway.web.request_logging import request_log
from gateway.web.request_parsing import allowed_origin, error_format
from gateway.web.responses import add_security_headers, contract_envelope, envelope
from gateway.web.translations import texts

_log = structlog.get_logger("gateway.faults")


def init_app(app: Flask) -> None:
    """Register the error handlers."""
    app.register_error_handler(GatewayError, _gateway_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected_error)


def _gateway_error(error: GatewayError) -> Response:
    entry = request_log()
    entry.outcome, entry.reason = error.code, str(error)
    if isinstance(error, RateLimited | GatewayBusy):
        services().metrics.limit_hit(error.code)
    if error.server_fault:
        _log.error("fault", code=error.code, reason=str(error), request_id=entry.request_id)
    response = _RENDERERS[error_format()](error)
    response.headers.extend(error.headers)
    for name, value in cors_headers(allowed_origin(request.environ, settings().cors_origins)):
        response.headers[name] = value
    return add_security_headers(response)


def _http_error(error: HTTPException) -> Response:
    if isinstance(error, WerkzeugMethodNotAllowed):
        return _gateway_error(MethodNotAllowed(list(error.valid_methods or [])))
    error_type = {404: NotFound, 413: BodyTooLarge}.get(error.code or 500)
    return _gateway_error(error_type() if error_type else OtherHttpError(error.code or 500))


def _unexpected_error(error: Exception) -> Response:
    # Log the traceback without the message: a library's message may contain a signed URL.
    where = "".join(traceback.format_tb(error.__traceback__))
    _log.error("unforeseen", kind=type(error).__name__, where=where, request_id=request_log().request_id)
    return _gateway_error(_LoggedError("unforeseen " + type(error).__name__))


class _LoggedError(InternalError):
    """An internal error that is already logged, with its traceback."""

    server_fault = False


def _as_page(error: GatewayError) -> Response:
    retry_after_s = error.retry_after_s if isinstance(error, RetryLater) else None
    refresh = next_refresh(error)
    response = page(
        "error.html",
        int(error.status),
        policy=policy_for_frames(settings().frame_ancestors),
        error=texts()[error.code],
        status=int(error.status),
        code=error.code,
        retry=error.retry,
        retry_after_s=retry_after_s,
        again_after_s=refresh[0] if refresh else None,
    )
    if refresh:
        response.headers["Refresh"] = "{}; url={}".format(*refresh)
    return response


def _as_problem(error: GatewayError) -> Response:
    """RFC 9457; ``type`` is a relative reference to the page that describes the code."""
    response = jsonify(
        type=url_for("pages.problem", code=error.code),
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


_RENDERERS = {
    "contract": _as_contract,
    "page": _as_page,
    "problem": _as_problem,
    "text": _as_text,
    "envelope": _as_envelope,
}
