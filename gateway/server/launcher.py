"""Run gunicorn for one or more applications, and stop them together."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
Process = subprocess.Popen[bytes]
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 30.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Service:
    """An application for gunicorn to serve.

    Attributes:
        name: for messages.
        application: ``module:callable``.
        address: ``host:port``.
        environment: additional environment variables.
    """

    name: str
    application: str
    address: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)


def run_until_stopped(services: Sequence[Service], greeting: str, log_file: Path | None = None) -> int:
    """Start every service, print the greeting once all answer ``/healthz``, and wait for Ctrl-C or SIGTERM.

    Args:
        services: what to run.
        greeting: printed when all services are healthy.
        log_file: receives the logs; None for standard error.

    Returns:
        The exit status: 0 after a signal, 1 when a service failed to start or exited.
    """
    for stop in STOP_SIGNALS:
        signal.signal(stop, _interrupt)
    for service in services:
        if not is_free(service.address):
            print(f"{service.address} is used by another program; set PORT to a free port.", file=sys.stderr)
            return 1
    with ExitStack() as stack:
        log = stack.enter_context(log_file.open("ab")) if log_file else None
        running: dict[Service, Process] = {}
        try:
            for service in services:
                running[service] = _start(service, log)
            for service, process in running.items():
                if not _wait_until_healthy(service, process):
                    print(f"The {service.name} did not start; see {log_file or 'the lines above'}.", file=sys.stderr)
                    return 1
            print(greeting, flush=True)
            _wait_until_one_exits(running.values())
        except KeyboardInterrupt:
            print("\nStopping …", flush=True)
            return 0
        finally:
            _stop(running.values())
    print("A service exited; the others were stopped.", file=sys.stderr)
    return 1


def is_free(address: str) -> bool:
    """Whether the port ``host:port`` is free."""
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError:
            return False
    return True


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _start(service: Service, log: IO[bytes] | None) -> Process:
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    command = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), "-b", service.address]
    return subprocess.Popen(  # noqa: S603 (our own interpreter and arguments)
        [*command, service.application],
        env={**os.environ, **service.environment, "PYTHONPATH": paths},
        stdout=log,
        stderr=log,
        start_new_session=True,  # so that only this process receives Ctrl-C
    )


def _wait_until_healthy(service: Service, process: Process) -> bool:
    until = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < until:
        connection = HTTPConnection(service.address, timeout=2)
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return True
        except (OSError, HTTPException):
            time.sleep(0.05)
        finally:
            connection.close()
    return False


def _wait_until_one_exits(processes: Collection[Process]) -> None:
    while all(process.poll() is None for process in processes):
        time.sleep(0.2)


def _stop(processes: Collection[Process]) -> None:
    """Terminate gracefully; a second signal kills at once."""

    def kill_all(_signal: int, _frame: object) -> None:
        for process in processes:
            process.kill()

    for stop in STOP_SIGNALS:
        signal.signal(stop, kill_all)
    for process in processes:
        process.terminate()
    until = time.monotonic() + STOP_TIMEOUT_S
    for process in processes:
        try:
            process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
