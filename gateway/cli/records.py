"""``records add``: images of our own, from files."""

from pathlib import Path

import click
from flask.cli import AppGroup

from gateway.cli.state import own_store
from gateway.errors import GatewayError
from gateway.links.link import TASK_ID
from gateway.origins.upload_urls import own_url

group = AppGroup("records", help="Look after records and their images.")


@group.command("add")
@click.argument("task")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def add(task: str, files: tuple[Path, ...]) -> None:
    """Put each of FILES among the results of TASK, and print the URL by which links name it."""
    if not TASK_ID.fullmatch(task):
        raise click.UsageError("TASK: 1 to 128 of A-Z a-z 0-9 _ . -, beginning with a letter or digit")
    record_files = own_store().record_files
    for file in files:
        try:
            url = own_url(file.name)
            with file.open("rb") as opened:
                record_files.put_file(task, file.name, opened.read, file.stat().st_size)
        except ValueError as rule:
            raise click.ClickException(f"{file}: its name {rule}") from None
        except GatewayError as error:
            raise click.ClickException(f"{file}: {error.detail}") from None
        click.echo(url)
