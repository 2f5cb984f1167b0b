"""``check``."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask.cli import with_appcontext

from gateway.cli.state import database_faults, prepare_database, services, settings
from gateway.errors import GatewayError


@click.command("check")
@with_appcontext
def check() -> None:
    """Print the settings, secrets masked, and warnings; count the keys; try the provider and the store."""
    for name, value in settings().masked().items():
        click.echo(f"{name}={value}")
    for warning in settings().warnings:
        click.echo(f"warning: {warning}")
    faults = []
    for look in (_keys, _provider, _store):
        try:
            click.echo(look())
        except click.ClickException as fault:
            faults.append(fault.message)
    if faults:
        raise click.ClickException("\n".join(faults))


def _keys() -> str:
    prepare_database()
    keys = services().stored_keys
    with database_faults():
        active = [key for key in keys.all() if key.state(keys.now_ms()) == "active"]
    return f"keys: {len(settings().named_api_keys)} in GATEWAY_API_KEYS, {len(active)} active in the database"


def _provider() -> str:
    provider = services().provider
    if provider is None:
        return "provider: not used by this resolver"
    with _failing("provider"):
        provider.probe()
    return "provider: answers, and takes the key"


def _store() -> str:
    own = services().own
    if own is None:
        return "store: not used by this resolver"
    with _failing("store"):
        reason = own.resolver.probe()
    return f"store: keeps, gives and drops; browsers are {f'not sent there ({reason})' if reason else 'sent there'}"


@contextmanager
def _failing(part: str) -> Iterator[None]:
    """Say which part stands against it, and the remedy where it is known."""
    try:
        yield
    except GatewayError as error:
        raise click.ClickException(f"{part}: {error.code}: {error.public} ({error})") from None
