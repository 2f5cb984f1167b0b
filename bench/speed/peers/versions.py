"""The versions of those whom the gateway is compared with."""

import json
import shutil
import subprocess
from importlib.metadata import distributions

from bench.speed.peers import INSTALLED

_LIBRARIES = ("fastapi", "httpx", "uvicorn")


def versions() -> str:
    """One line; whoever is not here is left out."""
    return ", ".join((*_command("nginx", "-v"), *_command("node", "--version"), *_npm("cors-anywhere"), *_pip()))


def _command(name: str, option: str) -> list[str]:
    if not (program := shutil.which(name)):
        return []
    said = subprocess.run([program, option], check=True, capture_output=True, text=True)
    return [f"{name} {(said.stdout + said.stderr).strip().rpartition('/')[2].lstrip('v')}"]


def _npm(name: str) -> list[str]:
    package = INSTALLED / "node_modules" / name / "package.json"
    return [f"{name} {json.loads(package.read_text(encoding='utf-8'))['version']}"] if package.exists() else []


def _pip() -> list[str]:
    folders = [str(folder) for folder in INSTALLED.glob("lib/python3.*/site-packages")]
    return sorted(f"{found.name} {found.version}" for found in distributions(path=folders) if found.name in _LIBRARIES)
