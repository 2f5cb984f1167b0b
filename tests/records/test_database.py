"""The database: opened, migrated, and honest when it is down."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event

from gateway.errors import DatabaseDown
from gateway.storage.database import Database
from gateway.storage.tables import metadata, records


def test_the_migrations_make_exactly_the_tables_of_the_models(database: Database) -> None:
    with database.read_transaction() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_migrated_database_is_current_and_may_be_migrated_again(database: Database) -> None:
    database.migrate()

    assert database.is_current()
    assert database.is_available()


def test_a_new_database_is_behind(tmp_path: Path) -> None:
    assert not Database(f"sqlite:///{tmp_path}/new.db").is_current()


def test_several_migrations_at_once_all_succeed(database: Database, open_again: Callable[[], Database]) -> None:
    with database.engine.begin() as connection:
        metadata.drop_all(connection)
        connection.exec_driver_sql("DROP TABLE alembic_version")
    several = [open_again() for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(Database.migrate, several))

    assert database.is_current()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # SQLite reads from one snapshot
def test_a_database_that_is_migrated_while_it_is_read_is_never_behind(
    database: Database, open_again: Callable[[], Database]
) -> None:
    other = open_again()
    for statements_before in range(6):
        with database.engine.begin() as connection:
            metadata.drop_all(connection)
            connection.exec_driver_sql("DROP TABLE IF EXISTS alembic_version")
        sent = count(1)

        def migrate_elsewhere(*_: object, sent: Iterator[int] = sent, after: int = statements_before) -> None:
            if next(sent) == after:
                other.migrate()

        event.listen(database.engine, "after_cursor_execute", migrate_elsewhere)
        assert database.state() in {"empty", "current"}
        event.remove(database.engine, "after_cursor_execute", migrate_elsewhere)
    database.migrate()


def test_the_folder_of_a_new_database_is_made(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/sub/new.db")

    database.migrate()

    assert database.is_current()


def test_what_was_written_is_kept_and_what_failed_is_not(database: Database) -> None:
    def write(*task_ids: str) -> None:
        with database.write_transaction() as connection:
            for task_id in task_ids:
                connection.execute(records.insert().values(task_id=task_id, status="SUCCESS", created_at=1))

    write("a")
    with pytest.raises(DatabaseDown):
        write("b", "a")

    with database.read_transaction() as connection:
        assert connection.scalars(records.select().with_only_columns(records.c.task_id)).all() == ["a"]


def test_many_concurrent_writers_all_succeed(database: Database) -> None:
    def write(number: int) -> None:
        with database.write_transaction() as connection:
            connection.execute(records.insert().values(task_id=f"t{number}", status="SUCCESS", created_at=number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(80)))

    with database.read_transaction() as connection:
        assert len(connection.execute(records.select()).all()) == 80


NOWHERE = ["postgres://nobody:secret@127.0.0.1:1/none", "sqlite:////proc/none/gateway.db"]


def test_a_database_that_cannot_be_reached_is_down_and_its_url_is_not_shown() -> None:
    for url in NOWHERE:
        database = Database(url)
        for use in (database.is_current, database.migrate, database.migrate_by_policy):
            with pytest.raises(DatabaseDown) as down:
                use()
            assert "secret" not in str(down.value)
        assert not database.is_available()


def test_nothing_is_opened_before_it_is_asked_for(tmp_path: Path) -> None:
    Database(f"sqlite:///{tmp_path}/sub/new.db")

    assert list(tmp_path.iterdir()) == []


def test_sqlite_is_prepared_by_being_migrated(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/sub/new.db")

    assert database.migrate_by_policy()
    assert database.is_current()
