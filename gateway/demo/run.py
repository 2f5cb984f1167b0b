"""Run the demo on loopback: the gateway, a sandbox provider and a sample origin."""

import os

from gateway.demo.roles import FOLDER, Addresses, environments
from gateway.errors import ConfigError
from gateway.server.launcher import Service, is_free, run_until_stopped

LOG_FILE = FOLDER / "demo.log"
FIRST_PORT = 8000
_LOOPBACK = "127.0.0.1"


def run_demo() -> int:
    """Start the three services, print their addresses, and wait until stopped.

    Returns:
        The exit status.

    Raises:
        ConfigError: ``PORT`` is not a port, or no port is free.
    """
    first_port = os.environ.get("PORT") or str(FIRST_PORT)
    if not first_port.isascii() or not first_port.isdigit() or not 0 < int(first_port) < 65536:
        raise ConfigError(["PORT: must be a number from 1 to 65535"])
    gateway_port = free_port(int(first_port))
    origin_port = free_port(gateway_port + 1)
    provider_port = free_port(origin_port + 1)
    addresses = Addresses(*(f"{_LOOPBACK}:{port}" for port in (gateway_port, origin_port, provider_port)))
    gateway, provider = environments(addresses)
    services = [
        Service("sample origin", "gateway.demo.origin:app", addresses.origin, provider),
        Service("sandbox provider", "gateway.demo.sandbox:build()", addresses.provider, provider),
        Service("gateway", "gateway.demo.site:build()", addresses.gateway, gateway),
    ]
    greeting = (
        f"No settings are given, so this is the demo.\n"
        f"The sample origin is at http://{addresses.origin}, the sandbox provider at http://{addresses.provider}.\n"
        f"In a second terminal, `make demo-link` prints a link to try with curl.\n"
        f"Its log, its settings and its secrets are in {FOLDER}. Ctrl-C stops it.\n\n"
        f"Open http://{addresses.gateway}/"
    )
    return run_until_stopped(services, greeting, LOG_FILE)


def free_port(first: int) -> int:
    """Find a free port, from ``first`` on."""
    for port in range(first, 65536):
        if is_free(f"{_LOOPBACK}:{port}"):
            return port
    raise ConfigError([f"PORT: no port from {first} on is free; set a smaller one"])
