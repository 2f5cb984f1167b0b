"""The database when gunicorn starts: made, behind, or not there."""

import json
import shlex
import subprocess
import sys
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url

from gateway.storage.database import Database
from tests.support.factories import API_KEY, PNG
from tests.support.live_gateway import (
    ROOT,
    LiveGateway,
    environment_for,
    live_gateway,
    started_gateway,
    wait_until_healthy,
)
from tests.support.servers import ScriptedServer

pytestmark = pytest.mark.slow

NUMBERS = count()


@pytest.fixture
def empty_database(postgresql: str) -> str:
    """The URL of a PostgreSQL database without tables."""
    name = f"empty_{next(NUMBERS)}"
    engine = create_engine(postgresql.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return make_url(postgresql).set(database=name).render_as_string(hide_password=False)


def ask(gateway: LiveGateway, method: str, path: str, body: object = None, key: str = API_KEY) -> tuple[int, bytes]:
    with gateway.visit() as visitor:
        visitor.request(method, path, json.dumps(body), {"Authorization": f"Bearer {key}"})
        response = visitor.getresponse()
        return response.status, response.read()


def test_sqlite_is_made_at_start_whatever_the_resolver(tmp_path: Path) -> None:
    with live_gateway(tmp_path, "origin.example", resolver="origin"):
        database = Database(f"sqlite:///{tmp_path}/instance/gateway.db")

        assert database.is_current()


def state_of(url: str) -> str:
    """The state of a database, whose connections are closed afterwards."""
    database = Database(url)
    try:
        return database.state()
    finally:
        database.engine.dispose()


def set_revision(url: str, revision: str) -> None:
    """Migrate a database, and leave it at another revision."""
    database = Database(url)
    database.migrate()
    with database.write_transaction() as connection:
        if revision == "0002":
            connection.exec_driver_sql("DROP TABLE deletions, links, link_downloads, revocations")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = %s", (revision,))
    database.engine.dispose()


def test_an_empty_database_is_migrated_by_several_starts_at_once_and_all_serve(
    tmp_path: Path, empty_database: str
) -> None:
    environment = environment_for("origin.example") | {"DATABASE_URL": empty_database}

    with ExitStack() as stack:
        starts = [stack.enter_context(started_gateway(tmp_path, environment)) for _ in range(3)]
        for gateway in starts:
            wait_until_healthy(gateway.port, gateway.process, gateway.log)
        ready = [json.loads(ask(gateway, "GET", "/readyz")[1])["checks"]["database"] for gateway in starts]

    assert ready == ["ok"] * 3
    assert state_of(empty_database) == "current"


@pytest.mark.parametrize(
    ("policy", "revision"),
    [("empty", "0002"), ("never", "0002"), ("never", "")],
    ids=["behind", "never", "never-empty"],
)
def test_on_a_database_that_is_not_to_be_migrated_the_gateway_does_not_start(
    tmp_path: Path, empty_database: str, policy: str, revision: str
) -> None:
    if revision:
        set_revision(empty_database, revision)
    environment = environment_for("origin.example", migrate=policy) | {"DATABASE_URL": empty_database}

    with started_gateway(tmp_path, environment) as gateway:
        status = gateway.process.wait(20)

    assert status == 1
    assert "flask --app wsgi db upgrade" in gateway.log_text()
    assert "GATEWAY_MIGRATE=auto" in gateway.log_text()
    assert state_of(empty_database) != "current"


def test_with_auto_a_database_that_is_behind_is_migrated_at_start(tmp_path: Path, empty_database: str) -> None:
    set_revision(empty_database, "0002")

    with live_gateway(tmp_path, "origin.example", database_url=empty_database, migrate="auto") as gateway:
        ready = ask(gateway, "GET", "/readyz")

    assert ready[0] == 200
    assert state_of(empty_database) == "current"


def test_on_a_database_that_a_newer_version_has_migrated_the_gateway_starts_and_warns(
    tmp_path: Path, empty_database: str
) -> None:
    set_revision(empty_database, "9999")

    with live_gateway(tmp_path, "origin.example", database_url=empty_database, migrate="auto") as gateway:
        ready = ask(gateway, "GET", "/readyz")

    assert ready[0] == 200
    assert "a newer version" in gateway.log_text()
    assert state_of(empty_database) == "ahead"


def test_the_release_step_of_the_procfile_migrates_the_database(tmp_path: Path, empty_database: str) -> None:
    steps = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text(encoding="utf-8").splitlines())
    environment = environment_for("origin.example") | {"DATABASE_URL": empty_database, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", *shlex.split(steps["release"])]

    released = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert (released.returncode, released.stdout) == (0, "The database is up to date.\n")
    assert state_of(empty_database) == "current"


@pytest.mark.parametrize(
    "url", ["postgres://nobody:hunter2@127.0.0.1:1/none", "sqlite:////proc/none/gateway.db"], ids=["refuses", "no-disk"]
)
def test_without_a_database_the_gateway_starts_says_so_and_serves_page_links(
    tmp_path: Path, origin: ScriptedServer, url: str
) -> None:
    image = origin.serve("/v/cat.png", PNG)

    with live_gateway(tmp_path, origin.address, database_url=url) as gateway:
        page_link = ask(gateway, "GET", gateway.path(image))
        configured_key = ask(gateway, "POST", "/api/v1/links", {"taskId": "task1", "url": image})
        ready = ask(gateway, "GET", "/readyz")

    assert page_link == (200, PNG)
    assert configured_key[0] == 200
    assert (ready[0], json.loads(ready[1])["checks"]["database"]) == (200, "down")
    assert "the database does not answer" in gateway.log_text()
    assert "hunter2" not in gateway.log_text()
