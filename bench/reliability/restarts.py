"""Rolling restarts of two gateways behind nginx, under downloads that never stop: no begun download breaks."""

import multiprocessing
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.origin import running_origin
from bench.reliability.row import Row
from gateway.links import LinkSigner
from tests.support.procfile_gateway import SECRET, environment_of, free_port, started, wait_until_healthy

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.synchronize import Event

RESTARTS = 20
VISITORS = 8
LENGTH = 3_000_000
TAKES_S = 1.0
_PARTS = 20
_RECEIVED = 64 * 1024
# A gateway that is being restarted refuses connections: the other is asked, and it is tried again for the next visitor.
_NGINX = Template("""
daemon off;
pid $folder/nginx.pid;
error_log $folder/nginx.log;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path $folder/body;
  proxy_temp_path $folder/proxy;
  fastcgi_temp_path $folder/fastcgi;
  uwsgi_temp_path $folder/uwsgi;
  scgi_temp_path $folder/scgi;
  upstream gateways { server 127.0.0.1:$one max_fails=0; server 127.0.0.1:$other max_fails=0; keepalive 16; }
  server {
    listen 127.0.0.1:$port sndbuf=64k;
    location / {
      proxy_pass http://gateways;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_next_upstream error timeout;
    }
  }
}
""")


def run() -> list[Row]:
    """Restart twenty times, in turns, and tell how the downloads went."""
    if shutil.which("nginx") is None:
        print("left out: nginx is not on this machine")
        return []
    met = downloads_under_restarts(RESTARTS)
    return [
        Row(
            f"{RESTARTS} rolling restarts of two gateways behind nginx, {VISITORS} visitors downloading all the time",
            "no download that got its first byte fails",
            ", ".join(f"{many} {what}" for what, many in sorted(met.items())),
            holds=met["whole"] > RESTARTS and not met["broken"],
        )
    ]


def downloads_under_restarts(restarts: int) -> Counter[str]:
    """Restart two gateways in turns while visitors download.

    Returns:
        How many downloads came ``whole``, were ``broken`` after their first byte, or ``refused`` before it.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
        origin = stack.enter_context(running_origin())
        gateways = [stack.enter_context(closing(_Gateway(folder, origin))) for _ in range(2)]
        port = stack.enter_context(_nginx(folder, *(gateway.port for gateway in gateways)))
        met = stack.enter_context(_visitors(port, f"http://{origin}/v/{LENGTH}.png"))
        for number in range(restarts):
            gateways[number % 2].restart()
    return met


class _Gateway:
    """One that can be restarted at its port."""

    def __init__(self, folder: Path, origin: str) -> None:
        self.port = free_port()
        self._log = folder / f"{self.port}.log"
        database = f"sqlite:///{folder}/{self.port}.db"
        self._environment = environment_of(origin, self.port, resolver="origin", database_url=database)
        self._start()

    def restart(self) -> None:
        """End it as a deploy does, and start the next."""
        self.close()
        self._start()

    def close(self) -> None:
        """End it, and wait until it has."""
        self._running.close()

    def _start(self) -> None:
        with ExitStack() as stack:
            wait_until_healthy(self.port, stack.enter_context(started(self._log, self._environment)), self._log)
            self._running = stack.pop_all()


@contextmanager
def _nginx(folder: Path, one: int, other: int) -> Iterator[int]:
    """Run nginx before two gateways, and give its port."""
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(_NGINX.substitute(folder=folder, one=one, other=other, port=port), encoding="utf-8")
    command = ["nginx", "-e", str(folder / "nginx.log"), "-p", str(folder), "-c", str(config)]
    with subprocess.Popen(command) as process:
        try:
            wait_until_healthy(port, process, folder / "nginx.log")
            yield port
        finally:
            process.terminate()


@contextmanager
def _visitors(port: int, url: str) -> Iterator[Counter[str]]:
    """Have visitors download in a process of their own; what became of it is known at the end."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe(duplex=False)
    over = spawn.Event()
    process = spawn.Process(target=_visit, args=(there, over, port, url), daemon=True)
    process.start()
    met: Counter[str] = Counter()
    try:
        yield met
    finally:
        over.set()
        met.update(here.recv())
        process.join()


def _visit(parent: "Connection[object, object]", over: "Event", port: int, url: str) -> None:
    met: Counter[str] = Counter()
    path = LinkSigner([SECRET]).mint("task1", url, mode="stream")

    def come_again() -> None:
        while not over.is_set():
            met[_download(port, path)] += 1

    crowd = [threading.Thread(target=come_again) for _ in range(VISITORS)]
    for visitor in crowd:
        visitor.start()
    for visitor in crowd:
        visitor.join()
    parent.send(met)


def _download(port: int, path: str) -> str:
    """Take a file in about a second; tell whether it came whole, broke, or was refused before its first byte."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        try:
            connection.sock = _narrow_connection(port)
            connection.request("GET", path)
            response = connection.getresponse()
        except (OSError, HTTPException):
            return "refused"
        if response.status != 200:
            return "refused"
        taken = 0
        with suppress(OSError, HTTPException):
            while part := response.read(LENGTH // _PARTS):
                taken += len(part)
                time.sleep(TAKES_S / _PARTS)
    return "whole" if taken == LENGTH else "broken"


def _narrow_connection(port: int) -> socket.socket:
    """Connect, and let the kernel hold so little that the gateway is still sending while the visitor reads."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVED)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", port))
    return connection
