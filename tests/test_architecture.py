"""Who may import whom, and which doors lead outside: read off the source, so that nothing drifts."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from gateway import errors

PACKAGE = Path(__file__).parents[1] / "gateway"

# Each folder or module of `gateway/`, top to bottom, and what it may import: only what stands below it.
#   web → delivery, resolving, limits, links, records, keys → provider, sources → egress, storage
#   → errors, settings, files, origins, observability, cache, singleflight
# `app`, `cli` and `services` are the composition; `demo` sits on top of everything.
BASE = {"errors", "settings", "files", "origins", "observability", "cache", "singleflight"}
MAY_IMPORT: dict[str, set[str]] = {
    "__main__": {"demo", "server"} | BASE,
    "demo": {"app", "services", "web", "records", "links", "server"} | BASE,
    "app": {"cli", "web", "services"} | BASE,
    "cli": {"services", "links", "keys"} | BASE,
    "web": {"services", "delivery", "resolving", "limits", "links", "records", "keys", "provider", "sources"} | BASE,
    "services": {
        "delivery",
        "resolving",
        "limits",
        "records",
        "keys",
        "links",
        "provider",
        "sources",
        "egress",
        "storage",
        "server",
    }
    | BASE,
    "delivery": {"limits", "links", "sources"} | BASE,
    "resolving": {"records", "provider", "sources", "egress", "storage"} | BASE,
    "limits": {"keys", "links"} | BASE,
    "records": {"links", "storage"} | BASE,
    "keys": {"storage"} | BASE,
    "links": BASE,
    "provider": {"egress"} | BASE,
    "sources": {"egress", "storage"} | BASE,
    "egress": BASE,
    "storage": BASE,
    "server": {"errors"},
    "settings": {"errors", "origins"},
    "observability": {"errors"},
    "singleflight": {"errors"},
    "cache": {"errors"},
    "files": set(),
    "origins": set(),
    "errors": set(),
}

# What only some rooms may import, and the modules that may do so too, each with its reason.
NETWORK = ("socket", "ssl", "http.client", "urllib.request", "urllib3", "requests", "httpx", "aiohttp", "ssrfguard")
FRAMEWORK = ("flask", "werkzeug")
RESERVED: dict[tuple[str, ...], set[str]] = {
    NETWORK: {"egress", "provider"},
    FRAMEWORK: {"web", "app", "cli", "demo"},
    ("click",): {"cli"},
    ("itsdangerous",): {"links"},
    ("boto3", "botocore"): {"storage"},
    # Its timers make deadlines, its threads wait for disks. gunicorn.conf.py patches; what is patched does not know.
    ("gevent",): {"egress", "storage", "server"},
    ("prometheus_client",): {"observability"},
}
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("gateway.server.client_socket", "socket"): "sets options on visitors' own sockets, and opens none",
    ("gateway.server.connections", "socket"): "ends visitors' connections, and opens none",
    ("gateway.web.sockets", "socket"): "sets options on the visitor's own socket, and opens none",
    ("gateway.server.launcher", "http.client"): "asks the processes it started, on loopback, whether they answer",
    ("gateway.server.launcher", "socket"): "looks whether its ports are free, on loopback",
    ("gateway.storage.s3", "urllib3"): "knows the errors that boto3 lets through, and opens nothing",
    ("gateway.demo.run", "socket"): "looks for free ports on loopback",
}
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
READ_THE_ENVIRONMENT = {"gateway.settings.loader", "gateway.demo", "gateway.server.launcher", "gateway.__main__"}

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One source file: ``gateway.links.query``, or a package by its own name."""

    name: str
    source: str

    @cached_property
    def tree(self) -> ast.Module:
        """The source, parsed."""
        return ast.parse(self.source)

    @property
    def room(self) -> str:
        """``links`` for ``gateway.links.query``, ``app`` for ``gateway.app``."""
        return room_of(self.name)

    @property
    def imports(self) -> Iterator[tuple[str, str]]:
        """Every import anywhere in the file: the module, and the name taken from it, empty for the module itself."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((alias.name, "") for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from (resolved("." * node.level + (node.module or ""), alias.name) for alias in node.names)

    @property
    def attributes(self) -> Iterator[tuple[str, str]]:
        """Every ``name.attribute`` in the file."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                yield node.value.id, node.attr


