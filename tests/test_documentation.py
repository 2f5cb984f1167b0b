"""README, CONTRIBUTING and the pages of docs/ are true: paths, links, commands and the README's Flask program."""

import html
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import click
import pytest
from flask import Flask, render_template_string

from gateway import cli
from tests.support.factories import SECRET, Gateway, make_settings
from tests.support.live_gateway import ROOT
from tests.test_architecture import MAY_IMPORT

README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MODULE_PATH = re.compile(r"\b(?:gateway|tests|bench)/[\w./-]*\w\.py\b")
FOLDER_PATH = re.compile(r"`((?:gateway|tests|bench|templates|static|docs)/(?:[\w-]+/)*)`")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"flask --app wsgi ([^`#\n]+)")


def page_id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    named = {*MODULE_PATH.findall(text), *FOLDER_PATH.findall(text)}

    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = []
    for target in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        path, _, anchor = target.partition("#")
        file = page if not path else (page.parent / path).resolve()
        if target.startswith("https://"):
            continue
        if not file.is_file() or (anchor and anchor not in anchors(file) and not re.fullmatch(r"L\d+", anchor)):
            broken.append(target)

    assert broken == []


# --- commands


def commands() -> list[str]:
    """The arguments of every ``flask --app wsgi`` in the pages."""
    return sorted({found.strip() for page in PAGES for found in COMMAND.findall(page.read_text("utf-8"))})


@pytest.mark.parametrize("arguments", commands())
def test_every_command_that_a_page_names_exists(arguments: str) -> None:
    app = Flask("documentation")
    cli.init_app(app)
    command: click.Command = app.cli
    words = re.sub(r"[\[\])]|\$\(.*", " ", arguments).split()

    while isinstance(command, click.Group) and words:
        command = command.commands[words.pop(0)]

    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


# --- the README


def test_the_readme_is_short() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 150


@pytest.fixture(scope="module")
def shop() -> dict[str, Any]:
    """The README's Flask programs, run as one, with a function that finds an image."""
    programs = re.findall(r"^```python\n(.*?)^```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    image = SimpleNamespace(task_id="task12345", url="https://images.example/v/cat.png")
    names: dict[str, Any] = {"__name__": "__main__", "find_image": lambda _task_id: image, "image": image}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATEWAY_SECRET_KEYS", SECRET)
        exec("".join(programs), names)  # noqa: S102 (the README's own)
    return names


def life_in_minutes(link: str) -> int:
    """Verify a link as the gateway does; give its remaining life, in minutes."""
    parts = urlsplit(html.unescape(link))
    gateway = Gateway(make_settings("images.example"))
    _, _, task_id, name = parts.path.split("/")
    assert name == "cat.png"
    verified = gateway.services.links.verify(task_id, parts.query.encode())
    assert verified.expires
    return round((verified.expires - gateway.clock.now) / 60)


def test_the_readmes_html_is_a_button_for_15_minutes_and_an_email_link_for_14_days(shop: dict[str, Any]) -> None:
    (template,) = re.findall(r"^```html\n(.*?)^```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    with shop["app"].app_context():
        links = re.findall(r'href="([^"]+)"', render_template_string(template, image=shop["image"]))

    assert [life_in_minutes(link) for link in links] == [15, 14 * 24 * 60]


def test_the_readmes_route_signs_a_link_when_the_visitor_clicks(shop: dict[str, Any]) -> None:
    response = shop["app"].test_client().get("/images/task12345/download")

    assert response.status_code == 302
    assert life_in_minutes(response.location) == 15


# --- the map of the folders and the path of a download


def test_the_map_has_every_folder_above_those_that_it_imports() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    drawn = page.partition("```text\n")[2].partition("```")[0]
    order = [name for line in drawn.splitlines() for name in re.findall(r"\w+", line[18:])]

    assert sorted(order) == sorted(MAY_IMPORT)
    assert [
        (folder, other)
        for folder, others in MAY_IMPORT.items()
        for other in others
        if order.index(folder) > order.index(other)
    ] == []


def test_the_path_of_a_download_is_at_most_eight_files_none_of_which_imports_an_earlier_one() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    section = page.partition("## One download")[2].partition("\n## ")[0]
    path = re.findall(r"^\d\. \[`(gateway/\S+\.py)`\]", section, re.MULTILINE)

    upwards = [
        (file, earlier)
        for place, file in enumerate(path)
        for earlier in path[:place]
        if earlier.removesuffix(".py").replace("/", ".") in (ROOT / file).read_text("utf-8")
    ]

    assert 6 <= len(path) <= 8
    assert upwards == []
