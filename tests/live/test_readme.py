"""The README's section *Try the demo*: each block runs in a fresh terminal beside a running demo, in any order."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.demo.catalogue import IMAGES
from tests.support.demo_process import Demo, running_demo
from tests.support.live_gateway import ROOT
from tests.support.machine import needs

pytestmark = pytest.mark.slow

SECTION = re.compile(r"^## Try the demo$.*?(?=^## )", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TRIED: list[str] = BLOCK.findall(SECTION.findall((ROOT / "README.md").read_text("utf-8"))[0])
MOUNTAINS = (IMAGES / "mountains.png").read_bytes()
COPIES = ["Makefile", "docs", "gateway", "gunicorn.conf.py", "static", "templates", "wsgi.py"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo in a folder that has what a clone of the project has, on ports that are not the first ones."""
    for command in ("curl", "make", "sh"):
        needs(command)
    folder = tmp_path_factory.mktemp("clone")
    for name in COPIES:
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").symlink_to(sys.prefix)
    with running_demo(folder) as running:
        yield running


def run(demo: Demo, script: str) -> "subprocess.CompletedProcess[str]":
    """Run a block as a new terminal does, in a folder where nothing was downloaded yet."""
    for name in ("mountains.png", "resumed.png", "demo.webp"):
        (demo.folder / name).unlink(missing_ok=True)
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        ["sh"], input=script, cwd=demo.folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def block_with(words: str) -> str:
    (block,) = [block for block in TRIED if words in block]
    return block


@pytest.mark.parametrize("script", [*TRIED, *reversed(TRIED)])
def test_each_block_of_the_readme_runs_by_itself_in_any_order(demo: Demo, script: str) -> None:
    ran = run(demo, script)

    assert ran.returncode == 0, ran.stderr
    assert "rror" not in ran.stderr.replace("curl: (28)", "")


def test_the_first_block_saves_the_sample_under_its_name(demo: Demo) -> None:
    run(demo, block_with('curl -OJL "$(make'))

    assert (demo.folder / "mountains.png").read_bytes() == MOUNTAINS


def test_the_resume_block_interrupts_the_download_and_fetches_only_the_rest(demo: Demo) -> None:
    for _ in range(3):  # on a busy machine curl may have the whole file before it notices that its time is over
        ran = run(demo, block_with("--max-time"))
        if "curl: (28)" in ran.stderr:
            break

    position = re.search(r"Resuming transfer from byte position (\d+)", ran.stderr)
    assert "curl: (28)" in ran.stderr
    assert position
    assert 0 < int(position[1]) < len(MOUNTAINS)
    assert (demo.folder / "resumed.png").read_bytes() == MOUNTAINS


def test_the_verify_block_says_what_the_link_permits(demo: Demo) -> None:
    ran = run(demo, block_with("links verify"))

    assert ran.stdout.startswith("The link is valid.")
    assert "lanterns" in ran.stdout


def test_the_last_block_downloads_an_image_of_ones_own(demo: Demo) -> None:
    ran = run(demo, block_with("records add"))

    assert "gateway:demo.webp" in ran.stdout
    assert (demo.folder / "demo.webp").read_bytes() == (ROOT / "docs/demo.webp").read_bytes()


def test_the_demo_says_how_to_get_a_link(demo: Demo) -> None:
    assert "make demo-link" in (demo.folder / "said.txt").read_text()


def test_a_link_names_the_ports_that_the_demo_took(demo: Demo) -> None:
    assert run(demo, "make demo-link").stdout.startswith(f"{demo.url.rstrip('/')}/download/mountains")
    assert "/download/nebula" in run(demo, "make demo-link SAMPLE=nebula").stdout


def test_a_sample_that_there_is_not_is_answered_by_those_that_there_are(demo: Demo) -> None:
    ran = run(demo, "make demo-link SAMPLE=moon")

    assert (ran.returncode, ran.stdout) == (2, "")
    assert "mountains, lanterns, nebula, harbour" in ran.stderr


def test_without_a_running_demo_the_remedy_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gateway.demo.link"]

    ran = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=30, check=False
    )

    assert (ran.returncode, ran.stdout) == (1, "")
    assert "make run" in ran.stderr
