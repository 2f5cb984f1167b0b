"""``keys create``, ``keys list``, ``keys rotate`` and ``keys revoke``."""

from datetime import UTC, datetime

import click
from flask.cli import AppGroup

from gateway.cli.database import database_errors, prepare_database
from gateway.keys.key import SCOPES, Key
from gateway.keys.key_store import StoredKey
from gateway.settings.types import KEY_NAME
from gateway.web.app_context import services, settings

MOST_CALLS = 1_000_000_000
MOST_DAYS = 36_500
_COLUMNS = ("NAME", "STATE", "SCOPES", "PER MINUTE", "PER DAY", "CREATED", "LAST USED", "EXPIRES")

group = AppGroup("keys", help="Create, list, rotate and revoke API keys.")


@group.command("create")
@click.argument("name")
@click.option("--scope", "scopes", type=click.Choice(SCOPES), multiple=True, help="Repeatable; default: all scopes.")
@click.option("--per-minute", type=click.IntRange(0, MOST_CALLS), default=0, help="Calls per minute; 0 for no limit.")
@click.option("--per-day", type=click.IntRange(0, MOST_CALLS), default=0, help="Calls per day; 0 for no limit.")
@click.option("--expires-in", type=click.IntRange(1, MOST_DAYS), help="Lifetime in days; default: no expiry.")
def create(name: str, scopes: tuple[str, ...], per_minute: int, per_day: int, expires_in: int | None) -> None:
    """Create a key named NAME, and print it. It cannot be shown again."""
    if not KEY_NAME.fullmatch(name):
        raise click.UsageError("NAME: 1 to 64 of A-Z a-z 0-9 _ . -")
    if name in settings().named_api_keys:
        raise click.UsageError(f"NAME: GATEWAY_API_KEYS has a key named {name}")
    key = Key(name, frozenset(scopes or SCOPES), per_minute, per_day)
    prepare_database()
    with database_errors():
        token = services().key_store.create(key, expires_in)
    if token is None:
        raise click.UsageError(f"NAME: there is a key named {name} already, or was; see: flask --app wsgi keys list")
    _show(token)


@group.command("list")
def list_() -> None:
    """List all keys with their scopes, limits and times, without secrets."""
    prepare_database()
    keys = services().key_store
    with database_errors():
        stored = keys.all()
    configured = [(name, "configured", " ".join(SCOPES), "-", "-", "-", "-", "-") for name in settings().named_api_keys]
    rows = [_COLUMNS, *configured, *(_row(key, keys.now_ms()) for key in stored)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


@group.command("rotate")
@click.argument("name")
def rotate(name: str) -> None:
    """Replace the secret of the key NAME, and print the new one."""
    prepare_database()
    with database_errors():
        token = services().key_store.rotate(name)
        if token is None:
            raise _inactive(name)
    _show(token)


@group.command("revoke")
@click.argument("name")
def revoke(name: str) -> None:
    """Revoke the key NAME permanently."""
    prepare_database()
    with database_errors():
        if not services().key_store.revoke(name):
            raise _inactive(name)
    click.echo(f"{name} is revoked.")


def _show(token: str) -> None:
    click.echo(token)
    click.echo("Save it now: only its hash is stored, and it is not shown again.", err=True)


def _inactive(name: str) -> click.UsageError:
    """Why a key cannot be rotated or revoked."""
    if name in settings().named_api_keys:
        return click.UsageError(f"NAME: {name} is set by GATEWAY_API_KEYS; change it there")
    keys = services().key_store
    key = keys.find_by_name(name)
    if key is None:
        return click.UsageError(f"NAME: there is no key named {name}; see: flask --app wsgi keys list")
    return click.UsageError(f"NAME: {name} is {key.state(keys.now_ms())}; create another key")


def _row(stored: StoredKey, now_ms: int) -> tuple[str, ...]:
    key = stored.key
    limits = (str(limit) if limit else "-" for limit in (key.per_minute, key.per_day))
    times = map(_time, (stored.created_at, stored.last_used_at, stored.expires_at))
    return (key.name, stored.state(now_ms), " ".join(sorted(key.scopes)), *limits, *times)


def _time(at_ms: int | None) -> str:
    return "-" if at_ms is None else datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
