"""What the routes share: the services and settings of this application, typed."""

from typing import Any, TypeVar, cast

from flask import current_app

from gateway.services import Services
from gateway.settings import Settings

Proxied = TypeVar("Proxied")


def real(proxy: Proxied) -> Proxied:
    """Give what ``request`` or ``g`` stands for, which is found anew at each use of theirs."""
    behind: Any = proxy
    return cast("Proxied", behind._get_current_object())  # noqa: SLF001 (documented, the underscore is for the proxied)


def services() -> Services:
    """The services of the application that handles this request."""
    return cast("Services", current_app.extensions["gateway"])


def settings() -> Settings:
    """Its settings."""
    return cast("Settings", current_app.extensions["gateway.settings"])
