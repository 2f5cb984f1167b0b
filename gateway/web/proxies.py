"""What stands in front: proxies that are believed, or warned of, and the path that they may leave in place."""

from collections.abc import Callable, Iterable
from typing import Any

import structlog
from werkzeug.middleware.proxy_fix import ProxyFix

Environ = dict[str, Any]
Wsgi = Callable[[Environ, Any], Iterable[bytes]]
_log = structlog.get_logger("gateway.access")


def behind_proxies(wsgi_app: Wsgi, *, trusted: int, prefix: str) -> Wsgi:
    """Believe as many proxies as there are, and live below a path.

    Args:
        wsgi_app: who answers.
        trusted: how many proxies add to ``X-Forwarded-For``; where it is 0 and the header comes, that is told once, as
            every visitor would count as one.
        prefix: the path of our public URL; empty for none.
    """
    if prefix:
        wsgi_app = _mount_prefix(prefix, wsgi_app)
    if trusted:
        return ProxyFix(wsgi_app, x_for=trusted, x_proto=trusted, x_host=0, x_prefix=0)
    return _warning(wsgi_app)


def _mount_prefix(prefix: str, wsgi_app: Wsgi) -> Wsgi:
    """Let the application answer below a path, whether the proxy in front strips that path or not."""

    def below(environ: Environ, start_response: Any) -> Iterable[bytes]:  # noqa: ANN401 (PEP 3333)
        path = environ.get("PATH_INFO", "")
        if path == prefix or path.startswith(prefix + "/"):
            environ["PATH_INFO"] = path.removeprefix(prefix) or "/"
        environ["SCRIPT_NAME"] = prefix
        return wsgi_app(environ, start_response)

    return below


def _warning(wsgi_app: Wsgi) -> Wsgi:
    warned = False

    def warning(environ: Environ, start_response: Any) -> Iterable[bytes]:  # noqa: ANN401 (PEP 3333)
        nonlocal warned
        if "HTTP_X_FORWARDED_FOR" in environ and not warned:
            warned = True
            _log.warning(
                "untrusted_proxy",
                remedy="X-Forwarded-For arrives: set GATEWAY_TRUSTED_PROXIES to the number of proxies in front",
            )
        return wsgi_app(environ, start_response)

    return warning
