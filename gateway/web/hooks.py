"""What happens around every request: an id, and one line in the log when it is over."""

import random
import re
import sys
import time
from collections.abc import Callable
from typing import Any

import structlog
from flask import Flask, Response, g, request

from gateway.delivery.ask import Progress
from gateway.metrics import Metrics
from gateway.web.state import real, services

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log = structlog.get_logger("gateway.access")
_QUIET = {"/healthz", "/readyz", "/metrics"}


def init_app(app: Flask, *, trusted_proxies: int) -> None:
    """Register the hooks."""
    app.before_request(_begin)
    app.after_request(_end)
    if not trusted_proxies:
        app.before_request(_warn_of_proxy(app))


def _begin() -> None:
    own, given = real(g), request.environ.get("HTTP_X_REQUEST_ID", "")
    own.request_id = given if _REQUEST_ID.fullmatch(given) else f"{random.getrandbits(64):016x}"
    own.begun_at = time.monotonic()


def _end(response: Response) -> Response:
    own, asked = real(g), real(request)
    response.headers["X-Request-Id"] = own.request_id
    if asked.path in _QUIET:
        return response
    delivery, _, reason = response.headers.get("X-Gateway-Delivery", "").partition("; reason=")
    line = {
        "method": asked.method,
        "path": asked.path,  # without the query: it holds the signature
        "status": response.status_code,
        "request_id": own.request_id,
        "delivery": delivery or "none",
        "outcome": own.get("outcome", "answered"),
    }
    if reason := reason or own.get("reason"):
        line["reason"] = reason
    if task_id := (asked.view_args or {}).get("task_id"):
        line["task"] = task_id
    if link_id := own.get("link"):
        line["link"] = link_id
    over = _Over(line, own.begun_at, own.get("progress"), services().metrics)
    response.direct_passthrough = False  # of static files; it would skip the call on close
    response.call_on_close(over)
    return response


class _Over:
    """Writes the line when a response is closed, as ``after_request`` runs before the first byte."""

    __slots__ = ("_begun_at", "_line", "_metrics", "_progress", "_streams")

    def __init__(self, line: dict[str, Any], begun_at: float, progress: Progress | None, metrics: Metrics) -> None:
        self._line, self._begun_at, self._progress, self._metrics = line, begun_at, progress, metrics
        self._streams = progress is not None and progress.outcome == "begun"
        if self._streams:
            metrics.stream_began()

    def __call__(self) -> None:
        line, sent, heals = self._line, 0, 0
        if (progress := self._progress) is not None:
            line["outcome"] = _how_it_ended(progress.outcome)
            line["sent"], line["heals"] = sent, heals = progress.sent, progress.heals
        if self._streams:
            self._metrics.stream_ended()
        self._metrics.answered(line["delivery"], line["outcome"], sent, heals)
        line["ms"] = round((time.monotonic() - self._begun_at) * 1000, 1)
        _log.info("request", **line)


def _how_it_ended(outcome: str) -> str:
    """Tell a visitor who left from one who was cut; the server closes the response while that is being raised."""
    raised = sys.exc_info()[0]
    if outcome != "left" or raised is None:
        return outcome
    if issubclass(raised, TimeoutError):
        return "cut"  # it took nothing for too long
    return outcome if issubclass(raised, Exception) else "stopped"  # the server ends


def _warn_of_proxy(app: Flask) -> Callable[[], None]:
    """Tell once when a proxy is in front and nothing says so: every visitor would count as one."""

    def warn() -> None:
        if "HTTP_X_FORWARDED_FOR" in request.environ and not app.extensions.get("gateway.proxy_warned"):
            app.extensions["gateway.proxy_warned"] = True
            _log.warning(
                "untrusted_proxy",
                remedy="X-Forwarded-For arrives: set GATEWAY_TRUSTED_PROXIES to the number of proxies in front",
            )

    return warn
