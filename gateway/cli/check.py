"""``check``: validate the settings and the dependencies."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask.cli import with_appcontext

from gateway.cli.database import database_errors, prepare_database
from gateway.errors import GatewayError
from gateway.web.app_context import services, settings


@click.command("check")
@with_appcontext
def check() -> None:
    """Print the settings with masked secrets, warnings and the number of keys; test the provider and the store."""
    for name, value in settings().masked().items():
        click.echo(f"{name}={value}")
    for warning in settings().warnings:
        click.echo(f"warning: {warning}")
    faults = []
    for check_part in (_keys, _provider, _store):
        try:
            click.echo(check_part())
        except click.ClickException as fault:
            faults.append(fault.message)
    if faults:
        raise click.ClickException("\n".join(faults))


def _keys() -> str:
    prepare_database()
    keys = services().key_store
    with database_errors():
        active = [key for key in keys.all() if key.state(keys.now_ms()) == "active"]
    return f"keys: {len(settings().named_api_keys)} in GATEWAY_API_KEYS, {len(active)} active in the database"


def _provider() -> str:
    provider = services().provider
    if provider is None:
        return "provider: not used by this resolver"
    with _gateway_errors("provider"):
        provider.probe()
    return "provider: responds, and accepts the key"


def _store() -> str:
    store = services().store
    if store is None:
        return "store: not used by this resolver"
    with _gateway_errors("store"):
        reason = store.resolver.probe()
    redirects = f"not redirected to it ({reason})" if reason else "redirected to it"
    return f"store: writes, reads and deletes; browsers are {redirects}"


@contextmanager
def _gateway_errors(part: str) -> Iterator[None]:
    """Prefix an error with the dependency that it is about."""
    try:
        yield
    except GatewayError as error:
        raise click.ClickException(f"{part}: {error.code}: {error.public} ({error})") from None