def modules() -> list[Module]:
    return [Module(name_of(path), path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))]


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def resolved(module: str, name: str) -> tuple[str, str]:
    """Tell ``from gateway.web import pages``, which is a module, from a name in one."""
    whole = f"{module}.{name}"
    path = PACKAGE.parent.joinpath(*whole.split("."))
    is_module = path.is_dir() or path.with_suffix(".py").is_file() or whole in NETWORK
    return (whole, "") if is_module else (module, name)


def room_of(name: str) -> str:
    """The first part below ``gateway``; empty for the package itself, which holds only the version."""
    return name.removeprefix("gateway").removeprefix(".").partition(".")[0]


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def is_private(name: str) -> bool:
    return any(part.startswith("_") and not part.endswith("__") for part in name.split("."))


# --- the checks: what in a module breaks the rule


def imports_upwards(module: Module) -> list[str]:
    allowed = MAY_IMPORT.get(module.room, set()) | {module.room, ""}
    return [name for name, _ in module.imports if is_within(name, "gateway") and room_of(name) not in allowed]


def imports_reserved(module: Module) -> list[str]:
    found = [(package, rooms) for package, rooms in reserved(module) if module.room not in rooms]
    return [package for package, _ in found if (module.name, package) not in EXCEPTIONS]


def reserved(module: Module) -> Iterator[tuple[str, set[str]]]:
    """The reserved packages that a module imports, each with the rooms that may."""
    for name, _ in module.imports:
        for packages, rooms in RESERVED.items():
            yield from ((package, rooms) for package in packages if is_within(name, package))


def reads_the_environment(module: Module) -> list[str]:
    if any(is_within(module.name, reader) for reader in READ_THE_ENVIRONMENT):
        return []
    used = {*module.imports, *module.attributes}
    return [f"{source}.{name}" for source, name in used if source == "os" and name in ENVIRONMENT]


def uses_private_names(module: Module) -> list[str]:
    taken = [f"{source}.{name}".removesuffix(".") for source, name in module.imports]
    rooms = {source.rpartition(".")[2] for source, name in module.imports if is_within(source, "gateway") and not name}
    reached = [f"{source}.{name}" for source, name in module.attributes if source in rooms]
    return [name for name in taken + reached if is_private(name)]


def imports_relatively(module: Module) -> list[str]:
    return [name for name, _ in module.imports if name.startswith(".")]


def says_nothing(module: Module) -> list[str]:
    return [name for name, node in public(module.name, module.tree) if not ast.get_docstring(node)]


