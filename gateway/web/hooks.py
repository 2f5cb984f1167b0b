"""What happens around every request that the framework answers: its account is kept."""

from flask import Flask, Response, request

from gateway.observability.request_log import RequestLog
from gateway.web.state import services

_QUIET = {"/healthz", "/readyz", "/metrics"}


def init_app(app: Flask) -> None:
    """Register the hooks."""
    app.before_request(_begin)
    app.after_request(_end)


def request_log() -> RequestLog:
    """The account of the request that is being answered."""
    return RequestLog.of(request.environ)


def _begin() -> None:
    request_log()


def _end(response: Response) -> Response:
    own = request_log()
    response.headers["X-Request-Id"] = own.request_id
    if request.path in _QUIET:
        return response
    own.task = (request.view_args or {}).get("task_id", "")
    own.answer(response.status_code, services().metrics)
    response.call_on_close(own.close)
    return response
