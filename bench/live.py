"""The real thing for a benchmark: the Procfile's own command, with the ``store`` resolver, in a folder of its own."""

import json
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from gateway.links import LinkSigner
from gateway.settings import variable

ROOT = Path(__file__).parents[1]
SECRET = API_KEY = "a-secret-for-the-benchmark-of-32-bytes"  # noqa: S105 (opens nothing real)
STARTS_WITHIN_S = STOPS_WITHIN_S = 30.0
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that answers."""

    port: int
    pid: int

    def put_record(self, task_id: str, url: str) -> None:
        """Tell it of a task whose only image is at ``url``."""
        body = json.dumps({"status": "SUCCESS", "resultUrls": [url]})
        with closing(self._connection()) as connection:
            connection.request("PUT", f"/api/v1/records/{task_id}", body, {"Authorization": f"Bearer {API_KEY}"})
            status = connection.getresponse().status
        if status != 200:
            raise RuntimeError(f"the record was answered with {status}")

    def download(self, task_id: str, url: str) -> int:
        """Download an image, throw its bytes away, and tell how many they were."""
        taken, part = 0, bytearray(2**20)
        with closing(self._connection()) as connection:
            connection.request("GET", LinkSigner([SECRET]).mint(task_id, url))
            response = connection.getresponse()
            while response.status == 200 and (count := response.readinto(part)):
                taken += count
        return taken

    def worker(self) -> int:
        """The process id of its worker. Linux only."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii")
        return int(children.split()[0])

    def peak_bytes(self) -> int:
        """The most memory that the worker ever had resident (``VmHWM``). Linux only."""
        return self._memory("VmHWM:")

    def resident_bytes(self) -> int:
        """The memory that the worker has resident now (``VmRSS``). Linux only."""
        return self._memory("VmRSS:")

    def _memory(self, name: str) -> int:
        status = Path(f"/proc/{self.worker()}/status").read_text(encoding="ascii")
        return int(status.partition(name)[2].split()[0]) * 1024

    def _connection(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)


@contextmanager
def running_gateway(
    folder: Path,
    origin: str,
    *,
    config: Path = ROOT / "gunicorn.conf.py",
    app: str = "wsgi:app",
    more: Mapping[str, str] | None = None,
    **settings: str,
) -> Iterator[Running]:
    """Run one worker that fetches from ``origin`` (``host:port``) and keeps all in ``folder``; stop it at the end.

    Args:
        folder: where it runs.
        origin: what it may fetch from.
        config: gunicorn's configuration.
        app: what to run in the gateway's place, on the same worker; it must have ``/healthz``.
        more: what to change in its environment.
        settings: further settings, in lower case and without prefix.
    """
    port = free_port()
    procfile = (ROOT / "Procfile").read_text(encoding="utf-8").partition("web:")[2]
    command = shlex.split(procfile.replace("wsgi:app", app))
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, "-c", str(config), "--chdir", str(folder)],
            env=_environment(origin, port, settings) | dict(more or {}),
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        _wait_until_healthy(process, port, folder / "log")
        yield Running(port, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(origin: str, port: int, settings: Mapping[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    given = {
        "PYTHONPATH": str(ROOT),
        "PORT": str(port),
        "GATEWAY_SECRET_KEYS": SECRET,
        "GATEWAY_API_KEYS": f"bench:{API_KEY}",
        "GATEWAY_RESOLVER": "store",
        "GATEWAY_ORIGIN_HOSTS": origin,
        "GATEWAY_PRIVATE_NETWORKS": "127.0.0.0/8",
        "GATEWAY_ALLOW_HTTP": "true",
        "GATEWAY_DOWNLOADS_PER_MINUTE": "0",
    }
    return kept | given | {variable(name): value for name, value in settings.items()}


def _wait_until_healthy(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while process.poll() is None and time.monotonic() < until:
        with closing(HTTPConnection("127.0.0.1", port, timeout=2)) as connection:
            try:
                connection.request("GET", "/healthz")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                time.sleep(0.01)
    raise RuntimeError("the gateway does not answer:\n" + log.read_text(encoding="utf-8"))
