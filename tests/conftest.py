"""Fixtures: servers, settings, and gateways in this process."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from buckets import CREDENTIALS, S3Server, swift
from factories import Clock, Gateway, make_settings
from gateway.settings import Bucket
from servers import ScriptedServer

CORPORA = Path(__file__).parents[2] / "shared" / "corpora"


@pytest.fixture
def origin() -> Iterator[ScriptedServer]:
    """Who holds the bytes."""
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def provider() -> Iterator[ScriptedServer]:
    """Who turns image URLs into direct URLs."""
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    """Time that a test moves."""
    return Clock()


@pytest.fixture
def gateway(origin: ScriptedServer) -> Gateway:
    """A gateway that fetches from ``origin`` itself."""
    return Gateway(make_settings(origin.address))


@pytest.fixture
def upstream_gateway(origin: ScriptedServer, provider: ScriptedServer, clock: Clock) -> Gateway:
    """A gateway that asks ``provider`` for direct URLs, which lie on ``origin``."""
    settings = make_settings(origin.address, resolver="upstream", upstream_url=provider.url(""))
    return Gateway(settings, clock=clock)


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """A server that speaks S3."""
    with swift() as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket, and the keys to its server where the gateway looks for them."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return s3.make_bucket()


@pytest.fixture(scope="session")
def corpora() -> dict[str, Any]:
    """The shared test data; skipped where it is not."""
    import json

    if not CORPORA.is_dir():
        pytest.skip("the shared corpora are not on this machine")
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in CORPORA.glob("*.json")}
