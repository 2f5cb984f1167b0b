"""The whole application, readable at a glance."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from gateway import cli
from gateway.services import Services, build_services
from gateway.settings import Settings
from gateway.web import api, callback, contract, docs, downloads, faults, files, hooks, ops, pages, problems, records
from gateway.web.bodies import READ_AT_MOST

ROOT = Path(__file__).parents[1]
Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def create_app(settings: Settings, services: Services | None = None) -> Flask:
    """Compose the application.

    Args:
        settings: checked settings.
        services: built ones, for tests; None builds them.
    """
    app = Flask("gateway", root_path=str(ROOT), static_folder="static", template_folder="templates")
    app.url_map.merge_slashes = False  # it would redirect to the Host header's word, signature and all
    app.config.update(MAX_CONTENT_LENGTH=READ_AT_MOST, SEND_FILE_MAX_AGE_DEFAULT=3600)
    app.extensions["gateway.settings"] = settings
    app.extensions["gateway"] = services or build_services(settings)

    hooks.init_app(app, trusted_proxies=settings.trusted_proxies)
    faults.init_app(app)
    cli.init_app(app)
    for room in (downloads, files, api, contract, callback, records, ops, pages, problems, docs):
        app.register_blueprint(room.blueprint)
    if settings.maintenance:
        for closed in ("downloads", "files", "contract"):
            app.before_request_funcs.setdefault(closed, []).append(downloads.closed)

    app.wsgi_app = _behind_proxies(app.wsgi_app, settings)  # type: ignore[method-assign,assignment]
    return app


def _behind_proxies(wsgi_app: Wsgi, settings: Settings) -> Wsgi:
    """Believe as many proxies as there are, and live below the path that PUBLIC_URL has."""
    if prefix := urlsplit(settings.public_url).path:
        wsgi_app = _below(prefix, wsgi_app)
    if hops := settings.trusted_proxies:
        wsgi_app = ProxyFix(wsgi_app, x_for=hops, x_proto=hops, x_host=0, x_prefix=0)
    return wsgi_app


def _below(prefix: str, wsgi_app: Wsgi) -> Wsgi:
    """Let the application answer below a path, whether the proxy in front strips that path or not."""

    def below(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401 (PEP 3333)
        path = environ.get("PATH_INFO", "")
        if path == prefix or path.startswith(prefix + "/"):
            environ["PATH_INFO"] = path.removeprefix(prefix) or "/"
        environ["SCRIPT_NAME"] = prefix
        return wsgi_app(environ, start_response)

    return below
