"""The environment variables of the demo's gateway and of its sandbox provider, which is a gateway too."""

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
_SECRET_NAMES = ("GATEWAY_SECRET_KEY", "GATEWAY_API_KEY", "PROVIDER_SECRET_KEY", "PROVIDER_API_KEY")


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of the demo's three services, as ``host:port``."""

    gateway: str
    origin: str
    provider: str


def environments(addresses: Addresses) -> tuple[dict[str, str], dict[str, str]]:
    """The environments of the gateway and of the sandbox provider; both set the same names.

    They are also written to ``gateway.env`` and ``provider.env``, for use in a shell.

    Raises:
        ConfigError: the file of secrets is incomplete.
    """
    created = _load_or_create_secrets(FOLDER / _SECRETS)
    common = {
        ORIGIN_URL: f"http://{addresses.origin}",
        "GATEWAY_ALLOW_HTTP": "true",
        "GATEWAY_PRIVATE_NETWORKS": "127.0.0.1/32",
    }
    provider_url = f"http://{addresses.provider}"
    gateway = {
        "GATEWAY_RESOLVER": "upstream",
        "GATEWAY_SECRET_KEYS": created["GATEWAY_SECRET_KEY"],
        "GATEWAY_API_KEYS": f"demo:{created['GATEWAY_API_KEY']}",
        "GATEWAY_UPSTREAM_URL": provider_url,
        "GATEWAY_UPSTREAM_API_KEY": created["PROVIDER_API_KEY"],
        "GATEWAY_PUBLIC_URL": f"http://{addresses.gateway}",
        "GATEWAY_ORIGIN_HOSTS": f"{addresses.origin},{addresses.provider}",
    }
    provider = {
        "GATEWAY_RESOLVER": "store",
        "GATEWAY_SECRET_KEYS": created["PROVIDER_SECRET_KEY"],
        "GATEWAY_API_KEYS": f"demo:{created['PROVIDER_API_KEY']}",
        "GATEWAY_UPSTREAM_URL": provider_url,
        "GATEWAY_UPSTREAM_API_KEY": "",
        "GATEWAY_PUBLIC_URL": provider_url,
        "GATEWAY_ORIGIN_HOSTS": addresses.origin,
    }
    roles = {"gateway": common | gateway, "provider": common | provider}
    for role, environment in roles.items():
        environment["GATEWAY_DATABASE_URL"] = f"sqlite:///{FOLDER}/{role}.db"
        environment["GATEWAY_STORE"] = str(FOLDER / f"{role}-store")
        _write(FOLDER / f"{role}.env", environment)
    return roles["gateway"], roles["provider"]


def _load_or_create_secrets(path: Path) -> dict[str, str]:
    """Read the demo's secrets; create them at the first start."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, {name: secrets.token_urlsafe(32) for name in _SECRET_NAMES})
    values = {name: value or "" for name, value in dotenv_values(path).items()}
    if not all(values.get(name) for name in _SECRET_NAMES):
        raise ConfigError([f"{path}: is incomplete; delete it, and the next start creates it"])
    return values


def _write(path: Path, values: Mapping[str, str]) -> None:
    """Write an environment file atomically, readable only by its owner."""
    lines = ["# Created for the demo. Do not use these values elsewhere.", *(f"{n}={v}" for n, v in values.items())]
    temporary = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    temporary.rename(path)
