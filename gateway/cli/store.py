"""``records add``, ``callback-url`` and ``sweep``: the commands of the ``store`` resolver."""

from pathlib import Path

import click
from flask.cli import AppGroup, with_appcontext

from gateway.cli.database import prepare_database
from gateway.errors import GatewayError
from gateway.links.link import TASK_ID
from gateway.origins.upload_urls import upload_url
from gateway.services.store_services import StoreServices
from gateway.web.app_context import services, settings

records = AppGroup("records", help="Manage records and their images.")


@records.command("add")
@click.argument("task")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def add(task: str, files: tuple[Path, ...]) -> None:
    """Add FILES to the results of TASK, and print the URL of each for links."""
    if not TASK_ID.fullmatch(task):
        raise click.UsageError("TASK: 1 to 128 of A-Z a-z 0-9 _ . -, beginning with a letter or digit")
    record_files = _store().record_files
    for file in files:
        try:
            url = upload_url(file.name)
            with file.open("rb") as opened:
                record_files.put_file(task, file.name, opened.read, file.stat().st_size)
        except ValueError as error:
            raise click.ClickException(f"{file}: its name {error}") from None
        except GatewayError as error:
            raise click.ClickException(f"{file}: {error.detail}") from None
        click.echo(url)


@click.command("callback-url")
@with_appcontext
def callback_url() -> None:
    """Print the URL to send to the provider as ``callBackUrl``."""
    if not settings().public_url:
        raise click.ClickException("set GATEWAY_PUBLIC_URL: the provider needs to know where the gateway is")
    click.echo(_store().callbacks.url)


@click.command("sweep")
@with_appcontext
def sweep() -> None:
    """Delete old images and records. Run it daily."""
    try:
        sweeper = _store().sweep
        swept, purged = sweeper.run()
        orphans = sweeper.reconcile()
    except GatewayError as error:
        raise click.ClickException(f"{error.code}: {error.public}") from None
    click.echo(f"Records swept: {swept}. Tombstones deleted: {purged}. Orphaned objects deleted: {orphans}.")


def _store() -> StoreServices:
    """The store, with a database that is up to date.

    Raises:
        ClickException: another resolver is set, or the database is not ready.
    """
    store = services().store
    if store is None:
        raise click.ClickException("this resolver keeps no records; set GATEWAY_RESOLVER=store")
    prepare_database()
    return store
