"""SQLite that another process has locked, under the real server."""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.live_gateway import LiveGateway, live_gateway, put_record

pytestmark = pytest.mark.slow

WRITES = 12
ONE_AFTER_THE_OTHER_S = WRITES * 1.5


def answered(gateway: LiveGateway) -> int:
    with gateway.visit() as visitor:
        visitor.request("GET", "/healthz")
        return visitor.getresponse().status


def test_while_writes_wait_for_a_locked_database_others_are_answered(tmp_path: Path) -> None:
    url = "https://tempfile.aiquickdraw.com/v/cat.png"
    with (
        live_gateway(tmp_path, resolver="store", upstream_api_key="", origin_hosts="*.aiquickdraw.com") as gateway,
        closing(sqlite3.connect(tmp_path / "instance" / "gateway.db", isolation_level=None)) as other,
        ThreadPoolExecutor(WRITES) as crowd,
    ):
        assert put_record(gateway, "before", url)
        other.execute("BEGIN IMMEDIATE")
        begun_at = time.monotonic()
        writing = [crowd.submit(put_record, gateway, f"task{number}", url) for number in range(WRITES)]
        answers = 0
        while not all(each.done() for each in writing):
            assert answered(gateway) == 200
            answers += 1
        took_s = time.monotonic() - begun_at
        other.execute("ROLLBACK")

        assert put_record(gateway, "after", url)

    assert not any(each.result() for each in writing)
    assert took_s < ONE_AFTER_THE_OTHER_S / 2
    assert answers > WRITES
