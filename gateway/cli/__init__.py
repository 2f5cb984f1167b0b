"""The commands of ``flask --app wsgi …``."""

from flask import Flask

from gateway.cli import check, database, keys, links, store


def init_app(app: Flask) -> None:
    """Register the commands."""
    for command in (
        links.group,
        keys.group,
        store.records,
        store.callback_url,
        database.group,
        store.sweep,
        check.check,
    ):
        app.cli.add_command(command)
