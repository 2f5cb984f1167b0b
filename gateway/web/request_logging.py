"""Hooks that log each request answered by Flask, and add ``X-Request-Id`` to its response."""

from flask import Flask, Response, request

from gateway.observability.request_log import RequestLog
from gateway.web.app_context import services

_NOT_LOGGED = {"/healthz", "/readyz", "/metrics"}


def init_app(app: Flask) -> None:
    """Register the hooks."""
    app.before_request(_begin)
    app.after_request(_end)


def request_log() -> RequestLog:
    """The log entry of the current request."""
    return RequestLog.of(request.environ)


def _begin() -> None:
    request_log()


def _end(response: Response) -> Response:
    entry = request_log()
    response.headers["X-Request-Id"] = entry.request_id
    if request.path in _NOT_LOGGED:
        return response
    entry.task = (request.view_args or {}).get("task_id", "")
    entry.start_response(response.status_code, services().metrics)
    response.call_on_close(entry.close)
    return response
