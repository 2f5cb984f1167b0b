"""``db upgrade``, and what other commands need of the database."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask.cli import AppGroup

from gateway.errors import DatabaseDown
from gateway.web.app_context import services, settings

group = AppGroup("db", help="Manage the database.")


@group.command("upgrade")
def upgrade() -> None:
    """Apply pending migrations."""
    with database_errors():
        state = services().database.migrate()
    if state == "ahead":
        click.echo("A newer version of the gateway has migrated the database; nothing was done.")
    else:
        click.echo("The database is up to date.")


def prepare_database() -> None:
    """Check that the database is up to date; migrate it first where the settings allow that.

    Raises:
        ClickException: it is not up to date, or does not respond.
    """
    with database_errors():
        if services().database.migrate_by_policy(settings().migrate) in {"empty", "behind"}:
            raise click.ClickException("DATABASE_URL: the database is behind; run: flask --app wsgi db upgrade")


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn ``DatabaseDown`` into a one-line error."""
    try:
        yield
    except DatabaseDown as error:
        raise click.ClickException(f"DATABASE_URL: the database does not answer ({error})") from None
