"""The command line: ``flask --app wsgi …``, one file for each group of commands."""

from flask import Flask

from gateway.cli import check, database, keys, links, sweep


def init_app(app: Flask) -> None:
    """Register the commands."""
    for command in (links.group, keys.group, database.group, sweep.sweep, check.check):
        app.cli.add_command(command)
