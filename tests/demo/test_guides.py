"""The demo's guides: the documentation as HTML pages, and nothing else of the repository."""

import re
from html import unescape
from urllib.parse import urljoin, urlsplit

import pytest
from flask.testing import FlaskClient

from gateway.demo.guides import render
from gateway.demo.site import create_demo
from gateway.web.pages import PAGE_POLICY
from tests.support.factories import make_settings
from tests.support.live_gateway import ROOT

GUIDES = sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"}


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return create_demo(make_settings(), "http://127.0.0.1:1").test_client()


def targets(html: str) -> set[str]:
    return {unescape(target) for target in re.findall(r'(?:href|src)="([^"]+)"', html)}


def test_every_guide_is_a_page_whose_links_lead_to_pages_files_and_headings(client: FlaskClient) -> None:
    broken = []
    for path in GUIDES:
        response = client.get(f"/guides/{path}")
        assert response.content_type == "text/html; charset=utf-8", path
        for target in targets(response.text):
            url = urlsplit(urljoin(f"/guides/{path}", target))
            if url.netloc:
                continue
            found = client.get(url.path, headers=BROWSER, buffered=True)
            if found.status_code != 200 or (url.fragment and f'id="{url.fragment}"' not in found.text):
                broken.append((path, target))

    assert broken == []


def test_a_guide_has_the_title_and_the_styles_of_the_site_and_runs_nothing(client: FlaskClient) -> None:
    response = client.get("/guides/docs/links.md")

    assert "<title>Signed links</title>" in response.text
    assert {"page", "guide"} <= set(re.findall(r"/(\w+)\.css", response.text))
    assert response.headers["Content-Security-Policy"] == PAGE_POLICY
    assert re.findall(r"<script|<style|\sstyle=|\son\w+=|javascript:", response.text) == []


def test_the_demo_page_links_to_rendered_guides(client: FlaskClient) -> None:
    guides = [target for target in targets(client.get("/").text) if "guides" in target or target.endswith(".md")]

    assert guides
    assert {client.get(target).mimetype for target in guides} == {"text/html"}


def test_a_browser_gets_the_page_of_a_guide_and_a_program_its_markdown(client: FlaskClient) -> None:
    browser = client.get("/docs/links.md", headers=BROWSER)
    program = client.get("/docs/links.md", headers={"Accept": "*/*"}, buffered=True)

    assert (browser.status_code, browser.location) == (302, "/guides/docs/links.md")
    assert (program.status_code, program.mimetype) == (200, "text/markdown")


@pytest.mark.parametrize(
    "path",
    [
        "wsgi.py",
        ".env",
        "instance/demo/secrets.env",
        "docs/../wsgi.py",
        "docs/%2e%2e/wsgi.py",
        "..%2f..%2fetc/passwd",
        "/etc/passwd",
        "docs",
        "tests/conftest.py",
    ],
)
def test_nothing_else_of_the_repository_is_served(client: FlaskClient, path: str) -> None:
    assert client.get(f"/guides/{path}").status_code == 404


def test_html_in_markdown_is_escaped() -> None:
    title, html = render("# One `two`\n\n<script>x</script> [x](javascript:y)\n")

    assert title == "One two"
    assert html.startswith('<h1 id="one-two">One <code>two</code></h1>')
    assert "<script" not in html
    assert 'href="javascript' not in html
