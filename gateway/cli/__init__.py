"""The command line: ``flask --app wsgi …``, one file for each group of commands."""

from flask import Flask

from gateway.cli import callback_url, check, database, keys, links, records, sweep


def init_app(app: Flask) -> None:
    """Register the commands."""
    commands = (
        links.group,
        keys.group,
        records.group,
        callback_url.callback_url,
        database.group,
        sweep.sweep,
        check.check,
    )
    for command in commands:
        app.cli.add_command(command)
