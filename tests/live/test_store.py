"""A gateway without a provider, under gunicorn: from an empty folder, and through a crash."""

import json
import os
import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

from factories import API_KEY, PNG
from live import LiveGateway, live_gateway
from servers import ScriptedServer

CONVERSIONS = 200
IMAGE = PNG[:8] + random.Random(11).randbytes(300_000)  # noqa: S311 (bytes, not a secret)


def put_record(gateway: LiveGateway, task_id: str, url: str) -> bool:
    """Tell the gateway of a task; whether it said that it kept it."""
    body = json.dumps({"status": "SUCCESS", "resultUrls": [url]})
    with gateway.visit() as visitor:
        visitor.request("PUT", f"/api/v1/records/{task_id}", body, {"Authorization": f"Bearer {API_KEY}"})
        return visitor.getresponse().status == 200


def download(gateway: LiveGateway, task_id: str, url: str) -> tuple[int, bytes]:
    with gateway.visit() as visitor:
        visitor.request("GET", gateway.path(url, task_id))
        response = visitor.getresponse()
        return response.status, response.read()


def kill_all(gateway: LiveGateway) -> None:
    """Kill the master and its workers at once, as a machine that loses its power would."""
    for each in (gateway.process.pid, *gateway.workers()):
        os.kill(each, signal.SIGKILL)
    gateway.process.wait()


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
