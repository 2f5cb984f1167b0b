"""The rules of the source tree: which package imports which, which libraries each may use, names and file sizes."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from gateway import errors

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gateway"

# Each folder or module of `gateway/`, top to bottom, and what it may import: only what stands below it.
#   web → delivery, resolving, limits, links, records, keys → provider, sources → egress, storage
#   → errors, settings, files, origins, observability, cache, singleflight
# `app`, `cli` and `services` are the composition; `demo` sits on top of everything.
BASE = {"errors", "settings", "files", "origins", "observability", "cache", "singleflight"}
MAY_IMPORT: dict[str, set[str]] = {
    "__main__": {"demo", "server"} | BASE,
    "demo": {"app", "services", "web", "records", "links", "server"} | BASE,
    "app": {"cli", "web", "services"} | BASE,
    "cli": {"web", "services", "links", "keys"} | BASE,
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
    "links": {"storage"} | BASE,
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

# Libraries that only some packages may import, and further modules that may, each with its reason.
NETWORK = ("socket", "ssl", "http.client", "urllib.request", "urllib3", "requests", "httpx", "aiohttp", "ssrfguard")
FRAMEWORK = ("flask", "werkzeug")
RESERVED: dict[tuple[str, ...], set[str]] = {
    NETWORK: {"egress", "provider"},
    FRAMEWORK: {"web", "app", "cli", "demo"},
    ("click",): {"cli"},
    ("itsdangerous",): {"links"},
    ("boto3", "botocore"): {"storage"},
    # For deadlines and threads that wait for disks. gunicorn.conf.py patches the standard library.
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
}
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
READ_THE_ENVIRONMENT = {"gateway.settings.loader", "gateway.demo", "gateway.server.launcher", "gateway.__main__"}

MOST_LINES = {"gateway": 300, "tests": 600}
STILL_LONG: set[str] = set()

# Identifiers and modules that were replaced by standard terms.
OLD_NAMES = frozenset(
    re.findall(
        r"\w+",
        """
        _apart _below _meaning _told _way Account apart Ask bear begin_patiently Breaker bury Chores claim
        Delivered Door doors entomb
        Facts Flights give_way hasty Hasty Healing held_back Holdings Incoming irreplaceable is_plain KeptSource
        let_go_if_gone LibraryResponse Line names_itself noting Opened paced Paced Places Progress Roomy shelf Shelf
        Span story unheld
        """,
    )
)
OLD_PATHS = re.compile(
    r"""\bgateway/(?:hosts|own_urls|media|limits|capacity|processes|background|metrics|prometheus|logs|environment
    |own_store|delivery/places|keys/allowance|web/account|web/door|egress/provider
    |resolving/(?:source|provider|breaker|infos|remote|kept|doors|pace|flight))\.py\b
    |\bgateway/worker/|\bbench/(?:faults|live|load)\b""",
    re.VERBOSE,
)

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
    def package(self) -> str:
        """``links`` for ``gateway.links.query``, ``app`` for ``gateway.app``."""
        return package_of(self.name)

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


@cache
def modules() -> list[Module]:
    return [Module(name_of(path), path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))]


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def resolved(module: str, name: str) -> tuple[str, str]:
    """Normalise ``from gateway.web import pages`` to the module ``gateway.web.pages``."""
    whole = f"{module}.{name}"
    path = PACKAGE.parent.joinpath(*whole.split("."))
    is_module = path.is_dir() or path.with_suffix(".py").is_file() or whole in NETWORK
    return (whole, "") if is_module else (module, name)


def package_of(name: str) -> str:
    """The first part below ``gateway``; empty for ``gateway`` itself."""
    return name.removeprefix("gateway").removeprefix(".").partition(".")[0]


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def is_private(name: str) -> bool:
    return any(part.startswith("_") and not part.endswith("__") for part in name.split("."))


# --- the checks: what in a module breaks the rule


def imports_upwards(module: Module) -> list[str]:
    allowed = MAY_IMPORT.get(module.package, set()) | {module.package, ""}
    return [name for name, _ in module.imports if is_within(name, "gateway") and package_of(name) not in allowed]


def imports_reserved(module: Module) -> list[str]:
    found = [(library, users) for library, users in reserved(module) if module.package not in users]
    return [library for library, _ in found if (module.name, library) not in EXCEPTIONS]


def reserved(module: Module) -> Iterator[tuple[str, set[str]]]:
    """The reserved libraries that a module imports, each with the packages that may import it."""
    for name, _ in module.imports:
        for libraries, users in RESERVED.items():
            yield from ((library, users) for library in libraries if is_within(name, library))


def reads_the_environment(module: Module) -> list[str]:
    if any(is_within(module.name, reader) for reader in READ_THE_ENVIRONMENT):
        return []
    used = {*module.imports, *module.attributes}
    return [f"{source}.{name}" for source, name in used if source == "os" and name in ENVIRONMENT]


def uses_private_names(module: Module) -> list[str]:
    taken = [f"{source}.{name}".removesuffix(".") for source, name in module.imports]
    own = {source.rpartition(".")[2] for source, name in module.imports if is_within(source, "gateway") and not name}
    reached = [f"{source}.{name}" for source, name in module.attributes if source in own]
    return [name for name in taken + reached if is_private(name)]


def imports_relatively(module: Module) -> list[str]:
    return [name for name, _ in module.imports if name.startswith(".")]


def lacks_a_docstring(module: Module) -> list[str]:
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
    lacks_a_docstring,
]


def test_no_module_breaks_a_rule() -> None:
    broken = [
        f"{module.name} {check.__name__}: {name}" for module in modules() for check in CHECKS for name in check(module)
    ]

    assert broken == []


# --- the tables


def test_the_table_has_every_package_and_no_other() -> None:
    assert {module.package for module in modules() if module.package} == set(MAY_IMPORT)


def test_the_table_leads_downwards_only() -> None:
    order = list(MAY_IMPORT)

    upwards = [
        (package, other)
        for package in order
        for other in MAY_IMPORT[package]
        if order.index(other) <= order.index(package)
    ]

    assert upwards == []


def test_the_package_of_errors_exports_every_error() -> None:
    files = [module.tree for module in modules() if module.package == "errors"]

    assert {node.name for tree in files for node in tree.body if isinstance(node, ast.ClassDef)} <= set(vars(errors))


def test_only_the_entry_point_imports_the_demo() -> None:
    assert [package for package, others in MAY_IMPORT.items() if "demo" in others] == ["__main__"]


def test_every_exception_is_needed() -> None:
    used = {(module.name, library) for module in modules() for library, _ in reserved(module)}

    assert EXCEPTIONS.keys() - used == set()


# --- sizes and names


def test_no_file_is_too_long() -> None:
    too_long = [
        f"{path.relative_to(ROOT)}: {lines} lines"
        for folder, most in MOST_LINES.items()
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (lines := path.read_text(encoding="utf-8").count("\n")) > most
        and str(path.relative_to(ROOT)) not in STILL_LONG
    ]

    assert too_long == []


def test_no_old_name_is_left() -> None:
    files = [path for folder in ("gateway", "tests", "bench") for path in (ROOT / folder).rglob("*.py")]

    left = [f"{path.relative_to(ROOT)}: {name}" for path in files for name in sorted(names_in(path) & OLD_NAMES)]

    assert left == []


def test_no_old_path_is_left() -> None:
    """The change log and the decisions may name what was replaced."""
    folders = [ROOT / folder for folder in ("gateway", "tests", "bench")]
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix in {".py", ".toml", ".md"}]
    files += [*ROOT.glob("*.md"), *ROOT.glob("*.py"), ROOT / "Makefile", *(ROOT / "docs").glob("*.md")]

    texts = {path: path.read_text(encoding="utf-8") for path in files if path.name != "CHANGELOG.md"}
    left = [
        f"{path.relative_to(ROOT)}: {found[0]}" for path, text in texts.items() for found in OLD_PATHS.finditer(text)
    ]

    assert left == []


def names_in(path: Path) -> set[str]:
    """Every identifier of a file, and the name of its module."""
    found = {path.stem}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
                found.add(name)
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                found.add(name)
            case ast.alias(name=name):
                found.update(name.split("."))
            case _:
                pass
    return found


# --- the checks find what they look for

BROKEN: list[tuple[Callable[[Module], list[str]], str, str]] = [
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
    (lacks_a_docstring, "gateway.web.made_up", "x = 1"),
    (lacks_a_docstring, "gateway.web.made_up", '"""Doc."""\ndef page(): ...'),
    (lacks_a_docstring, "gateway.web.made_up", '"""Doc."""\nclass Page: ...'),
    (lacks_a_docstring, "gateway.web.made_up", '"""Doc."""\nclass Page:\n    """Doc."""\n    def show(self): ...'),
]
ORDINARY = '''"""Doc."""
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


def test_every_check_finds_what_breaks_its_rule() -> None:
    assert [(check.__name__, source) for check, name, source in BROKEN if not check(Module(name, source))] == []


def test_no_check_complains_of_an_ordinary_module() -> None:
    assert [check.__name__ for check in CHECKS if check(Module("gateway.web.made_up", ORDINARY))] == []
