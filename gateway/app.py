"""The whole application, readable at a glance."""

from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response

from gateway import cli
from gateway.services import Services, build_services
from gateway.settings import Settings
from gateway.web import (
    api,
    callback,
    contract,
    docs,
    downloads,
    error_handlers,
    files,
    hooks,
    malformed,
    ops,
    pages,
    problems,
    records,
    static_files,
)
from gateway.web.bodies import READ_AT_MOST
from gateway.web.download_app import DownloadApp, Handlers
from gateway.web.proxies import behind_proxies
from gateway.web.responses import options_answer

ROOT = Path(__file__).parents[1]


class Application(Flask):
    """Flask, with an answer to OPTIONS that has no body and so no type of one."""

    def make_default_options_response(self) -> Response:
        """Say which methods the address of the current request takes (RFC 9110 section 9.3.7)."""
        return options_answer(super().make_default_options_response().headers["Allow"])


def create_app(settings: Settings, services: Services | None = None) -> Flask:
    """Compose the application.

    Args:
        settings: checked settings.
        services: built ones, for tests; None builds them.
    """
    app = Application("gateway", root_path=str(ROOT), static_folder=None, template_folder="templates")
    app.url_map.merge_slashes = False  # it would redirect to the Host header's word, signature and all
    app.config["MAX_CONTENT_LENGTH"] = READ_AT_MOST
    app.extensions["gateway.settings"] = settings
    app.extensions["gateway"] = gateway = services or build_services(settings)

    hooks.init_app(app)
    malformed.init_app(app)
    error_handlers.init_app(app)
    cli.init_app(app)
    for room in (downloads, files, api, contract, callback, records, ops, pages, problems, docs, static_files):
        app.register_blueprint(room.blueprint)
    if settings.maintenance:
        for closed in ("downloads", "files", "contract"):
            app.before_request_funcs.setdefault(closed, []).append(downloads.closed)
    else:
        handlers: Handlers = {downloads.PATH: downloads.download, files.PATH: files.file}
        app.wsgi_app = DownloadApp(app.wsgi_app, gateway, frozenset(settings.cors_origins), handlers)  # type: ignore[method-assign]

    prefix = urlsplit(settings.public_url).path
    app.wsgi_app = behind_proxies(app.wsgi_app, trusted=settings.trusted_proxies, prefix=prefix)  # type: ignore[method-assign,assignment]
    return app
