"""Run the demo: the gateway, a sandbox provider and a sample origin, on this machine's loopback only."""

import os
import socket

from gateway.demo.roles import FOLDER, Addresses, environments
from gateway.errors import ConfigError
from gateway.server.launcher import Service, run_until_stopped

LOG_FILE = FOLDER / "demo.log"
FIRST_PORT = 8000
_LOOPBACK = "127.0.0.1"


def run_demo() -> int:
    """Start all three, say where to look, and stay until stopped.

    Returns:
        The exit status.

    Raises:
        ConfigError: ``PORT`` is no port.
    """
    wanted = os.environ.get("PORT") or str(FIRST_PORT)
    if not wanted.isascii() or not wanted.isdigit() or not 0 < int(wanted) < 65536:
        raise ConfigError(["PORT: must be a number from 1 to 65535"])
    gateway_port = free_port(int(wanted))
    origin_port = free_port(gateway_port + 1)
    provider_port = free_port(origin_port + 1)
    at = Addresses(*(f"{_LOOPBACK}:{port}" for port in (gateway_port, origin_port, provider_port)))
    in_front, provider = environments(at)
    services = [
        Service("sample origin", "gateway.demo.origin:app", at.origin, provider),
        Service("sandbox provider", "gateway.demo.sandbox:build()", at.provider, provider),
        Service("gateway", "gateway.demo.site:build()", at.gateway, in_front),
    ]
    greeting = (
        f"No settings are given, so this is the demo.\n"
        f"The sample origin is at http://{at.origin}, the sandbox provider at http://{at.provider}.\n"
        f"In a second terminal, `make demo-link` prints a link to try with curl.\n"
        f"Its log, its settings and its secrets are in {FOLDER}. Ctrl-C stops it.\n\n"
        f"Open http://{at.gateway}/"
    )
    return run_until_stopped(services, greeting, LOG_FILE)


def free_port(first: int) -> int:
    """Find the next port that nobody listens on."""
    for port in range(first, 65536):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_LOOPBACK, port))
            except OSError:
                continue
            return port
    raise ConfigError([f"PORT: no port from {first} on is free; set a smaller one"])
