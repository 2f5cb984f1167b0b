"""``callback-url``."""

import click
from flask.cli import with_appcontext

from gateway.cli.state import own_store, settings


@click.command("callback-url")
@with_appcontext
def callback_url() -> None:
    """Print what to give the provider as ``callBackUrl`` when an image is generated."""
    if not settings().public_url:
        raise click.ClickException("set GATEWAY_PUBLIC_URL: the provider needs to know where the gateway is")
    click.echo(own_store().callbacks.url)
