"""``check``."""

import click
from flask.cli import with_appcontext

from gateway.cli.state import services, settings
from gateway.errors import GatewayError


@click.command("check")
@with_appcontext
def check() -> None:
    """Print the effective settings, secrets masked, and try the provider."""
    for name, value in settings().masked().items():
        click.echo(f"{name}={value}")
    upstream = services().upstream
    if upstream is None:
        click.echo("provider: not used by this resolver")
        return
    try:
        upstream.probe()
    except GatewayError as error:
        raise click.ClickException(f"provider: {error.code}: {error.public} ({error})") from None
    click.echo("provider: answers, and takes the key")
