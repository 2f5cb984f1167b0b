"""What the routes share: the services and settings of this application, typed."""

from typing import cast

from flask import current_app

from gateway.services import Services
from gateway.settings import Settings


def services() -> Services:
    """The services of the application that handles this request."""
    return cast("Services", current_app.extensions["gateway"])


def settings() -> Settings:
    """Its settings."""
    return cast("Settings", current_app.extensions["gateway.settings"])
