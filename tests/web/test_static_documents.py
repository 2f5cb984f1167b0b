"""Documents and static files: bytes made once, with a validator, compressed for those who take it; and OPTIONS."""

import gzip
import re
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from tests.support.factories import API_KEY, Gateway, make_settings
from tests.support.live_gateway import ROOT

DOCUMENTS = ["/openapi.json", "/docs", "/docs/create-link", "/docs/links", "/llms.txt", "/docs/api.md"]
STATIC = ["page.css", "docs.css", "docs.js", "icon.svg", "favicon.ico"]
A_YEAR = "public, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def plain() -> Gateway:
    """A gateway that was not told where it is."""
    return Gateway(make_settings())


@pytest.fixture(scope="module")
def prefixed() -> Gateway:
    """A gateway below a path."""
    return Gateway(make_settings(public_url="https://files.example/get"))


def get(gateway: Gateway, path: str, **headers: str) -> Any:
    return gateway.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def versioned(gateway: Gateway, name: str) -> str:
    """The URL of a static file as pages write it."""
    page = str(get(gateway, "/docs").text)
    urls: list[str] = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    return next(url for url in urls if url.endswith(name))


# --- validators and compression


@pytest.mark.parametrize("path", [*DOCUMENTS, *(f"/static/{name}" for name in STATIC), "/favicon.ico", "/robots.txt"])
def test_who_has_a_document_already_is_told_so(plain: Gateway, path: str) -> None:
    first = get(plain, path)
    again = get(plain, path, If_None_Match=first.headers["ETag"])
    other = get(plain, path, If_None_Match='"another"')

    assert (first.status_code, again.status_code, other.status_code) == (200, 304, 200)
    assert again.data == b""
    assert again.headers["ETag"] == first.headers["ETag"]
    assert "Content-Type" not in again.headers


@pytest.mark.parametrize("path", [*DOCUMENTS, "/static/page.css", "/static/icon.svg"])
def test_a_document_is_compressed_for_those_who_take_it(plain: Gateway, path: str) -> None:
    identity = get(plain, path)
    coded = get(plain, path, Accept_Encoding="br, gzip")

    assert "Content-Encoding" not in identity.headers
    assert coded.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(coded.data) == identity.data
    assert len(coded.data) < len(identity.data)
    assert identity.headers["Vary"] == coded.headers["Vary"] == "Accept-Encoding"
    assert get(plain, path, Accept_Encoding="gzip;q=0").data == identity.data
    assert get(plain, path, Accept_Encoding="gzip", If_None_Match=identity.headers["ETag"]).status_code == 304
    assert get(plain, path, If_None_Match=coded.headers["ETag"]).status_code == 304


def test_a_coded_document_does_not_bear_the_strong_tag_of_the_other_bytes(plain: Gateway) -> None:
    identity, coded = get(plain, "/openapi.json"), get(plain, "/openapi.json", Accept_Encoding="gzip")

    assert identity.headers["ETag"].startswith('"')
    assert coded.headers["ETag"] == f"W/{identity.headers['ETag']}"


@pytest.mark.parametrize("path", DOCUMENTS)
@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_a_documents_bytes_are_made_once(plain: Gateway, path: str, coding: str) -> None:
    environ = EnvironBuilder(path=path, headers=[("Accept-Encoding", coding)]).get_environ()

    (first,), (again,) = (list(run_wsgi_app(plain.app, environ.copy())[0]) for _ in range(2))

    assert first is again


@pytest.mark.parametrize("path", DOCUMENTS)
def test_everybody_may_keep_a_document_for_some_minutes(plain: Gateway, path: str) -> None:
    headers = get(plain, path).headers

    assert headers["Cache-Control"] == "public, max-age=300"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_a_head_has_the_length_and_no_body(plain: Gateway) -> None:
    head, whole = plain.client.head("/openapi.json"), get(plain, "/openapi.json")

    assert head.data == b""
    assert head.headers["Content-Length"] == whole.headers["Content-Length"] == str(len(whole.data))


# --- static files


@pytest.mark.parametrize("name", ["page.css", "docs.css", "docs.js", "icon.svg"])
def test_a_static_file_has_a_url_of_its_bytes_that_may_be_kept_for_a_year(plain: Gateway, name: str) -> None:
    url = versioned(plain, name)

    response = get(plain, url)

    assert re.fullmatch(r"/static/[0-9a-f]{16}/[a-z.]+", url)
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == A_YEAR
    assert response.data == (ROOT / "static" / name).read_bytes()


@pytest.mark.parametrize("url", ["/static/page.css", "/static/0123456789abcdef/page.css"])
def test_the_url_of_other_bytes_gives_the_file_as_it_is_and_is_asked_again(plain: Gateway, url: str) -> None:
    """During a deploy, a page of one version asks a worker of the other."""
    response = get(plain, url)

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-cache"


def test_the_validator_of_a_static_file_is_the_same_on_every_machine(plain: Gateway) -> None:
    """It is told by the bytes, and not by the time at which they were copied to the disk."""
    headers = get(plain, "/static/page.css").headers

    assert headers["ETag"].strip('"') == versioned(plain, "page.css").split("/")[2]
    assert "Last-Modified" not in headers


@pytest.mark.parametrize(
    "path", ["none.css", "../wsgi.py", "%2e%2e/wsgi.py", "0123456789abcdef/none.css", "a/b/page.css"]
)
def test_nothing_else_is_a_static_file(plain: Gateway, path: str) -> None:
    assert get(plain, f"/static/{path}").status_code == 404


# --- what browsers and crawlers ask for by themselves


def test_the_icon_that_browsers_ask_for_by_themselves_is_there(plain: Gateway) -> None:
    response = get(plain, "/favicon.ico")

    assert (response.status_code, response.content_type) == (200, "image/x-icon")
    assert response.data[:4] == b"\x00\x00\x01\x00"
    assert response.headers["Cache-Control"] == "public, max-age=86400"


def test_crawlers_are_told_to_leave_downloads_alone(plain: Gateway, prefixed: Gateway) -> None:
    response = get(plain, "/robots.txt")

    assert (response.status_code, response.content_type) == (200, "text/plain; charset=utf-8")
    assert response.text.splitlines() == [
        "User-agent: *",
        "Disallow: /download/",
        "Disallow: /d/",
        "Disallow: /files/",
        "Disallow: /api/",
    ]
    assert "Disallow: /get/download/" in get(prefixed, "/get/robots.txt").text


# --- OPTIONS


def test_options_of_every_route_is_204_without_a_body_or_its_type(plain: Gateway) -> None:
    wrong = {}
    for rule in plain.app.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "x", rule.rule)
        response: Any = plain.client.options(path, headers={"Authorization": f"Bearer {API_KEY}"})
        answered = (
            response.status_code,
            response.headers.get("Content-Type"),
            response.headers.get("Cache-Control"),
            "OPTIONS" in response.headers.get("Allow", ""),
            response.data,
        )
        if answered != (204, None, "no-store", True, b""):
            wrong[path] = answered

    assert wrong == {}


def test_a_preflight_is_204_without_a_type_and_says_that_it_varies() -> None:
    gateway = Gateway(make_settings(cors_origins="https://app.example"))

    response: Any = gateway.client.options("/download/task1", headers={"Origin": "https://app.example"})

    assert (response.status_code, response.headers.get("Content-Type")) == (204, None)
    assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert response.headers["Vary"] == "Origin"
    assert response.headers["Cache-Control"] == "no-store"
