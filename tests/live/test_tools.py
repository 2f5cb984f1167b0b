import random
import subprocess
import threading
from pathlib import Path

import pytest

from gateway.settings import Settings
from tests.support.live_gateway import LiveGateway, happens, live_gateway
from tests.support.machine import needs
from tests.support.servers import Request, ScriptedServer, file_answer

pytestmark = pytest.mark.slow

FILE = b"\x89PNG\r\n\x1a\n" + random.Random(7).randbytes(9 * 2**20)
NAME = "Holiday photo.png"
CURL = ("curl", "--disable", "--silent", "--show-error", "--max-time", "20")
WGET = ("wget", "--no-config", "--no-verbose", "--timeout=20", "--tries=1")
ARIA2C = ("aria2c", "--no-conf", "--quiet", "--max-connection-per-server=4", "--split=4", "--min-split-size=1M")

ALL_AT_ONCE = ("aria2c", "--no-conf", "--quiet", "-x16", "-s16")
PARTS = 16
LIMITS = ("downloads_per_minute", "streams_per_visitor")  # which the other tests here go without

BY_NAME = {
    "curl": (*CURL, "--remote-name", "--remote-header-name", "--location"),
    "wget": (*WGET, "--content-disposition"),
    "aria2c": (*ARIA2C,),
}
BY_PATH = {"curl": (*CURL, "--fail", "--remote-name"), "wget": WGET}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a tool saves: an empty folder."""
    (tmp_path / "saved").mkdir()
    return tmp_path / "saved"


@pytest.fixture(scope="module")
def image(files: ScriptedServer) -> str:
    """The URL of a large image with what an origin must give for resuming."""
    return files.serve("/v/large.png", FILE, ETag='"v1"', Content_Type="image/png")


@pytest.fixture(scope="module")
def attachment(files: ScriptedServer) -> str:
    """The URL of a small image that its origin serves for saving."""
    return files.serve("/v/small.png", FILE[:5000], Content_Disposition='attachment; filename="theirs.png"')


@pytest.mark.parametrize("tool", BY_NAME)
def test_a_streamed_file_is_saved_whole_under_its_signed_name(
    live: LiveGateway, image: str, folder: Path, tool: str
) -> None:
    needs(tool)

    run(folder, *BY_NAME[tool], live.link(image, mode="stream", filename=NAME))

    assert [path.name for path in folder.iterdir()] == [NAME]
    assert (folder / NAME).read_bytes() == FILE


@pytest.mark.parametrize("tool", BY_PATH)
def test_a_client_that_takes_the_name_from_the_path_saves_the_files_name(
    live: LiveGateway, image: str, folder: Path, tool: str
) -> None:
    needs(tool)

    for link in (live.link(image, mode="stream"), live.link(image, mode="stream", filename="holiday.png")):
        run(folder, *BY_PATH[tool], link)

    saved = {path.name.partition("?")[0]: path.read_bytes() == FILE for path in folder.iterdir()}  # wget adds the query
    assert saved == {"large.png": True, "holiday.png": True}


@pytest.mark.parametrize("tool", BY_NAME)
def test_a_redirect_is_followed_to_the_origins_own_name(
    live: LiveGateway, attachment: str, folder: Path, tool: str
) -> None:
    needs(tool)

    run(folder, *BY_NAME[tool], live.link(attachment))

    assert [path.name for path in folder.iterdir()] == ["theirs.png"]
    assert (folder / "theirs.png").read_bytes() == FILE[:5000]


def test_a_download_manager_gets_its_parts_over_several_connections(
    live: LiveGateway, files: ScriptedServer, folder: Path
) -> None:
    needs("aria2c")
    url = files.serve("/v/parts.png", FILE, ETag='"v1"')

    run(folder, *ARIA2C, live.link(url, mode="stream"))

    parts = {request.headers.get("range") for request in files.seen if request.path == "/v/parts.png"}
    assert len(parts) >= 2  # how many it opens before the file is there depends on the machine
    assert (folder / "parts.png").read_bytes() == FILE


class Gathering:
    """A route of a file that goes on with nobody's part before so many connections have asked for one."""

    def __init__(self, body: bytes, parties: int) -> None:
        self._body = body
        self._parties = parties
        self._lock = threading.Lock()
        self._complete = threading.Event()
        self.most_at_once = self._now = 0

    def __call__(self, request: Request) -> None:
        """Serve."""
        told = file_answer(request, self._body, {"ETag": '"v1"', "Content-Type": "image/png"})
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            if self._now == self._parties:
                self._complete.set()
        try:
            request.connection.sendall(told[:10_000])
            self._complete.wait(30)
            request.connection.sendall(told[10_000:])
        finally:
            with self._lock:
                self._now -= 1


