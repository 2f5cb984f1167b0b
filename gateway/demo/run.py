"""Run the demo: the gateway, a sandbox provider and a sample origin, on this machine's loopback only."""

import os
import secrets
import socket
from pathlib import Path

from dotenv import dotenv_values

from gateway.errors import ConfigError
from gateway.processes import Service, run_until_stopped

SECRETS_FILE = Path("instance/demo.env")
LOG_FILE = Path("instance/demo.log")
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
    made = demo_secrets(SECRETS_FILE)
    gateway_port = free_port(int(wanted))
    origin_port = free_port(gateway_port + 1)
    provider_port = free_port(origin_port + 1)
    gateway, origin, provider = (f"http://{_LOOPBACK}:{port}" for port in (gateway_port, origin_port, provider_port))
    environment = {
        "DEMO_ORIGIN_URL": origin,
        "DEMO_PROVIDER_URL": provider,
        "DEMO_PROVIDER_KEY": made["GATEWAY_UPSTREAM_API_KEY"],
        "GATEWAY_PUBLIC_URL": gateway,
        "GATEWAY_UPSTREAM_URL": provider,
        "GATEWAY_ORIGIN_HOSTS": f"{_LOOPBACK}:{origin_port},{_LOOPBACK}:{provider_port}",
        "GATEWAY_PRIVATE_NETWORKS": f"{_LOOPBACK}/32",
        "GATEWAY_ALLOW_HTTP": "true",
        **made,
    }
    services = [
        Service("sample origin", "gateway.demo.origin:app", f"{_LOOPBACK}:{origin_port}"),
        Service("sandbox provider", "gateway.demo.sandbox:app", f"{_LOOPBACK}:{provider_port}"),
        Service("gateway", "gateway.demo.site:build()", f"{_LOOPBACK}:{gateway_port}"),
    ]
    greeting = (
        f"No settings are given, so this is the demo.\n"
        f"The sample origin is at {origin}, the sandbox provider at {provider}.\n"
        f"Its log is {LOG_FILE}; its secrets are in {SECRETS_FILE}. Ctrl-C stops it.\n\n"
        f"Open {gateway}/"
    )
    return run_until_stopped(services, environment, greeting, LOG_FILE)


def demo_secrets(path: Path) -> dict[str, str]:
    """Read the demo's secrets, or make them once, readable by nobody else."""
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        lines = [
            "# Made for the demo. Never use these for anything else.",
            f"GATEWAY_SECRET_KEYS={secrets.token_urlsafe(32)}",
            f"GATEWAY_API_KEYS=demo:{secrets.token_urlsafe(32)}",
            f"GATEWAY_UPSTREAM_API_KEY={secrets.token_urlsafe(32)}",
        ]
        written = path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        written.rename(path)
    made = {name: value or "" for name, value in dotenv_values(path).items()}
    if not made.get("GATEWAY_SECRET_KEYS") or not made.get("GATEWAY_UPSTREAM_API_KEY"):
        raise ConfigError([f"{path}: is incomplete; delete it, and it is made anew"])
    return made


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
