"""What the commands share: the services and settings of the application, typed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import click
from flask import current_app

from gateway.errors import DatabaseDown

if TYPE_CHECKING:
    from gateway.services import Services
    from gateway.services.store import OwnStore
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
        ClickException: another resolver is set, or the database is not ready.
    """
    own = services().own
    if own is None:
        raise click.ClickException("this resolver keeps no records; GATEWAY_RESOLVER=store does")
    prepare_database()
    return own


def prepare_database() -> None:
    """See to it that the database is up to date.

    Raises:
        ClickException: it is not, or does not answer.
    """
    with database_faults():
        if services().database.prepare(settings().migrate) in {"empty", "behind"}:
            raise click.ClickException("DATABASE_URL: the database is behind; run: flask --app wsgi db upgrade")


@contextmanager
def database_faults() -> Iterator[None]:
    """Tell a database that does not answer in one line."""
    try:
        yield
    except DatabaseDown as down:
        raise click.ClickException(f"DATABASE_URL: the database does not answer ({down})") from None
