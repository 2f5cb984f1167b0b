"""The database when gunicorn starts: made, behind, or not there."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from databases import postgresql_url
from factories import API_KEY, PNG
from gateway.storage.database import Database
from live import LiveGateway, environment_for, live_gateway, started_gateway
from servers import ScriptedServer


@pytest.fixture
def postgresql(tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables."""
    yield from postgresql_url(tmp_path / "postgresql")


def ask(gateway: LiveGateway, method: str, path: str, body: object = None, key: str = API_KEY) -> tuple[int, bytes]:
    with gateway.visit() as visitor:
        visitor.request(method, path, json.dumps(body), {"Authorization": f"Bearer {key}"})
        response = visitor.getresponse()
        return response.status, response.read()


def test_sqlite_is_made_at_start_whatever_the_resolver(tmp_path: Path) -> None:
    with live_gateway(tmp_path, "origin.example", resolver="origin"):
        database = Database(f"sqlite:///{tmp_path}/instance/gateway.db")

        assert database.is_current()


def test_on_a_database_that_is_behind_the_gateway_does_not_start(tmp_path: Path, postgresql: str) -> None:
    environment = environment_for("origin.example") | {"DATABASE_URL": postgresql}

    with started_gateway(tmp_path, environment) as gateway:
        status = gateway.process.wait(20)

    assert status == 1
    assert "flask --app wsgi db upgrade" in gateway.log_text()


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
