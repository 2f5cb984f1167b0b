"""Typed access to what ``create_app`` stores in ``app.extensions``."""

from typing import cast

from flask import current_app

from gateway.services import Services
from gateway.settings import Settings


def services() -> Services:
    """The services of the current application."""
    return cast("Services", current_app.extensions["gateway"])


def settings() -> Settings:
    """The settings of the current application."""
    return cast("Settings", current_app.extensions["gateway.settings"])
