"""Alembic without an ini file: apply the migrations, and report whether any is missing."""

from pathlib import Path
from typing import Literal

from alembic.command import upgrade
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from gateway.storage.tables import metadata

# "ahead": a newer version of the gateway migrated it, for example before a rollback.
State = Literal["empty", "behind", "current", "ahead"]
MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(connection: Connection) -> None:
    """Apply the missing migrations."""
    config = _config()
    config.attributes["connection"] = connection
    upgrade(config, "head")


def state_of(connection: Connection) -> State:
    """Compare the database with the migrations of this version of the gateway."""
    # Tables first: another process may commit the first migration between the two reads.
    tables = set(metadata.tables) & set(inspect(connection).get_table_names())
    applied = set(MigrationContext.configure(connection).get_current_heads())
    if not applied:
        return "behind" if tables else "empty"
    script = ScriptDirectory.from_config(_config())
    if applied == set(script.get_heads()):
        return "current"
    revisions = {each.revision for each in script.walk_revisions()}
    return "behind" if applied <= revisions else "ahead"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config
