"""Each worker reports what all workers counted, also after one was killed or replaced."""

import os
import re
import signal
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.factories import PNG
from tests.support.live_gateway import LiveGateway, download, happens, live_gateway
from tests.support.paused_route import PausedRoute
from tests.support.servers import ScriptedServer

pytestmark = pytest.mark.slow

TOKEN = "a-metrics-token-for-tests-of-32-bytes-or-more"
DOWNLOADS = 'gateway_requests_total{delivery="stream",outcome="completed"}'
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (where gunicorn.conf.py puts the folder)


@pytest.fixture
def counting(tmp_path: Path, origin: ScriptedServer) -> Iterator[LiveGateway]:
    """Two workers that count."""
    with live_gateway(tmp_path, origin.address, web_concurrency="2", metrics_token=TOKEN) as gateway:
        yield gateway


def count(gateway: LiveGateway, name: str) -> float:
    """What any worker says of one metric."""
    with gateway.visit() as scraper:
        scraper.request("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        text = scraper.getresponse().read().decode()
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0


def counts_are(gateway: LiveGateway, name: str, value: float) -> bool:
    """Tell whether every worker comes to say the same; scrapes go to one or the other."""
    return happens(lambda: {count(gateway, name) for _ in range(12)} == {value})


def test_every_worker_reports_what_all_of_them_counted_in_a_private_folder_that_is_removed(
    tmp_path: Path, origin: ScriptedServer
) -> None:
    url = origin.serve("/v/cat.png", PNG)

    with live_gateway(tmp_path, origin.address, web_concurrency="2", metrics_token=TOKEN) as gateway:
        with ThreadPoolExecutor(10) as crowd:  # so that both workers have some
            answers = list(crowd.map(lambda _: download(gateway, "task12345", url), range(20)))
        assert answers == [(200, PNG)] * 20
        assert counts_are(gateway, DOWNLOADS, 20)
        assert counts_are(gateway, "gateway_sent_bytes_total", 20 * len(PNG))
        [folder] = folders_of(gateway)
        assert folder.stat().st_mode & 0o777 == 0o700

    assert not folder.exists()


def test_the_streams_of_a_worker_that_is_killed_are_open_no_more_and_what_it_counted_stays(
    counting: LiveGateway, origin: ScriptedServer
) -> None:
    download(counting, "task12345", origin.serve("/v/cat.png", PNG))
    held = PausedRoute(PNG * 50)
    with counting.visit() as visitor:
        visitor.request("GET", counting.path(origin.route("/v/held.png", held), mode="stream"))
        assert held.half_sent.wait(30)
        assert counts_are(counting, "gateway_open_streams", 1)
        for worker in counting.workers():
            os.kill(worker, signal.SIGKILL)
        assert happens(lambda: "Booting worker" in counting.log_text() and len(counting.workers()) == 2)
        assert counts_are(counting, "gateway_open_streams", 0)
    held.resume.set()

    assert counts_are(counting, DOWNLOADS, 1)


def test_a_reload_goes_on_counting(counting: LiveGateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG)
    download(counting, "task12345", url)
    before = set(counting.workers())
    counting.process.send_signal(signal.SIGHUP)
    assert happens(lambda: before.isdisjoint(counting.workers()) and len(counting.workers()) == 2, within_s=10)

    download(counting, "task12345", url)

    assert counts_are(counting, DOWNLOADS, 2)


def test_without_the_token_there_is_no_such_folder(live: LiveGateway) -> None:
    assert folders_of(live) == []


def folders_of(gateway: LiveGateway) -> list[Path]:
    place = SHARED_MEMORY if SHARED_MEMORY.is_dir() else Path(tempfile.gettempdir())
    return list(place.glob(f"gateway-metrics-{gateway.process.pid}-*"))
