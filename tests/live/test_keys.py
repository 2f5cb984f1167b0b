"""Keys under gunicorn: made on the command line, shared by workers, and seen to be used."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.live_gateway import LiveGateway, environment_for, live_gateway

pytestmark = pytest.mark.slow

PER_DAY = 60  # blocks of one call: none is left with a worker that is not asked again
TWO_WORKERS = {"web_concurrency": "2"}


def keys(folder: Path, *arguments: str) -> str:
    """Run a command of the operator's beside the gateway."""
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "keys", *arguments],
        env=environment_for("origin.example", **TWO_WORKERS),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout.strip()


def call(gateway: LiveGateway, token: str) -> tuple[int, dict[str, str]]:
    with gateway.visit() as visitor:
        visitor.request("POST", "/api/v1/links", b"{}", {"Authorization": f"Bearer {token}"})
        response = visitor.getresponse()
        return response.status, dict(response.getheaders())


@pytest.fixture
def token(tmp_path: Path) -> str:
    """A key that was made before the gateway ever ran."""
    return keys(tmp_path, "create", "shop", "--per-day", str(PER_DAY))


def test_two_workers_use_up_a_keys_day_and_not_one_call_more(tmp_path: Path, token: str) -> None:
    with live_gateway(tmp_path, "origin.example", **TWO_WORKERS) as gateway, ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(lambda _: call(gateway, token), range(2 * PER_DAY)))

    statuses = [status for status, _ in answers]
    assert (statuses.count(422), statuses.count(429)) == (PER_DAY, PER_DAY)
    assert {headers["RateLimit-Limit"] for _, headers in answers} == {str(PER_DAY)}


def test_when_a_worker_ends_the_last_use_of_a_key_is_written_down(tmp_path: Path, token: str) -> None:
    before = keys(tmp_path, "list").splitlines()[-1].split()

    with live_gateway(tmp_path, "origin.example", **TWO_WORKERS) as gateway:
        call(gateway, token)

    after = keys(tmp_path, "list").splitlines()[-1].split()
    assert before[0] == after[0] == "shop"
    assert before[-2] == "-"
    assert after[-2].endswith("Z")
