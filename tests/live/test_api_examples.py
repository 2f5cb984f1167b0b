"""The programs in docs/api.md do what they say: each one runs against a gateway."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import requests

from gateway.web.reference.operations import OPERATIONS
from tests.support.factories import API_KEY, PNG
from tests.support.live_gateway import ROOT, LiveGateway, callback_url, live_gateway
from tests.support.machine import needs
from tests.support.servers import ScriptedServer

pytestmark = pytest.mark.slow

GATEWAY, IMAGES = "https://dl.example.com", "https://images.example.com"
TASK = "task12345"

# What a program prints when it went well.
PRINTS = {
    "POST /api/v1/links": "/download/task12345/cat.png?url=",
    "GET /download/{task_id}": "",
    "POST /api/v1/gpt4o-image/download-url": "/files/",
    "GET /api/v1/gpt4o-image/record-info": "SUCCESS",
    "PUT /api/v1/records/{task_id}": "SUCCESS",
    "GET /api/v1/records/{task_id}": "SUCCESS",
    "DELETE /api/v1/records/{task_id}": "success",
    "PUT /api/v1/records/{task_id}/files/{name}": "gateway:cat.png",
    "POST /api/v1/gpt4o-image/callback": "success",
    "GET /healthz": "ok\n",
    "GET /readyz": "ready",
}
REFUSALS = "This API key is not valid|You do not have access permissions|Send the provider's signature"
# Operations that need no program of their own, each with its reason.
WITHOUT = {
    "download-stored-file": "a direct URL is followed like any other URL",
    "list-links": "it is called like any other GET with a key",
    "get-link": "the same",
    "revoke-link": "it is called like the deletion of a record",
    "show-short-link": "people open it in a browser",
    "press-short-link": "its page sends it",
}


@dataclass(frozen=True)
class Example:
    """One program of the page: the call it makes, its language, and itself."""

    call: str
    language: str
    program: str

    def __str__(self) -> str:
        return f"{self.call} {self.language}"


def examples() -> Iterator[Example]:
    """Every program: fenced blocks, below the line that names their call."""
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        named = re.search(r"^`([A-Z]+ /\S+)`$", section, re.MULTILINE)
        for language, program in re.findall(r"^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL):
            if language != "text":
                assert named, section
                yield Example(named[1], language, program)


EXAMPLES = list(examples())
WITH_A_PROOF = [each for each in EXAMPLES if "/api/" in each.call and each.language != "sh"]
LANGUAGES: dict[str, tuple[str, Callable[[], list[str]]]] = {
    "sh": ("example.sh", lambda: [needs("curl") and needs("sh"), "-e"]),
    "python": ("example.py", lambda: [sys.executable, "-I"]),
    "js": ("example.mjs", lambda: [needs("node")]),
}


@pytest.fixture(scope="module")
def live(files: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    """A gateway without a provider."""
    folder = tmp_path_factory.mktemp("gateway")
    with live_gateway(folder, files.address, resolver="store", upstream_api_key="") as gateway:
        yield gateway


@pytest.fixture
def image(live: LiveGateway, files: ScriptedServer) -> str:
    """The image of the examples; the gateway has a record of it."""
    url = files.serve("/v/cat.png", PNG)
    kept = requests.put(
        f"{live.url}/api/v1/records/{TASK}",
        json={"status": "SUCCESS", "resultUrls": [url]},
        headers={"Authorization": f"Bearer {API_KEY}"},
        timeout=10,
    )
    assert kept.status_code == 200
    return url


@pytest.fixture(scope="module")
def callback(live: LiveGateway) -> str:
    """The callback URL, with its token."""
    return callback_url(live)


@dataclass(frozen=True)
class Desk:
    """Where programs are run, in a folder of their own."""

    live: LiveGateway
    image: str
    callback: str
    folder: Path

    def run(self, example: Example, *, refused: bool = False) -> "subprocess.CompletedProcess[str]":
        """Run a program with the addresses of this machine in place of those on the page."""
        name, command = LANGUAGES[example.language]
        here = example.program.replace(GATEWAY, self.live.url).replace(IMAGES, self.image.removesuffix("/v/cat.png"))
        source = self.folder.with_name(name)
        source.write_text(here, encoding="utf-8")
        if "/files/" in example.call:
            (self.folder / "cat.png").write_bytes(PNG)
        return subprocess.run(
            [*command(), str(source)],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "LINK": self.link} | self.proofs(wrong=refused),
            capture_output=True,
            encoding="utf-8",
            timeout=30,
            check=False,
        )

    @property
    def link(self) -> str:
        """A link to the image."""
        return self.live.link(self.image)

    def proofs(self, *, wrong: bool) -> dict[str, str]:
        """What opens calls, or what does not."""
        url, name, token = self.callback.rpartition("token=")
        key, token = ("wrong", "wrong") if wrong else (API_KEY, token)
        return {"KEY": key, "TOKEN": token, "CALLBACK_URL": url + name + token}


@pytest.fixture
def desk(live: LiveGateway, image: str, callback: str, tmp_path: Path) -> Desk:
    folder = tmp_path / "desk"
    folder.mkdir()
    return Desk(live, image, callback, folder)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_a_program_of_the_page_does_what_it_says(desk: Desk, example: Example) -> None:
    done = desk.run(example)

    assert done.returncode == 0, done.stderr
    assert PRINTS[example.call] in done.stdout
    if example.call.startswith("GET /download/"):
        assert (desk.folder / "cat.png").read_bytes() == PNG
    elif example.language == "sh" and "/api/" in example.call:
        assert '"code":200' in done.stdout


@pytest.mark.parametrize("example", WITH_A_PROOF, ids=str)
def test_a_program_that_is_refused_says_why_and_fails(desk: Desk, example: Example) -> None:
    done = desk.run(example, refused=True)

    assert done.returncode != 0
    assert re.search(REFUSALS, done.stderr)


def test_a_link_that_is_no_good_leaves_no_file(desk: Desk) -> None:
    unknown = replace(desk, image=desk.image.replace("cat", "dog"))

    for example in EXAMPLES:
        if example.call.startswith("GET /download/"):
            assert unknown.run(example).returncode != 0

    assert list(desk.folder.iterdir()) == []


def test_every_call_has_a_program_in_every_language() -> None:
    calls = {f"{made.method.upper()} {made.path}" for made in OPERATIONS if made.id not in WITHOUT}

    assert sorted(map(str, EXAMPLES)) == sorted(f"{call} {language}" for call in calls for language in LANGUAGES)
    assert calls == set(PRINTS)
