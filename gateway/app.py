"""The application factory."""

from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response

from gateway import cli
from gateway.services import Services, build_services
from gateway.settings import Settings
from gateway.web import (
    callback,
    contract,
    docs,
    downloads,
    error_handlers,
    files,
    health,
    links,
    pages,
    records,
    rejected_requests,
    request_logging,
    short_links,
    static_files,
)
from gateway.web.download_app import DownloadApp
from gateway.web.proxies import behind_proxies
from gateway.web.request_body import MAX_CONTENT_LENGTH
from gateway.web.responses import options_response

ROOT = Path(__file__).parents[1]


class Application(Flask):
    """Flask, with a response to OPTIONS that has neither a body nor a Content-Type."""

    def make_default_options_response(self) -> Response:
        """Return 204 with the methods of the current route in ``Allow`` (RFC 9110 section 9.3.7)."""
        return options_response(super().make_default_options_response().headers["Allow"])


def create_app(settings: Settings, services: Services | None = None) -> Flask:
    """Create the Flask application.

    Args:
        settings: validated settings.
        services: for tests; built from the settings when None.
    """
    app = Application("gateway", root_path=str(ROOT), static_folder=None, template_folder="templates")
    app.url_map.merge_slashes = False  # its redirect would put the signed URL on the Host header's host
    app.config["MAX_CONTENT_LENGTH"] = MAX_CONTENT_LENGTH
    app.extensions["gateway.settings"] = settings
    app.extensions["gateway"] = gateway = services or build_services(settings)

    request_logging.init_app(app)
    rejected_requests.init_app(app)
    error_handlers.init_app(app)
    cli.init_app(app)
    for module in (
        downloads,
        short_links,
        files,
        links,
        contract,
        callback,
        records,
        health,
        pages,
        docs,
        static_files,
    ):
        app.register_blueprint(module.blueprint)
    if settings.maintenance:
        for module in (downloads, files, contract):
            app.before_request_funcs[module.blueprint.name] = [downloads.refuse_in_maintenance]
    else:
        routes = (downloads.ROUTE, files.ROUTE)
        app.wsgi_app = DownloadApp(app.wsgi_app, gateway, frozenset(settings.cors_origins), routes)  # type: ignore[method-assign]

    prefix = urlsplit(settings.public_url).path
    app.wsgi_app = behind_proxies(app.wsgi_app, trusted=settings.trusted_proxies, prefix=prefix)  # type: ignore[method-assign,assignment]
    return app
