"""The WSGI entry point: ``gunicorn wsgi:app`` and ``flask --app wsgi …``."""

from gateway.app import create_app
from gateway.errors import ConfigError
from gateway.observability.logging_setup import set_up_logs
from gateway.settings.loader import load_settings

set_up_logs()
try:
    app = create_app(load_settings())
except ConfigError as error:
    raise SystemExit(str(error)) from None
