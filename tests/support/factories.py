"""Valid by default; a test changes what it is about."""

import time
from pathlib import Path
from typing import Any

from gateway.app import create_app
from gateway.links.link import Link
from gateway.services import Services, build_services
from gateway.settings import Settings
from tests.support.databases import migrated_sqlite

SECRET = "a-secret-for-tests-that-is-32-bytes-long"
API_KEY = "an-api-key-for-tests-that-is-long-enough"
PROVIDER_KEY = "a-provider-key-for-tests"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40


class Clock:
    """Unix seconds that move only when a test moves them."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def make_settings(*servers: str, **changes: Any) -> Settings:
    """Settings for a gateway that may fetch from these servers (``host:port`` on loopback).

    Changes are given as the environment would give them: text.
    """
    values: dict[str, Any] = {
        "secret_keys": SECRET,
        "upstream_api_key": PROVIDER_KEY,
        "resolver": "origin",
        "api_keys": f"tests:{API_KEY}",
        "origin_hosts": ",".join(servers) or "origin.example",
        "private_networks": "127.0.0.0/8",
        "allow_http": "true",
        "downloads_per_minute": "0",
        "streams_per_visitor": "0",
        "database_url": "sqlite:///:memory:",
    }
    return Settings(_env_file=None, **values | changes)


class Gateway:
    """A gateway in this process, without a server: its test client and what signs its links."""

    def __init__(self, settings: Settings, services: Services | None = None, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.settings = settings
        self.services = services or build_services(settings, clock=self.clock)
        self.app = create_app(settings, self.services)
        self.client = self.app.test_client()

    def link(self, url: str, task_id: str = "task12345", **fields: Any) -> str:
        """A signed link, as a path."""
        return self.services.signer.mint(task_id, url, **fields)

    def revoke(self, link_id: str) -> None:
        """Revoke a link."""
        self.services.database.migrate()
        self.services.stored_links.revoke(link_id)
        self.services.ledger.refresh()

    def get(self, url: str, headers: dict[str, str] | None = None, **fields: Any) -> Any:
        """Follow a fresh link to an origin URL."""
        return self.client.get(self.link(url, **fields), headers=headers)


def store_gateway(folder: Path, *servers: str, **changes: Any) -> Gateway:
    """A gateway without a provider: its records and images are in ``folder``, and its time stands still."""
    values = {"resolver": "store", "upstream_api_key": "", "store": str(folder / "store")}
    settings = make_settings(*servers, **values | {"database_url": migrated_sqlite(folder)} | changes)
    return Gateway(settings, clock=Clock())


def make_link(**changes: Any) -> Link:
    """A link that is valid for ten minutes."""
    values: dict[str, Any] = {
        "task_id": "task12345",
        "url": "https://origin.example/v/cat.png",
        "expires": int(time.time()) + 600,
    }
    return Link(**values | changes)
