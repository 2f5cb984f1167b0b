"""The real thing: the Procfile's own command, on a port of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from gateway.links import LinkSigner
from gateway.settings import variable
from tests.support.factories import API_KEY, PROVIDER_KEY, SECRET
from tests.support.procfile_gateway import ROOT, bare_environment, free_port, started, wait_until_healthy

__all__ = [
    "ROOT",
    "LiveGateway",
    "bare_environment",
    "callback_url",
    "download",
    "environment_for",
    "free_port",
    "happens",
    "kill_all",
    "live_gateway",
    "put_record",
    "started_gateway",
    "wait_until_healthy",
]
STOPS_WITHIN_S = 10.0


@dataclass(frozen=True)
class LiveGateway:
    """A gateway under gunicorn."""

    port: int
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"

    def link(self, url: str, task_id: str = "task12345", **fields: object) -> str:
        """A signed link, absolute."""
        return LinkSigner([SECRET], self.url).mint(task_id, url, **fields)  # type: ignore[arg-type]

    def path(self, url: str, task_id: str = "task12345", **fields: object) -> str:
        """A signed link, as a path."""
        return self.link(url, task_id, **fields).removeprefix(self.url)

    def visit(self) -> "closing[HTTPConnection]":
        """A connection for one visitor, closed at the end of the ``with``."""
        return closing(HTTPConnection("127.0.0.1", self.port, timeout=30))

    def exchange(self, request: bytes) -> bytes:
        """Send bytes just as they are, and give everything that comes back until the gateway closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def workers(self) -> list[int]:
        """The process ids of its workers. Linux only."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]

    def log_text(self) -> str:
        """Everything it wrote so far."""
        return self.log.read_text(encoding="utf-8")

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log's lines on one kind of event."""
        told = [json.loads(line) for line in self.log_text().splitlines()]
        return [line for line in told if line["event"] == event]


@contextmanager
def live_gateway(folder: Path, *servers: str, **settings: str) -> Iterator[LiveGateway]:
    """Run the Procfile's command with settings for these servers; stop it at the end.

    Args:
        folder: where it runs and logs; no ``.env`` there.
        servers: ``host:port`` on loopback that it may fetch from.
        settings: further settings, in lower case and without prefix.
    """
    with started_gateway(folder, environment_for(*servers, **settings)) as gateway:
        wait_until_healthy(gateway.port, gateway.process, gateway.log)
        yield gateway


@contextmanager
def started_gateway(
    folder: Path,
    environment: Mapping[str, str],
    config: Path = ROOT / "gunicorn.conf.py",
    most_files: int = 0,
) -> Iterator[LiveGateway]:
    """Run the Procfile's command in a folder, with an environment and a port; stop it at the end. Waits for nothing.

    Args:
        folder: where it runs and logs.
        environment: the whole of it, but for the port.
        config: gunicorn's configuration.
        most_files: how many files it may open, which decides how many visitors it takes; 0 for as many as we.
    """
    port = free_port()
    log = folder / f"gateway-{port}.log"
    limited = ["sh", "-c", f'ulimit -n {most_files} && exec "$@"', "sh"] if most_files else []
    with started(
        log, {**environment, "PORT": str(port)}, config=config, through=limited, stops_within_s=STOPS_WITHIN_S
    ) as process:
        yield LiveGateway(port, process, log)


def environment_for(*servers: str, **settings: str) -> dict[str, str]:
    """The environment of a gateway process: nothing of ours leaks in but what it needs to run."""
    given = {
        "secret_keys": SECRET,
        "upstream_api_key": PROVIDER_KEY,
        "resolver": "origin",
        "api_keys": f"tests:{API_KEY}",
        "origin_hosts": ",".join(servers),
        "private_networks": "127.0.0.0/8",
        "allow_http": "true",
        "downloads_per_minute": "0",
        "streams_per_visitor": "0",
    } | settings
    return bare_environment() | {variable(name): value for name, value in given.items()}


def callback_url(gateway: LiveGateway) -> str:
    """Where the provider calls a gateway that keeps records: what the operator's command says."""
    own = {"resolver": "store", "upstream_api_key": "", "public_url": gateway.url}
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "callback-url"],
        env=environment_for(**own),
        cwd=gateway.log.parent,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout.strip()


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
    pid = gateway.process.pid
    workers = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    for each in (pid, *map(int, workers)):
        os.kill(each, signal.SIGKILL)
    gateway.process.wait()


def happens(condition: Callable[[], object], within_s: float = 20.0) -> bool:
    """Ask again and again whether something is so, until it is or the time is over."""
    until = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
