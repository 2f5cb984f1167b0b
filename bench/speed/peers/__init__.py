"""Those whom the gateway is compared with: each the snippet that people copy, neither tuned nor handicapped.

Only nginx is tuned, as whoever puts it there does. What none of them has to do: verify a link, limit, count, log.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from bench.speed.origin import Origin
from bench.speed.servers import Unavailable, needed, running, running_nginx
from tests.support.load_generator import get
from tests.support.procfile_gateway import ROOT, free_port

_HERE = Path(__file__).parent
INSTALLED = Path(sys.prefix) / "peers"  # by `make bench`


@dataclass(frozen=True, slots=True)
class Peer:
    """One that runs: its port, and how a visitor asks it for what is at a URL."""

    port: int
    visit: Callable[[str], bytes]


@contextmanager
def nginx(folder: Path, origin: Origin) -> Iterator[Peer]:
    """``proxy_pass`` with one worker."""
    with running_nginx(_HERE / "nginx.conf", free_port(), folder, **origin.hosts) as port:
        yield Peer(port, _by_path)


@contextmanager
def naive(folder: Path, _origin: Origin) -> Iterator[Peer]:
    """Flask + requests, with one worker."""
    command = [sys.executable, "-m", "gunicorn", "-k", "gevent", "-w", "1", "bench.speed.peers.naive:app"]
    with running(command, port := free_port(), folder, {"PORT": str(port), "PYTHONPATH": str(ROOT)}):
        yield Peer(port, _by_query)


@contextmanager
def fastapi(folder: Path, _origin: Origin) -> Iterator[Peer]:
    """FastAPI + httpx, with one worker."""
    options = ["--app-dir", str(_HERE), "--port", str(port := free_port()), "--log-level", "warning"]
    with running([str(_installed("bin/python")), "-m", "uvicorn", *options, "asynchronous:app"], port, folder):
        yield Peer(port, _by_query)


@contextmanager
def node(folder: Path, _origin: Origin) -> Iterator[Peer]:
    """The http pipe of node."""
    with _running_node("pipe.js", folder) as port:
        yield Peer(port, _by_query)


@contextmanager
def cors_anywhere(folder: Path, _origin: Origin) -> Iterator[Peer]:
    """cors-anywhere."""
    with _running_node("anywhere.js", folder, {"NODE_PATH": str(_installed("node_modules"))}) as port:
        yield Peer(port, lambda url: get(f"/{url}"))


PEERS: dict[str, Callable[[Path, Origin], AbstractContextManager[Peer]]] = {
    "nginx": nginx,
    "Flask + requests": naive,
    "FastAPI + httpx": fastapi,
    "node": node,
    "cors-anywhere": cors_anywhere,
}


@contextmanager
def _running_node(script: str, folder: Path, more: Mapping[str, str] | None = None) -> Iterator[int]:
    command, port = [needed("node", "apt install nodejs"), str(_HERE / script)], free_port()
    with running(command, port, folder, {"PORT": str(port), **(more or {})}):
        yield port


def _installed(name: str) -> Path:
    if (path := INSTALLED / name).exists():
        return path
    raise Unavailable(f"no {path}: make bench installs it, where it can")


def _by_query(url: str) -> bytes:
    return get(f"/?url={quote(url, safe='')}")


def _by_path(url: str) -> bytes:
    parts = urlsplit(url)
    return get(f"/{'tls' if parts.scheme == 'https' else 'plain'}{parts.path}")
