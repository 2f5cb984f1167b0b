"""A gateway without a provider, under gunicorn: from an empty folder, and through a crash."""

import json
import os
import random
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.support.factories import PNG
from tests.support.live_gateway import (
    LiveGateway,
    download,
    environment_for,
    happens,
    kill_all,
    live_gateway,
    put_record,
    started_gateway,
    wait_until_healthy,
)
from tests.support.servers import ScriptedServer

pytestmark = pytest.mark.slow

CONVERSIONS = 200
IMAGE = PNG[:8] + random.Random(11).randbytes(300_000)


def test_from_an_empty_folder_two_workers_serve_what_they_are_told_of(tmp_path: Path, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", IMAGE)
    settings = {"resolver": "store", "upstream_api_key": "", "web_concurrency": "2"}

    with live_gateway(tmp_path, origin.address, **settings) as gateway:
        assert put_record(gateway, "task1", url)
        answers = {download(gateway, "task1", url) for _ in range(8)}

    assert answers == {(200, IMAGE)}


def test_a_crash_loses_no_record_and_serves_no_half_image(tmp_path: Path, origin: ScriptedServer) -> None:
    settings = {"resolver": "store", "upstream_api_key": ""}
    urls = {
        f"task{n}": origin.serve(f"/v/{n}.png", IMAGE + n.to_bytes(2, "big"), Content_Type="image/png")
        for n in range(CONVERSIONS)
    }
    acknowledged: list[str] = []
    once = threading.Lock()

    with live_gateway(tmp_path, origin.address, **settings) as gateway:

        def convert(task_id: str) -> None:
            with suppress(OSError, HTTPException):
                if put_record(gateway, task_id, urls[task_id]):
                    acknowledged.append(task_id)
                download(gateway, task_id, urls[task_id])
                if len(acknowledged) >= CONVERSIONS // 2 and once.acquire(blocking=False):
                    kill_all(gateway)

        with ThreadPoolExecutor(8) as crowd:
            list(crowd.map(convert, urls))

    with live_gateway(tmp_path, origin.address, **settings) as restarted:
        got = {task_id: download(restarted, task_id, urls[task_id]) for task_id in acknowledged}

    assert CONVERSIONS // 2 <= len(acknowledged) < CONVERSIONS
    assert got == {task_id: (200, IMAGE + int(task_id[4:]).to_bytes(2, "big")) for task_id in acknowledged}


def test_on_a_platform_whose_disk_does_not_last_the_start_says_what_will_be_lost(tmp_path: Path) -> None:
    environment = environment_for("origin.example", resolver="store", upstream_api_key="") | {"DYNO": "web.1"}

    with started_gateway(tmp_path, environment) as gateway:
        wait_until_healthy(gateway.port, gateway.process, gateway.log)
        told = [line for line in map(json.loads, gateway.log_text().splitlines()) if line["event"] == "ephemeral_disk"]

    assert [(line["level"], line["settings"]) for line in told] == [("warning", ["DATABASE_URL", "GATEWAY_STORE"])]


# --- sent by the kernel


LARGE = PNG[:8] + random.Random(12).randbytes(6 * 2**20)


@pytest.fixture
def kept(tmp_path: Path, origin: ScriptedServer) -> Iterator[tuple[LiveGateway, str]]:
    """A gateway that has a large image in its folder, and the path of a link to it."""
    url = origin.serve("/v/large.png", LARGE)
    with live_gateway(tmp_path, origin.address, resolver="store", upstream_api_key="") as gateway:
        assert put_record(gateway, "task1", url)
        assert download(gateway, "task1", url) == (200, LARGE)
        yield gateway, gateway.path(url, "task1")


def begun(gateway: LiveGateway, path: str, *headers: str) -> socket.socket:
    """Ask for a path, and give the connection."""
    visitor = socket.create_connection(("127.0.0.1", gateway.port), timeout=10)
    visitor.sendall("\r\n".join((f"GET {path} HTTP/1.1", "Host: x", "Connection: close", *headers, "", "")).encode())
    return visitor


def body(visitor: socket.socket) -> bytes:
    """All that comes, but for the headers."""
    return b"".join(iter(lambda: visitor.recv(2**20), b"")).partition(b"\r\n\r\n")[2]


def ended(gateway: LiveGateway) -> dict[str, object]:
    """The log's line of the second download, when it is there."""
    assert happens(lambda: len(requests_for(gateway)) == 2)
    line = requests_for(gateway)[1]
    return {name: line[name] for name in ("status", "outcome", "sent")}


def requests_for(gateway: LiveGateway) -> list[dict[str, object]]:
    return [line for line in gateway.logged("request") if line.get("task") == "task1" and line["method"] == "GET"]


@pytest.mark.parametrize(
    ("headers", "first", "end", "status"),
    [((), 0, None, 200), (("Range: bytes=1000000-4999999",), 1_000_000, 5_000_000, 206)],
    ids=["whole", "a part"],
)
def test_an_image_in_the_folder_arrives_unchanged_and_its_line_says_how_much_was_sent(
    kept: tuple[LiveGateway, str], headers: tuple[str, ...], first: int, end: int | None, status: int
) -> None:
    gateway, path = kept
    wanted = LARGE[first:end]

    with begun(gateway, path, *headers) as visitor:
        assert body(visitor) == wanted

    assert ended(gateway) == {"status": status, "outcome": "completed", "sent": len(wanted)}


def test_a_visitor_who_leaves_amid_an_image_in_the_folder_is_told_from_one_who_got_it(
    kept: tuple[LiveGateway, str],
) -> None:
    gateway, path = kept

    with begun(gateway, path) as visitor:
        visitor.recv(1000)

    line = ended(gateway)
    assert line["outcome"] == "left"
    assert line["sent"] != len(LARGE)


def test_an_image_that_lost_its_end_in_the_folder_is_cut_visibly(kept: tuple[LiveGateway, str], tmp_path: Path) -> None:
    gateway, path = kept
    (object_,) = [file for file in tmp_path.rglob("*") if file.is_file() and file.stat().st_size == len(LARGE)]
    os.truncate(object_, 3_000_000)

    with begun(gateway, path) as visitor, suppress(ConnectionResetError):
        assert body(visitor) == LARGE[:3_000_000]

    assert ended(gateway) == {"status": 200, "outcome": "origin_failed", "sent": 3_000_000}
