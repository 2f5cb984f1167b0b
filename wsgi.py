"""The WSGI entry point: ``gunicorn wsgi:app`` and ``flask --app wsgi …``."""

from gateway.app import create_app
from gateway.errors import ConfigError
from gateway.observability.logging_setup import configure_logging
from gateway.settings.loader import load_settings

configure_logging()
try:
    app = create_app(load_settings())
except ConfigError as error:
    raise SystemExit(str(error)) from None
