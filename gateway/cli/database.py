"""``db upgrade``."""

import click
from flask.cli import AppGroup

from gateway.cli.state import database_faults, services

group = AppGroup("db", help="Look after the database.")


@group.command("upgrade")
def upgrade() -> None:
    """Apply the migrations that are missing."""
    with database_faults():
        state = services().database.migrate()
    if state == "ahead":
        click.echo("A newer version of the gateway has migrated the database; nothing was done.")
    else:
        click.echo("The database is up to date.")
