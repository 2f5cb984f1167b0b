"""The recipes in docs/links.md sign like the gateway: each one runs on every vector in docs/link-vectors.json."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest
from itsdangerous import Signer

from tests.support.machine import needs

Case = dict[str, str]
Command = list[str]
Run = subprocess.CompletedProcess[str]

DOCS = Path(__file__).parents[1] / "docs"
VECTORS = json.loads((DOCS / "link-vectors.json").read_text(encoding="utf-8"))
CASES: list[Case] = VECTORS["cases"]
REFUSED: list[Case] = VECTORS["refused"]
QUERY = ("url", "expires", "mode", "filename", "id", "sig")
SIGNED = ("task_id", "url", "expires", "mode", "filename", "id")
VARIABLES = {
    "GATEWAY_SECRET": "secret",
    "TASK": "task_id",
    "LINK_URL": "url",
    "EXPIRES": "expires",
    "MODE": "mode",
    "FILENAME": "filename",
    "LINK_ID": "id",
}


def with_python(source: Path) -> Command:
    return [sys.executable, "-I", str(source)]


def with_node(source: Path) -> Command:
    return [needs("node"), str(source)]


def with_php(source: Path) -> Command:
    return [needs("php"), str(source)]


def with_bash(source: Path) -> Command:
    needs("openssl")
    return [needs("bash"), str(source)]


def with_go(source: Path) -> Command:
    folder = source.parent
    folders = {"HOME": str(folder), "GOPATH": str(folder / "go"), "GOCACHE": str(folder / "cache")}
    offline = {"GO111MODULE": "off", "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    program = str(folder / "link")
    environment = {"PATH": os.environ["PATH"], **folders, **offline}
    subprocess.run([needs("go"), "build", "-o", program, str(source)], cwd=folder, env=environment, check=True)
    return [program]


LANGUAGES: dict[str, tuple[str, Callable[[Path], Command]]] = {
    "python": ("link.py", with_python),
    "javascript": ("link.mjs", with_node),
    "php": ("link.php", with_php),
    "go": ("link.go", with_go),
    "bash": ("link.sh", with_bash),
}


def recipes() -> list[tuple[str, str]]:
    """Return the language and the program of every fenced block that is not plain text."""
    page = (DOCS / "links.md").read_text(encoding="utf-8")
    blocks: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return [block for block in blocks if block[0] != "text"]


@pytest.fixture(scope="module", params=[pytest.param(name, marks=pytest.mark.slow) for name in LANGUAGES])
def recipe(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Write down the recipe of one language and return the command that runs it."""
    name, command = LANGUAGES[request.param]
    source = tmp_path_factory.mktemp(request.param) / name
    source.write_text(dict(recipes())[request.param], encoding="utf-8")
    return command(source)


def run(command: Command, case: Case, base: str = "") -> Run:
    environment = {variable: case[field] for variable, field in VARIABLES.items()}
    environment |= {"PATH": os.environ["PATH"], "BASE": base}
    return subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=60, check=False)


def run_all(command: Command, cases: list[Case]) -> dict[str, Run]:
    with ThreadPoolExecutor(4) as pool:
        return dict(zip((case["name"] for case in cases), pool.map(partial(run, command), cases), strict=True))


def printed(result: Run) -> str:
    assert result.returncode == 0, result.stderr
    return result.stdout.removesuffix("\n")


def read(link: str) -> Case:
    """Return the decoded fields of a link, as the gateway would read them."""
    parts = urlsplit(link)
    query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True, errors="strict")
    assert len(query) == len(dict(query)), f"a parameter is present twice in {link}"
    task_id, _, name = parts.path.removeprefix("/download/").partition("/")
    return {"task_id": unquote(task_id), "path_name": unquote(name), **dict(query)}


def fields(case: Case) -> Case:
    return {name: case[name] for name in ("task_id", *QUERY) if case[name]} | {"path_name": case["path_name"]}


def named(case: Case) -> str:
    """The link of a vector, with the file's name in its path."""
    name = case["path_name"] and "/" + quote(case["path_name"], safe="")
    return case["path"].replace("?", f"{name}?", 1)


def test_every_language_has_exactly_one_recipe() -> None:
    assert sorted(language for language, _ in recipes()) == sorted(LANGUAGES)


def test_a_recipe_signs_like_the_gateway(recipe: Command) -> None:
    links = {name: read(printed(result)) for name, result in run_all(recipe, CASES).items()}
    assert links == {case["name"]: fields(case) for case in CASES}


def test_a_recipe_writes_the_same_characters_as_the_gateway_with_a_space_as_percent_20(recipe: Command) -> None:
    links = {name: printed(result) for name, result in run_all(recipe, CASES).items()}
    assert links == {case["name"]: named(case) for case in CASES}
    assert [name for name, link in links.items() if "+" in link] == []


def test_a_recipe_refuses_every_control_character(recipe: Command) -> None:
    results = run_all(recipe, REFUSED)
    assert [name for name, result in results.items() if result.returncode == 0 or "sig=" in result.stdout] == []


def test_a_recipe_puts_the_address_of_the_gateway_in_front(recipe: Command) -> None:
    path = printed(run(recipe, CASES[0]))
    assert path.startswith("/download/")
    assert printed(run(recipe, CASES[0], "https://files.example/get")) == f"https://files.example/get{path}"


def test_a_vector_has_the_signature_that_itsdangerous_makes() -> None:
    for case in CASES:
        signer = Signer(case["secret"], salt="gateway.link.v1", key_derivation="hmac", digest_method=hashlib.sha256)
        assert case["message"] == "\n".join(["v1", *(case[name] for name in SIGNED)])
        assert case["sig"] == signer.get_signature(case["message"]).decode()


def test_the_path_of_a_vector_holds_its_fields_in_order() -> None:
    for case in CASES:
        query = "&".join(f"{name}={quote(case[name], safe='')}" for name in QUERY if case[name])
        assert case["path"] == f"/download/{quote(case['task_id'], safe='')}?{query}"


def test_a_refused_vector_holds_one_control_character() -> None:
    for case in REFUSED:
        assert len(re.findall(r"[\x00-\x1f\x7f-\x9f]", "".join(case[name] for name in SIGNED))) == 1
