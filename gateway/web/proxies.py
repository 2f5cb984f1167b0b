"""WSGI middleware for reverse proxies: trusted ``X-Forwarded-*`` headers, and a path prefix."""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import structlog
from werkzeug.middleware.proxy_fix import ProxyFix

_log = structlog.get_logger("gateway.access")


def behind_proxies(wsgi_app: WSGIApplication, *, trusted: int, prefix: str) -> WSGIApplication:
    """Wrap the application for the reverse proxies in front of it.

    Args:
        wsgi_app: the application.
        trusted: how many proxies add to ``X-Forwarded-For``. With 0, its first arrival logs a warning, as all visitors
            then share the proxy's address and its rate limit.
        prefix: the path of the public URL; empty for none.
    """
    if prefix:
        wsgi_app = _mount_prefix(prefix, wsgi_app)
    if trusted:
        return ProxyFix(wsgi_app, x_for=trusted, x_proto=trusted, x_host=0, x_prefix=0)
    return _warn_of_untrusted_proxy(wsgi_app)


def _mount_prefix(prefix: str, wsgi_app: WSGIApplication) -> WSGIApplication:
    """Serve the application below a path, whether the proxy in front strips that path or not."""

    def mounted(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == prefix or path.startswith(prefix + "/"):
            environ["PATH_INFO"] = path.removeprefix(prefix) or "/"
        environ["SCRIPT_NAME"] = prefix
        return wsgi_app(environ, start_response)

    return mounted


def _warn_of_untrusted_proxy(wsgi_app: WSGIApplication) -> WSGIApplication:
    warned = False

    def warn_once(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        nonlocal warned
        if "HTTP_X_FORWARDED_FOR" in environ and not warned:
            warned = True
            _log.warning(
                "untrusted_proxy",
                remedy="X-Forwarded-For arrives: set GATEWAY_TRUSTED_PROXIES to the number of proxies in front",
            )
        return wsgi_app(environ, start_response)

    return warn_once
