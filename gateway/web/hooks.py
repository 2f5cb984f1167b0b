"""What happens around every request: an id, and one line in the log when it is over."""

import re
import secrets
import time
from collections.abc import Callable

import structlog
from flask import Flask, Response, g, request

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log = structlog.get_logger("gateway.access")
_QUIET = {"/healthz", "/readyz"}


def init_app(app: Flask, *, trusted_proxies: int) -> None:
    """Register the hooks."""
    app.before_request(_begin)
    app.after_request(_end)
    if not trusted_proxies:
        app.before_request(_warn_of_proxy(app))


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    g.begun_at = time.monotonic()


def _end(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    if request.path in _QUIET:
        return response
    line = {
        "method": request.method,
        "path": request.path,  # without the query: it holds the signature
        "status": response.status_code,
        "request_id": g.request_id,
        "delivery": response.headers.get("X-Gateway-Delivery", ""),
    }
    begun_at, progress, outcome, reason = g.begun_at, g.get("progress"), g.get("outcome"), g.get("reason")

    def write() -> None:
        # On close, as after_request runs before the first byte.
        line["ms"] = round((time.monotonic() - begun_at) * 1000, 1)
        if progress is not None:
            line["outcome"], line["sent"] = progress.outcome, progress.sent
        elif outcome is not None:
            line["outcome"], line["reason"] = outcome, reason
        _log.info("request", **line)

    response.direct_passthrough = False  # of static files; it would skip the call on close
    response.call_on_close(write)
    return response


def _warn_of_proxy(app: Flask) -> Callable[[], None]:
    """Tell once when a proxy is in front and nothing says so: every visitor would count as one."""

    def warn() -> None:
        if "X-Forwarded-For" in request.headers and not app.extensions.get("gateway.proxy_warned"):
            app.extensions["gateway.proxy_warned"] = True
            _log.warning(
                "untrusted_proxy",
                remedy="X-Forwarded-For arrives: set GATEWAY_TRUSTED_PROXIES to the number of proxies in front",
            )

    return warn
