"""Servers that are started for a benchmark, and ended with it."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from string import Template

from tests.support.procfile_gateway import STARTS_WITHIN_S, STOPS_WITHIN_S


class Unavailable(Exception):
    """Something that this machine does not have; the message says what, and how to get it."""


def needed(command: str, remedy: str) -> str:
    """The path of a command.

    Raises:
        Unavailable: it is not there.
    """
    if path := shutil.which(command):
        return path
    raise Unavailable(f"no {command}: {remedy}")


@contextmanager
def running(
    command: Sequence[str], port: int, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Run a server in a folder until the end of the block, and give the port on which it takes connections.

    Raises:
        Unavailable: it does not; with the last line that it said.
    """
    log = folder / "log"
    with log.open("ab") as said:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | dict(environment or {}), stdout=said, stderr=said
        )
    try:
        _wait_until_it_listens(command[0], process, port, log)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def running_nginx(config: Path, port: int, folder: Path, **slots: object) -> Iterator[int]:
    """Run nginx with a configuration in which ``$folder``, ``$port`` and other places are filled in.

    Raises:
        Unavailable: there is no nginx, or it does not start.
    """
    nginx = needed("nginx", "apt install nginx-light")
    user = "user root;" if os.getuid() == 0 else ""  # else its worker may not read our folder
    text = Template(config.read_text(encoding="utf-8")).substitute(slots, user=user, folder=folder, port=port)
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    with running([nginx, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")], port, folder):
        yield port


def _wait_until_it_listens(name: str, process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    said = log.read_text(encoding="utf-8", errors="replace").splitlines() or ["nothing was said"]
    raise Unavailable(f"{name} does not start: {said[-1]}")
