"""``sweep``."""

import click
from flask.cli import with_appcontext

from gateway.cli.state import own_store
from gateway.errors import GatewayError


@click.command("sweep")
@with_appcontext
def sweep() -> None:
    """Drop images and records that are too old. Run it daily."""
    try:
        sweeper = own_store().sweep
        swept, buried = sweeper.run()
        orphans = sweeper.reconcile()
    except GatewayError as error:
        raise click.ClickException(f"{error.code}: {error.public}") from None
    click.echo(f"{swept} records became tombstones; {buried} tombstones went; {orphans} orphaned objects went.")
