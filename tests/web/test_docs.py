"""The API told to people and to language models: ``/docs``, ``/llms.txt`` and the guides."""

import re
from html import unescape
from typing import Any
from urllib.parse import urljoin

import pytest

from gateway.web.pages import PAGE_POLICY
from gateway.web.reference.authentication import SECURITY_SCHEMES
from gateway.web.reference.code_samples import code_samples
from gateway.web.reference.openapi import RATE_LIMIT_HEADERS, Operation
from gateway.web.reference.operations import OPERATIONS
from gateway.web.reference.rendering import Field, fields, guide, inline, prose, scheme_location
from tests.support.factories import Gateway, make_settings
from tests.support.live_gateway import ROOT

PREFIX = "/get"
GUIDES = ["api", "links", "email", "store", "how-it-works", "reliability", "settings"]


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


def pages() -> list[str]:
    """The path of every page of the reference."""
    return ["/docs", *(f"/docs/{name}" for name in [*(operation.id for operation in OPERATIONS), *GUIDES])]


# --- the pages


def test_the_overview_lists_every_call(plain: Gateway) -> None:
    html = plain.client.get("/docs").text
    text = text_of(html)

    assert [made.id for made in OPERATIONS if f'<a href="/docs/{made.id}">{made.summary}</a>' not in html] == []
    assert [made.id for made in OPERATIONS if f"{made.summary} {made.call}" not in text] == []


def test_the_overview_describes_authentication_and_rate_limits(plain: Gateway) -> None:
    text = text_of(plain.client.get("/docs").text)

    locations = {name: scheme_location(scheme).replace("`", "") for name, scheme in SECURITY_SCHEMES.items()}
    assert [name for name, location in locations.items() if f"{name} {location}" not in text] == []
    assert [name for name, says in RATE_LIMIT_HEADERS.items() if f"{name} integer {says}" not in text] == []


def test_the_headings_are_standard_terms(plain: Gateway) -> None:
    def headings(path: str) -> list[str]:
        return [text_of(heading) for heading in re.findall(r"<h2[^>]*>(.*?)</h2>", plain.client.get(path).text)]

    assert headings("/docs") == ["Base URL", "Calls", "Authentication", "Rate limits", "Errors"]
    assert headings("/docs/upload-image") == [
        "Example request",
        "Example response: 200",
        "Authentication",
        "Parameters",
        "Request body",
        "Responses",
        "Errors",
    ]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_every_call_has_a_page(plain: Gateway, operation: Operation) -> None:
    response = plain.client.get(f"/docs/{operation.id}")
    text = text_of(response.text)

    assert response.status_code == 200
    assert f"{operation.summary} {operation.call} " in text
    for scope in (scope for schemes in operation.security for scopes in schemes.values() for scope in scopes):
        assert f"Authentication BearerAuth with the scope {scope}" in text
    assert [each.name for each in operation.parameters if f"{each.name} {each.schema['type']}" not in text] == []
    errors = {error: error.public.replace("`", "") for error in operation.errors}
    assert [e for e, public in errors.items() if public not in text and e.contract[1] not in text] == []


def test_the_page_of_the_callback_names_both_ways_to_authenticate(plain: Gateway) -> None:
    text = text_of(plain.client.get("/docs/report-completed-task").text)

    assert "CallbackToken , or WebhookSignature and WebhookTimestamp" in text


def test_a_body_that_is_not_json_is_described(plain: Gateway) -> None:
    text = text_of(plain.client.get("/docs/upload-image").text)

    assert "Request body application/octet-stream The bytes of a PNG, JPEG, GIF, WebP or AVIF image." in text


def test_every_call_has_the_samples_of_the_guide_in_three_languages(plain: Gateway) -> None:
    samples = code_samples("")

    for operation in OPERATIONS:
        labels = re.findall(r'<label for="language-\d">(.+?)</label>', plain.client.get(f"/docs/{operation.id}").text)
        assert labels == [sample["label"] for sample in samples.get(operation.call, ())]
    assert {call for call, each in samples.items() if len(each) != 3} == set()


def test_the_samples_call_the_public_url(plain: Gateway, prefixed: Gateway) -> None:
    assert "https://dl.example.com/api/v1/links" in plain.client.get("/docs/create-link").text
    assert "https://files.example/get/api/v1/links" in prefixed.client.get(f"{PREFIX}/docs/create-link").text


