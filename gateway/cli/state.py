"""What the commands share: the services and settings of the application, typed."""

from typing import TYPE_CHECKING, cast

import click
from flask import current_app

if TYPE_CHECKING:
    from gateway.services import OwnStore, Services
    from gateway.settings import Settings


def services() -> "Services":
    """The services of the application that the command is about."""
    return cast("Services", current_app.extensions["gateway"])


def settings() -> "Settings":
    """Its settings."""
    return cast("Settings", current_app.extensions["gateway.settings"])


def own_store() -> "OwnStore":
    """What the ``store`` resolver keeps.

    Raises:
        ClickException: another resolver is set.
    """
    own = services().own
    if own is None:
        raise click.ClickException("this resolver keeps no records; GATEWAY_RESOLVER=store does")
    return own
