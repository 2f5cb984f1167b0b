"""The real thing for a benchmark: the Procfile's own command, with the ``store`` resolver, in a folder of its own."""

import json
import os
import random
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from gateway.links import LinkSigner
from gateway.settings import variable

ROOT = Path(__file__).parents[2]
SECRET = API_KEY = "a-secret-for-the-benchmark-of-32-bytes"
STARTS_WITHIN_S = 90.0  # on a busy machine
STOPS_WITHIN_S = 30.0
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
    most_files: int = 0,
    **settings: str,
) -> Iterator[Running]:
    """Run one worker that fetches from ``origin`` (``host:port``) and keeps all in ``folder``; stop it at the end.

    Args:
        folder: where it runs.
        origin: what it may fetch from.
        config: gunicorn's configuration.
        app: what to run in the gateway's place, on the same worker; it must have ``/healthz``.
        more: what to change in its environment.
        most_files: how many files it may open, which decides how many visitors it takes; 0 for as many as we.
        settings: further settings, in lower case and without prefix.
    """
    port, log = free_port(), folder / "log"
    environment = environment_of(origin, port, **settings) | dict(more or {})
    limited = ["sh", "-c", f'ulimit -n {most_files} && exec "$@"', "sh"] if most_files else []
    with started(log, environment, config=config, app=app, through=limited) as process:
        wait_until_healthy(port, process, log)
        yield Running(port, process.pid)


@contextmanager
def started(
    log: Path,
    environment: Mapping[str, str],
    *,
    config: Path = ROOT / "gunicorn.conf.py",
    app: str = "wsgi:app",
    through: Sequence[str] = (),
    stops_within_s: float = STOPS_WITHIN_S,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the Procfile's command; stop it at the end. Waits for nothing.

    Args:
        log: where it writes to; it runs in the same folder.
        environment: the whole of it, with the port.
        config: gunicorn's configuration.
        app: what to run in the gateway's place.
        through: another command that runs it.
        stops_within_s: how long it may take to end before it is killed.
    """
    procfile = (ROOT / "Procfile").read_text(encoding="utf-8").partition("web:")[2]
    command = shlex.split(procfile.replace("wsgi:app", app))
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*through, sys.executable, "-m", *command, "-c", str(config), "--chdir", str(log.parent)],
            env=environment,
            cwd=log.parent,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(stops_within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_healthy(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Poll ``/healthz``, and fail with the log when it never answers."""
    until = time.monotonic() + STARTS_WITHIN_S
    while process.poll() is None and time.monotonic() < until:
        if _is_healthy(port):
            return
        time.sleep(0.01)
    raise RuntimeError(f"nobody answers at port {port}:\n" + log.read_text(encoding="utf-8"))


def environment_of(origin: str, port: int, **settings: str) -> dict[str, str]:
    """The environment of a gateway that fetches from ``origin``, with settings in lower case and without prefix."""
    given = {
        "PORT": str(port),
        "GATEWAY_SECRET_KEYS": SECRET,
        "GATEWAY_API_KEYS": f"bench:{API_KEY}",
        "GATEWAY_RESOLVER": "store",
        "GATEWAY_ORIGIN_HOSTS": origin,
        "GATEWAY_PRIVATE_NETWORKS": "127.0.0.0/8",
        "GATEWAY_ALLOW_HTTP": "true",
        "GATEWAY_DOWNLOADS_PER_MINUTE": "0",
    }
    return bare_environment() | given | {variable(name): value for name, value in settings.items()}


def bare_environment() -> dict[str, str]:
    """What any process of ours needs to run, and no setting."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT)}


def free_port() -> int:
    """A port that nobody listens on, and that no system gives to a connection of its own in the next moment."""
    while True:
        port = random.randint(10_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _is_healthy(port: int) -> bool:
    with closing(HTTPConnection("127.0.0.1", port, timeout=2)) as connection:
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