@pytest.mark.parametrize("path", pages())
def test_pages_are_small_and_run_only_the_script_of_the_gateway(plain: Gateway, path: str) -> None:
    response = plain.client.get(path)

    assert len(response.data) < 60_000
    assert response.headers["Content-Security-Policy"] == f"{PAGE_POLICY}; script-src 'self'"
    markup = re.sub(r"(<code[^>]*>)[^<]*", r"\1", response.text)  # a sample may contain escaped HTML
    assert re.findall(r"<script(?! src=)|<style|\sstyle=|\son\w+=|javascript:", markup) == []


@pytest.mark.parametrize("base", ["", PREFIX])
def test_every_link_on_the_pages_leads_somewhere(plain: Gateway, prefixed: Gateway, base: str) -> None:
    client = (prefixed if base else plain).client
    html = {base + path: client.get(base + path).text for path in pages()}
    targets = {urljoin(path, found) for path in html for found in re.findall(r'(?:href|src)="([^"]+)"', html[path])}
    internal = {target for target in targets if "://" not in target}

    assert [target for target in internal if not target.startswith(f"{base}/")] == []
    paths = {target.partition("#")[0] for target in internal}
    assert [path for path in paths if client.get(path, buffered=True).status_code != 200] == []
    anchors = {(path, fragment) for path, _, fragment in (target.partition("#") for target in internal) if fragment}
    assert [(path, fragment) for path, fragment in anchors if f'id="{fragment}"' not in html[path]] == []


def test_the_home_page_leads_to_the_reference(plain: Gateway, prefixed: Gateway) -> None:
    assert 'href="/docs"' in plain.client.get("/").text
    assert f'href="{PREFIX}/docs"' in prefixed.client.get(f"{PREFIX}/").text


def test_the_guide_to_the_api_lists_every_call_and_its_authentication() -> None:
    guide = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")

    listed = re.findall(r"^\| `([A-Z]+ /\S+)` \| .+ \| (.+) \|$", guide, re.MULTILINE)

    assert sorted(call for call, _ in listed) == sorted(made.call for made in OPERATIONS)
    assert {call: scope for call, scope in listed if scope.startswith("an API key")} == {
        made.call: f"an API key, `{made.security[0]['BearerAuth'][0]}`" for made in OPERATIONS if made.takes_key
    }


# --- how the document is read


def test_prose_becomes_html_and_html_in_it_is_escaped() -> None:
    assert prose("One\nline.\n\n- `<a>` & **all**") == (
        "<p>One\nline.</p>\n<ul>\n<li><code>&lt;a&gt;</code> &amp; <strong>all</strong></li>\n</ul>"
    )
    assert prose("<script>") == "<p>&lt;script&gt;</p>"
    assert inline("`<` and **>**") == "<code>&lt;</code> and <strong>&gt;</strong>"


def test_a_guide_links_to_the_pages_of_guides_and_to_nothing_else_in_the_repository() -> None:
    html = guide("## One, two\n\n[a](b.md#c) [d](#e) [f](../g.md) [h](https://i.example) ![j](k.svg)", ["b"])

    assert html == (
        '<h2 id="one-two">One, two</h2>\n'
        '<p><a href="b#c">a</a> <a href="#e">d</a> f <a href="https://i.example">h</a> </p>\n'
    )


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
        Field("many", "array of string", required=False, description="", rules=("At most 5 items",)),
        Field("word", "string", required=False, description="", rules=("One of `a`, `b`", "Default `a`")),
        Field("text", "string or null", required=False, description="", rules=("At most 3 characters", "`^x+$`")),
    ]


# --- for language models


def test_the_index_has_the_form_of_llms_txt(plain: Gateway) -> None:
    response = plain.client.get("/llms.txt")
    lines = [line for line in response.text.splitlines() if line]
    listed = [line for line in lines if line.startswith("- ")]

    assert response.content_type == "text/plain; charset=utf-8"
    assert lines[0] == "# Download Gateway"
    assert lines[1].startswith("> The gateway turns image URLs into signed download links.")
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
    "path", ["/docs/none.md", "/docs/README.md", "/docs/..%2fREADME.md", "/docs/demo.webp", "/docs/", "/docs/none"]
)
def test_nothing_else_of_the_repository_is_given(plain: Gateway, path: str) -> None:
    assert plain.client.get(path).status_code == 404
