"""The command line: ``flask --app wsgi links sign|verify`` and ``check``."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext

from gateway.errors import GatewayError, OriginNotAllowed
from gateway.links.link import MODES, FieldFault, Mode
from gateway.services import OwnStore, Services

if TYPE_CHECKING:
    from gateway.settings import Settings

links = AppGroup("links", help="Sign and explain links.")
db = AppGroup("db", help="Look after the database.")


def init_app(app: Flask) -> None:
    """Register the commands."""
    app.cli.add_command(links)
    app.cli.add_command(db)
    app.cli.add_command(sweep)
    app.cli.add_command(check)


def _services() -> Services:
    return cast("Services", current_app.extensions["gateway"])


@links.command("sign")
@click.argument("task")
@click.argument("url")
@click.option("--mode", type=click.Choice(MODES), help="How to deliver; the gateway chooses when it is left out.")
@click.option("--filename", help="The name of the saved file.")
@click.option("--expires-in", type=click.IntRange(1), help="Life of the link, in seconds.")
def sign(task: str, url: str, mode: Mode | None, filename: str | None, expires_in: int | None) -> None:
    """Print a signed link to the image at URL, made by TASK."""
    services = _services()
    try:
        link = services.signer.mint(task, url, lifetime_s=expires_in, mode=mode, filename=filename)
        services.guard.admit(url)
    except FieldFault as fault:
        raise click.UsageError(str(fault)) from None
    except OriginNotAllowed as refused:
        raise click.UsageError(f"url: {refused.reason}") from None
    click.echo(link)


@links.command("verify")
@click.argument("url")
def verify(url: str) -> None:
    """Explain the link URL: what it permits, or why it is refused."""
    path, _, query = url.partition("#")[0].partition("?")
    task_id = unquote(path.rpartition("/download/")[2])
    try:
        link = _services().links.verify(task_id, query.encode("utf-8", "surrogateescape"))
    except GatewayError as error:
        raise click.ClickException(f"{int(error.status)} {error.code}: {error}") from None
    click.echo("The link is valid.")
    for name in ("task_id", "url", "expires", "mode", "filename", "id"):
        value = getattr(link, name)
        click.echo(f"  {name:9}{'-' if value is None else value}")


@db.command("upgrade")
def upgrade() -> None:
    """Apply the migrations that are missing."""
    _own().database.migrate()
    click.echo("The database is up to date.")


@click.command("sweep")
@with_appcontext
def sweep() -> None:
    """Drop images and records that are too old. Run it daily."""
    try:
        swept, buried = _own().sweep.run()
    except GatewayError as error:
        raise click.ClickException(f"{error.code}: {error.public}") from None
    click.echo(f"{swept} records became tombstones; {buried} tombstones went.")


def _own() -> OwnStore:
    own = _services().own
    if own is None:
        raise click.ClickException("this resolver keeps no records; GATEWAY_RESOLVER=store does")
    return own


@click.command("check")
@with_appcontext
def check() -> None:
    """Print the effective settings, secrets masked, and try the provider and the store."""
    for name, value in cast("Settings", current_app.extensions["gateway.settings"]).masked().items():
        click.echo(f"{name}={value}")
    click.echo(f"provider: {_check_provider(_services())}")
    if own := _services().own:
        click.echo(f"store: {_check_store(own)}")


def _check_provider(services: Services) -> str:
    if services.upstream is None:
        return "not used by this resolver"
    with _failing("provider"):
        services.upstream.probe()
    return "answers, and takes the key"


def _check_store(own: OwnStore) -> str:
    with _failing("store"):
        reason = own.resolver.probe()
    return f"keeps, gives and drops; browsers are {f'not sent there ({reason})' if reason else 'sent there'}"


@contextmanager
def _failing(part: str) -> Iterator[None]:
    """Say which part stands against it, and the remedy where it is known."""
    try:
        yield
    except GatewayError as error:
        raise click.ClickException(f"{part}: {error.code}: {error.public} ({error})") from None