@pytest.mark.parametrize(
    ("options", "at_once"), [((), 1), (("-k1M",), PARTS)], ids=["a-file-it-does-not-split", "sixteen-parts"]
)
def test_a_download_manager_with_sixteen_connections_is_refused_none_of_them(
    tmp_path: Path, files: ScriptedServer, folder: Path, options: tuple[str, ...], at_once: int
) -> None:
    needs("aria2c")
    body = FILE[:8] + FILE[8:] * 2
    held = Gathering(body, at_once)
    url = files.route("/v/sixteen.png", held)
    limits = {name: str(Settings.model_fields[name].default) for name in LIMITS}
    with live_gateway(tmp_path, files.address, **limits) as gateway:
        run(folder, *ALL_AT_ONCE, *options, gateway.link(url, mode="stream"))
        statuses = {line["status"] for line in gateway.logged("request") if line["path"].startswith("/download/")}

    assert (folder / "sixteen.png").read_bytes() == body
    assert held.most_at_once >= at_once
    assert statuses <= {200, 206}


def test_an_interrupted_download_goes_on_where_it_stopped(live: LiveGateway, image: str, folder: Path) -> None:
    needs("curl")
    link = live.link(image, mode="stream")
    run(folder, *CURL, "--range", "0-999999", "--output", "image.png", link)

    status = run(folder, *CURL, "--continue-at", "-", "--output", "image.png", "--write-out", "%{http_code}", link)

    assert status == "206"
    assert (folder / "image.png").read_bytes() == FILE


def test_a_download_that_was_killed_goes_on_where_it_stopped(live: LiveGateway, image: str, folder: Path) -> None:
    needs("curl")
    link = live.link(image, mode="stream")
    kill_midway(folder / "image.png", link)

    status = run(folder, *CURL, "--continue-at", "-", "--output", "image.png", "--write-out", "%{http_code}", link)

    assert status == "206"
    assert (folder / "image.png").read_bytes() == FILE


def test_asking_for_the_headers_alone_tells_name_type_and_length(live: LiveGateway, image: str, folder: Path) -> None:
    needs("curl")

    head = run(folder, *CURL, "--head", live.link(image, filename=NAME)).replace("\r", "").splitlines()

    assert head[0].startswith("HTTP/1.1 200")
    assert f"Content-Length: {len(FILE)}" in head
    assert "Content-Type: image/png" in head
    assert f"Content-Disposition: attachment; filename=\"{NAME}\"; filename*=UTF-8''Holiday%20photo.png" in head


def run(folder: Path, *command: str) -> str:
    """Run a tool in a folder with nothing of the user's own configuration; give what it printed."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder.parent), "LANG": "C.UTF-8"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def kill_midway(target: Path, link: str) -> None:
    """Start a slow download, and kill it when some of it has been saved and some has not."""
    command = [*CURL, "--limit-rate", "2M", "--no-buffer", "--output", str(target), link]
    with subprocess.Popen(command) as process:
        saved = happens(lambda: target.exists() and target.stat().st_size > 100_000)
        process.kill()
    assert saved
    assert target.stat().st_size < len(FILE)
