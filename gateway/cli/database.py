"""``db upgrade``."""

import click
from flask.cli import AppGroup

from gateway.cli.state import own_store

group = AppGroup("db", help="Look after the database.")


@group.command("upgrade")
def upgrade() -> None:
    """Apply the migrations that are missing."""
    own_store().database.migrate()
    click.echo("The database is up to date.")
