"""The API told to people and to language models: ``/docs``, ``/llms.txt`` and the guides."""

import re
from html import unescape
from typing import Any

import pytest

from gateway.web.pages import PAGE_POLICY
from gateway.web.reference.authentication import SCHEMES
from gateway.web.reference.openapi import LIMITS
from gateway.web.reference.operations import OPERATIONS
from gateway.web.reference.rendering import Field, fields, inline, place, prose
from tests.support.factories import Gateway, make_settings
from tests.support.live_gateway import ROOT

PREFIX = "/get"
GUIDES = ["api", "links", "how-it-works", "settings"]


@pytest.fixture(scope="module")
def plain() -> Gateway:
    """A gateway that was not told where it is."""
    return Gateway(make_settings())


@pytest.fixture(scope="module")
def prefixed() -> Gateway:
    """A gateway below a path."""
    return Gateway(make_settings(public_url=f"https://files.example{PREFIX}"))


def text_of(html: str) -> str:
    """What a page says, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


# --- the page


def test_every_call_is_on_the_page(plain: Gateway) -> None:
    html = plain.client.get("/docs").text

    said = text_of(html)
    missing = [
        operation.id
        for operation in OPERATIONS
        if f'<article id="{operation.id}">' not in html
        or f"{operation.method.upper()} {operation.path}" not in said
        or operation.summary not in said
    ]

    assert missing == []


def test_every_call_says_what_opens_it_and_the_page_explains_that(plain: Gateway) -> None:
    said = text_of(plain.client.get("/docs").text)

    assert said.count("Needs BearerAuth with the scope records .") == 4
    assert "Needs CallbackToken , or WebhookSignature and WebhookTimestamp ." in said
    assert [name for name in SCHEMES if f"{name} {place(SCHEMES[name])}" not in said] == []
    assert [name for name, says in LIMITS.items() if f"{name} integer {says}" not in said] == []


def test_a_body_that_is_no_json_is_on_the_page(plain: Gateway) -> None:
    said = text_of(plain.client.get("/docs").text)

    assert "Body The bytes of the image, as large as the operator allows: PNG, JPEG, GIF, WebP or AVIF." in said


def test_every_error_is_on_the_page_in_its_own_words(plain: Gateway) -> None:
    said = text_of(plain.client.get("/docs").text)

    told = {error: error.public.replace("`", "") for operation in OPERATIONS for error in operation.errors}
    missing = {error for error, public in told.items() if public not in said}

    assert {error for error in missing if error.contract[1] not in said} == set()


def test_the_commands_go_to_where_the_gateway_is(plain: Gateway, prefixed: Gateway) -> None:
    assert "curl &#34;https://dl.example.com/api/v1/links&#34;" in plain.client.get("/docs").text
    assert "curl &#34;https://files.example/get/api/v1/links&#34;" in prefixed.client.get(f"{PREFIX}/docs").text


def test_there_is_nothing_to_run_on_the_page(plain: Gateway) -> None:
    response = plain.client.get("/docs")

    assert response.headers["Content-Security-Policy"] == PAGE_POLICY
    assert re.findall(r"<script|<style|\sstyle=|\son\w+=|javascript:", response.text) == []


@pytest.mark.parametrize("base", ["", PREFIX])
def test_every_link_on_the_page_leads_somewhere(plain: Gateway, prefixed: Gateway, base: str) -> None:
    gateway = prefixed if base else plain
    html = gateway.client.get(f"{base}/docs").text
    targets = set(re.findall(r'(?:href|src)="([^"]+)"', html))

    within = {target[1:] for target in targets if target.startswith("#")}
    broken = [
        target
        for target in targets
        if target[0] == "/" and gateway.client.get(target, buffered=True).status_code != 200
    ]

    assert within - set(re.findall(r'id="([^"]+)"', html)) == set()
    assert all(target.startswith((f"{base}/", "#")) for target in targets)
    assert broken == []


def test_the_home_page_leads_to_the_reference(plain: Gateway, prefixed: Gateway) -> None:
    assert 'href="/docs"' in plain.client.get("/").text
    assert f'href="{PREFIX}/docs"' in prefixed.client.get(f"{PREFIX}/").text


def test_the_guide_to_the_api_lists_every_call_and_its_authentication() -> None:
    guide = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")

    listed = re.findall(r"^\| `([A-Z]+ /\S+)` \| .+ \| (.+) \|$", guide, re.MULTILINE)

    assert [call for call, _ in listed] == [f"{made.method.upper()} {made.path}" for made in OPERATIONS]
    assert {call: scope for call, scope in listed if scope.startswith("an API key")} == {
        f"{made.method.upper()} {made.path}": f"an API key, `{made.proofs[0]['BearerAuth'][0]}`"
        for made in OPERATIONS
        if made.takes_key
    }


# --- how the document is read


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("One.", "<p>One.</p>"),
        ("One\nline.\n\nTwo.", "<p>One line.</p>\n<p>Two.</p>"),
        ("`<a href>` & **all** of it", "<p><code>&lt;a href&gt;</code> &amp; <strong>all</strong> of it</p>"),
        (
            "These:\n\n- **one**\n- two\n  more",
            "<p>These:</p>\n<ul><li><strong>one</strong></li><li>two more</li></ul>",
        ),
        ("<script>", "<p>&lt;script&gt;</p>"),
    ],
)
def test_prose_becomes_html(text: str, html: str) -> None:
    assert prose(text) == html


def test_a_line_has_no_paragraph() -> None:
    assert inline("`<` and **>**") == "<code>&lt;</code> and <strong>&gt;</strong>"


def test_the_fields_of_an_object_are_told_with_those_of_the_objects_in_it() -> None:
    inner = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 9}}, "required": ["n"]}
    outer = {
        "properties": {
            "one": {"anyOf": [{"$ref": "#/components/schemas/Inner"}, {"type": "null"}], "description": "An inner."},
            "many": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
            "word": {"type": "string", "enum": ["a", "b"], "default": "a"},
            "text": {
                "anyOf": [{"type": "string", "pattern": "^x+$", "maxLength": 3}, {"type": "null"}],
                "default": None,
            },
        },
        "required": ["one"],
    }

    found = list(fields({"components": {"schemas": {"Inner": inner}}}, outer))

    assert found == [
        Field("one", "object or null", required=True, description="An inner.", rules=()),
        Field("one.n", "integer", required=True, description="", rules=("1 to 9",)),
        Field("many", "array of string", required=False, description="", rules=("at most 5",)),
        Field("word", "string", required=False, description="", rules=("one of `a`, `b`", "default `a`")),
        Field("text", "string or null", required=False, description="", rules=("0 to 3 characters", "`x+`")),
    ]


# --- for language models


def test_the_index_has_the_form_of_llms_txt(plain: Gateway) -> None:
    response = plain.client.get("/llms.txt")
    lines = [line for line in response.text.splitlines() if line]
    listed = [line for line in lines if line.startswith("- ")]

    assert response.content_type == "text/plain; charset=utf-8"
    assert lines[0] == "# Download Gateway"
    assert lines[1].startswith("> A signed link becomes a download")
    assert [line for line in lines if line.startswith("## ")] == ["## API", "## Guides", "## Optional"]
    assert [line for line in listed if not re.fullmatch(r"- \[[^]]+\]\(\S+\): .+", line)] == []


@pytest.mark.parametrize("base", ["", f"https://files.example{PREFIX}"])
def test_everything_in_the_index_is_there(plain: Gateway, prefixed: Gateway, base: str) -> None:
    client: Any = (prefixed if base else plain).client
    index = client.get(f"{PREFIX if base else ''}/llms.txt").text
    targets = re.findall(r"\]\(([^)]+)\)", index)

    paths = [target.removeprefix("https://files.example") for target in targets]
    statuses = {client.get(path, buffered=True).status_code for path in paths}

    assert len(targets) == 4 + len(GUIDES)
    assert all(target.startswith(f"{base}/") for target in targets)
    assert statuses == {200}


@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_is_given_as_it_is_in_the_repository(plain: Gateway, name: str) -> None:
    response = plain.client.get(f"/docs/{name}.md", buffered=True)

    assert response.content_type == "text/markdown; charset=utf-8"
    assert response.text == (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/docs/none.md", "/docs/README.md", "/docs/..%2fREADME.md", "/docs/demo.webp", "/docs/"]
)
def test_nothing_else_of_the_repository_is_given(plain: Gateway, path: str) -> None:
    assert plain.client.get(path).status_code == 404
