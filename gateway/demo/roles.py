"""The demo's two roles of the one gateway, as environments: in front of a provider, and being the provider."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from gateway.errors import ConfigError

FOLDER = Path("instance/demo")
ORIGIN_URL = "DEMO_ORIGIN_URL"
_SECRETS = "secrets.env"
_MADE = ("GATEWAY_SECRET_KEY", "GATEWAY_API_KEY", "PROVIDER_SECRET_KEY", "PROVIDER_API_KEY")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the three services of the demo are, as ``host:port``."""

    gateway: str
    origin: str
    provider: str


def environments(addresses: Addresses) -> tuple[dict[str, str], dict[str, str]]:
    """The settings of the gateway and of the sandbox provider; both set the same names.

    They are also written to ``gateway.env`` and ``provider.env``, for a shell to read.

    Raises:
        ConfigError: the file of secrets is incomplete.
    """
    made = _made(FOLDER / _SECRETS)
    both = {
        ORIGIN_URL: f"http://{addresses.origin}",
        "GATEWAY_ALLOW_HTTP": "true",
        "GATEWAY_PRIVATE_NETWORKS": "127.0.0.1/32",
    }
    provider = f"http://{addresses.provider}"
    in_front = {
        "GATEWAY_RESOLVER": "upstream",
        "GATEWAY_SECRET_KEYS": made["GATEWAY_SECRET_KEY"],
        "GATEWAY_API_KEYS": f"demo:{made['GATEWAY_API_KEY']}",
        "GATEWAY_UPSTREAM_URL": provider,
        "GATEWAY_UPSTREAM_API_KEY": made["PROVIDER_API_KEY"],
        "GATEWAY_PUBLIC_URL": f"http://{addresses.gateway}",
        "GATEWAY_ORIGIN_HOSTS": f"{addresses.origin},{addresses.provider}",
    }
    being = {
        "GATEWAY_RESOLVER": "store",
        "GATEWAY_SECRET_KEYS": made["PROVIDER_SECRET_KEY"],
        "GATEWAY_API_KEYS": f"demo:{made['PROVIDER_API_KEY']}",
        "GATEWAY_UPSTREAM_URL": provider,
        "GATEWAY_UPSTREAM_API_KEY": "",
        "GATEWAY_PUBLIC_URL": provider,
        "GATEWAY_ORIGIN_HOSTS": addresses.origin,
    }
    roles = {"gateway": both | in_front, "provider": both | being}
    for role, environment in roles.items():
        environment["GATEWAY_DATABASE_URL"] = f"sqlite:///{FOLDER}/{role}.db"
        environment["GATEWAY_STORE"] = str(FOLDER / f"{role}-store")
        _write(FOLDER / f"{role}.env", environment)
    return roles["gateway"], roles["provider"]


def _made(path: Path) -> dict[str, str]:
    """Read the demo's secrets, or make them once."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, {name: secrets.token_urlsafe(32) for name in _MADE})
    made = {name: value or "" for name, value in dotenv_values(path).items()}
    if not all(made.get(name) for name in _MADE):
        raise ConfigError([f"{path}: is incomplete; delete it, and it is made anew"])
    return made


def _write(path: Path, values: Mapping[str, str]) -> None:
    """Write an environment, readable by nobody else, at once or not at all."""
    lines = ["# Made for the demo. Never use these for anything else.", *(f"{n}={v}" for n, v in values.items())]
    written = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    written.rename(path)