def public(name: str, node: Documented) -> Iterator[tuple[str, Documented]]:
    """The module, its public classes and functions, and the public methods of these classes."""
    yield name, node
    if isinstance(node, ast.Module | ast.ClassDef):
        for member in node.body:
            if isinstance(member, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and member.name[0] != "_":
                yield from public(f"{name}.{member.name}", member)


CHECKS: list[Callable[[Module], list[str]]] = [
    imports_upwards,
    imports_reserved,
    reads_the_environment,
    uses_private_names,
    imports_relatively,
    says_nothing,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_no_module(module: Module, check: Callable[[Module], list[str]]) -> None:
    assert check(module) == []


# --- the tables


def test_the_table_has_every_room_and_no_other() -> None:
    assert {module.room for module in modules() if module.room} == set(MAY_IMPORT)


def test_the_table_leads_downwards_only() -> None:
    order = list(MAY_IMPORT)

    upwards = [(room, other) for room in order for other in MAY_IMPORT[room] if order.index(other) <= order.index(room)]

    assert upwards == []


def test_the_room_of_errors_hands_out_every_error() -> None:
    files = [module.tree for module in modules() if module.room == "errors"]

    assert {node.name for tree in files for node in tree.body if isinstance(node, ast.ClassDef)} == set(errors.__all__)


def test_only_the_start_knows_the_demo() -> None:
    assert [room for room, others in MAY_IMPORT.items() if "demo" in others] == ["__main__"]


@pytest.mark.parametrize(("name", "package"), EXCEPTIONS)
def test_an_exception_that_nobody_needs_is_taken_out(name: str, package: str) -> None:
    (module,) = (module for module in modules() if module.name == name)

    assert package in {used for used, _ in reserved(module)}


# --- the checks see what they look for


@pytest.mark.parametrize(
    ("check", "name", "source"),
    [
        (imports_upwards, "gateway.links.made_up", "from gateway.web.pages import page"),
        (imports_upwards, "gateway.links.made_up", "import gateway.delivery.stream"),
        (imports_upwards, "gateway.egress.made_up", "from gateway import services"),
        (imports_upwards, "gateway.egress.made_up", "def f():\n    from gateway.sources.base import Source"),
        (imports_upwards, "gateway.web.made_up", "from gateway.egress.client import Client"),
        (imports_upwards, "gateway.errors", "from gateway.settings import Settings"),
        (imports_upwards, "gateway.app", "from gateway.demo import catalogue"),
        (imports_reserved, "gateway.links.made_up", "import socket"),
        (imports_reserved, "gateway.links.made_up", "from urllib3.exceptions import HTTPError"),
        (imports_reserved, "gateway.web.made_up", "import requests"),
        (imports_reserved, "gateway.delivery.made_up", "from http import client"),
        (imports_reserved, "gateway.delivery.made_up", "def f():\n    import http.client"),
        (imports_reserved, "gateway.delivery.made_up", "from flask import request"),
        (imports_reserved, "gateway.web.request_parsing", "import requests"),
        (imports_reserved, "gateway.web.made_up", "import gevent"),
        (imports_reserved, "gateway.resolving.made_up", "def f():\n    import boto3"),
        (imports_reserved, "gateway.web.made_up", "from botocore.exceptions import ClientError"),
        (reads_the_environment, "gateway.settings", "import os\nos.environ['A']"),
        (reads_the_environment, "gateway.settings", "from os import environ"),
        (reads_the_environment, "gateway.settings", "import os\nos.getenv('A')"),
        (uses_private_names, "gateway.web.made_up", "from gateway.web.pages import _page"),
        (uses_private_names, "gateway.web.made_up", "from gateway.web import pages\npages._page()"),
        (uses_private_names, "gateway.web.made_up", "from gateway._web import page"),
        (uses_private_names, "gateway.web.made_up", "from flask import _internal"),
        (imports_relatively, "gateway.web.made_up", "from . import pages"),
        (imports_relatively, "gateway.web.made_up", "from ..links import Link"),
        (says_nothing, "gateway.web.made_up", "x = 1"),
        (says_nothing, "gateway.web.made_up", '"""Doc."""\ndef page(): ...'),
        (says_nothing, "gateway.web.made_up", '"""Doc."""\nclass Page: ...'),
        (says_nothing, "gateway.web.made_up", '"""Doc."""\nclass Page:\n    """Doc."""\n    def show(self): ...'),
    ],
)
def test_a_check_sees(check: Callable[[Module], list[str]], name: str, source: str) -> None:
    assert check(Module(name, source)) != []


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_check_is_content_with_an_ordinary_module(check: Callable[[Module], list[str]]) -> None:
    source = '''"""Doc."""
import os.path
from http import HTTPStatus
from urllib.parse import quote
from flask import request
from gateway import __version__
from gateway.links.link import Link
from gateway.web import pages

def page(link: Link) -> str:
    """Doc."""
    return os.path.join(pages.page(), request.environ["PATH_INFO"], link._replace(), HTTPStatus.OK.phrase)

def _helper() -> None: ...

class _Private:
    def method(self) -> None: ...
'''

    assert check(Module("gateway.web.made_up", source)) == []
