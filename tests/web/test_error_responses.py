"""Every error says what happened and what to do, in the form that the client can show, and shows nothing private."""

import json
from html.parser import HTMLParser
from http import HTTPStatus
from typing import Any, NoReturn

import pytest
from werkzeug.test import TestResponse

from gateway import errors
from gateway.errors import GatewayError, RetryLater
from gateway.web.reference.components import family
from tests.support.factories import API_KEY, Gateway, make_settings
from tests.support.real_logs import lines, real_logs

FORMS = {
    "page": ("/fault/", {"Accept": "text/html"}, "text/html"),
    "problem": ("/fault/", {"Accept": "application/json"}, "application/problem+json"),
    "text": ("/fault/", {"Accept": "*/*"}, "text/plain"),
    "envelope": ("/api/fault/", {"Accept": "text/html"}, "application/json"),
}
LANGUAGES = {
    "en-GB,en;q=0.9": "en",
    "ru-RU,ru;q=0.9,en;q=0.8": "ru",
    "zh-CN,zh;q=0.9": "zh-Hans",
    "zh-TW": "zh-Hans",
    "de-DE,de;q=0.9": "en",
    "de;q=0.9,ru;q=0.5": "ru",
    "": "en",
    "*": "en",
    "<script>;q=x,,;": "en",
}
REASON = "a reason that is for the log"
DIRECT_URL = "https://bucket.example/x.png?X-Amz-Signature=topsecret"


def make_error(error: type[GatewayError]) -> GatewayError:
    """One error of a class."""
    special: dict[type[GatewayError], GatewayError] = {
        errors.BadParameter: errors.BadParameter("url", "must not be empty"),
        errors.InvalidBody: errors.InvalidBody("url: must not be empty"),
        errors.MethodNotAllowed: errors.MethodNotAllowed(["GET", "HEAD"]),
        errors.RangeNotSatisfiable: errors.RangeNotSatisfiable(10),
        errors.MalformedRequest: errors.MalformedRequest("Host: is missing"),
        errors.OtherHttpError: errors.OtherHttpError(414),
        errors.ScopeMissing: errors.ScopeMissing("links"),
        errors.OriginNotAllowed: errors.OriginNotAllowed("names this gateway itself"),
    }
    return special.get(error) or error(REASON)


ERRORS = {error.code: make_error(error) for error in family(GatewayError)}


@pytest.fixture(scope="module")
def failing() -> Gateway:
    """A gateway with addresses that fail with the error they name."""
    gateway = Gateway(make_settings())

    def fail(code: str) -> NoReturn:
        raise ERRORS[code]

    def unforeseen() -> NoReturn:
        raise RuntimeError(DIRECT_URL)

    gateway.app.add_url_rule("/fault/<code>", view_func=fail)
    gateway.app.add_url_rule("/api/fault/<code>", "api_fault", view_func=fail)
    gateway.app.add_url_rule("/unforeseen", view_func=unforeseen)
    return gateway


class Outline(HTMLParser):
    """Parses a page and checks that each tag is closed, in order."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every such tag."""
        return [attributes for name, attributes in self.tags if name == tag]


def show(gateway: Gateway, error: GatewayError, form: str, **headers: str) -> TestResponse:
    """The response to a request that fails with this error, in a form."""
    path, accept, _ = FORMS[form]
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return gateway.client.get(path + error.code, headers={"X-Request-Id": "request-1", **accept, **named})


# --- every error in every form


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_every_error_has_its_status_and_text_in_every_form_and_nothing_private(
    failing: Gateway, error: GatewayError
) -> None:
    with real_logs() as written:
        shown = {form: show(failing, error, form) for form in FORMS}
        for response in shown.values():
            response.close()

    for form, response in shown.items():
        headers = response.headers
        assert (response.status_code, response.mimetype) == (error.status, FORMS[form][2])
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Robots-Tag"] == "noindex, nofollow"
        assert headers["X-Request-Id"] == "request-1"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")
        assert headers.get("Retry-After") == (str(error.retry_after_s) if isinstance(error, RetryLater) else None)
        assert not {"Content-Disposition", "ETag", "Set-Cookie", "Location"} & set(headers.keys())
        assert not [private for private in (REASON, "Traceback", type(error).__name__) if private in response.text]
    assert shown["text"].text == f"{error.status.value} {error.code}: {error.detail}\nrequest: request-1\n"
    assert shown["envelope"].json == {"code": error.status.value, "msg": error.detail, "data": None}
    assert json.loads(shown["problem"].text) == {
        "type": f"/problems/{error.code}",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status.value,
        "detail": error.detail,
        "requestId": "request-1",
    }
    logged = [line["code"] for line in lines(written) if line["level"] == "error"]
    assert logged == ([error.code] * 4 if error.server_fault else [])
    assert {line["outcome"] for line in lines(written) if line["event"] == "request"} == {error.code}


def lead_of(response: TestResponse) -> str:
    """The sentence of a page that says what happened."""
    return response.text.partition('<p class="lead">')[2].partition("</p>")[0]


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_every_error_has_a_page_in_each_language_and_a_page_for_its_problem_type(
    failing: Gateway, error: GatewayError
) -> None:
    page = show(failing, error, "page")
    outline = Outline(page.text)

    assert f"<code>{error.status.value} {error.code}</code>" in page.text
    assert "<code>request-1</code>" in page.text
    assert bool([link for link in outline.attributes("a") if link.get("href") == ""]) == error.retry
    assert ("about 10 seconds" in page.text) == isinstance(error, RetryLater)
    assert outline.attributes("script") == []

    problem = failing.client.get(f"/problems/{error.code}")
    assert (problem.status_code, lead_of(problem)) == (200, lead_of(page))
    assert f" {error.code}</code>" in problem.text

    pages = [show(failing, error, "page", Accept_Language=language) for language in ("en", "ru", "zh")]
    assert [Outline(each.text).attributes("html")[0]["lang"] for each in pages] == ["en", "ru", "zh-Hans"]
    assert len({each.text for each in pages}) == 3


def test_the_language_of_a_page_follows_accept_language(failing: Gateway) -> None:
    for accept_language, language in LANGUAGES.items():
        headers = {"Accept": "text/html", "Accept-Language": accept_language}
        for path in ("/fault/file_gone", "/download/task1", "/problems/link_expired"):
            page = failing.client.get(path, headers=headers)
            assert Outline(page.text).attributes("html") == [{"lang": language}], (path, accept_language)


def test_problem_types_have_the_path_of_the_gateway_and_unknown_ones_have_no_page(failing: Gateway) -> None:
    gateway = Gateway(make_settings(public_url="https://files.example/images"))

    problem: Any = gateway.client.get("/images/none", headers={"Accept": "application/json"})

    assert problem.json["type"] == "/images/problems/not_found"
    assert gateway.client.get(problem.json["type"]).status_code == 200
    assert failing.client.get("/problems/none").status_code == 404


def test_an_error_for_head_has_no_body(failing: Gateway) -> None:
    response = failing.client.head("/fault/file_gone", headers={"Accept": "text/html"})

    assert (response.status_code, response.data) == (410, b"")


def test_errors_have_the_headers_that_http_requires(failing: Gateway) -> None:
    for error, name, value in [
        ("range_not_satisfiable", "Content-Range", "bytes */10"),
        ("method_not_allowed", "Allow", "GET, HEAD"),
        ("key_missing", "WWW-Authenticate", "Bearer"),
        ("key_invalid", "WWW-Authenticate", "Bearer"),
        ("callback_refused", "WWW-Authenticate", "Callback"),
    ]:
        assert show(failing, ERRORS[error], "text").headers[name] == value


# --- which form

HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


def fetch(destination: str, mode: str, accept: str | None = None) -> dict[str, str]:
    """Fetch metadata as a browser sends it."""
    metadata = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": destination, "Sec-Fetch-Mode": mode}
    return metadata | ({"Accept": accept} if accept else {})


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        pytest.param(fetch("document", "navigate", HTML) | {"Sec-Fetch-User": "?1"}, "page", id="a-link"),
        pytest.param(fetch("document", "navigate", HTML), "page", id="a-link-in-webkit"),
        pytest.param({"Accept": HTML}, "page", id="a-browser-without-fetch-metadata"),
        pytest.param(fetch("iframe", "navigate", HTML), "page", id="an-iframe"),
        pytest.param(fetch("frame", "navigate", HTML), "page", id="a-frame"),
        pytest.param(fetch("empty", "navigate"), "text", id="a-download-attribute-in-chromium"),
        pytest.param(fetch("empty", "navigate") | {"Accept-Encoding": "identity"}, "text", id="chromium-resumes"),
        pytest.param(fetch("empty", "cors", "*/*"), "problem", id="fetch"),
        pytest.param(fetch("empty", "same-origin", "*/*"), "problem", id="fetch-of-the-same-origin"),
        pytest.param(fetch("empty", "cors", "application/json"), "problem", id="fetch-that-asks-for-json"),
        pytest.param(fetch("image", "no-cors", "image/avif,image/webp,*/*"), "text", id="an-image"),
        pytest.param({"Accept": "application/json"}, "problem", id="a-program-that-asks-for-json"),
        pytest.param({"Accept": "application/problem+json"}, "problem", id="a-program-that-knows-problems"),
        pytest.param({"Accept": "*/*"}, "text", id="curl"),
        pytest.param({}, "text", id="no-headers"),
        pytest.param({"Accept": "text/plain"}, "text", id="plain-text"),
    ],
)
def test_the_form_fits_the_client_and_the_api_always_sends_its_envelope(
    failing: Gateway, headers: dict[str, str], form: str
) -> None:
    assert failing.client.get("/fault/file_gone", headers=headers).mimetype == FORMS[form][2]
    api = failing.client.get("/api/fault/file_gone", headers=headers)
    assert api.json == {"code": 410, "msg": "The file was removed.", "data": None}


def test_a_page_varies_with_what_decides_its_form_and_language(failing: Gateway) -> None:
    varies = show(failing, ERRORS["file_gone"], "page").headers["Vary"].split(", ")

    assert {"Accept", "Accept-Language", "Sec-Fetch-Dest", "Sec-Fetch-Mode"} <= {*varies}


# --- unforeseen errors


def test_an_unforeseen_error_is_a_500_without_details_and_is_logged_once_with_its_place(failing: Gateway) -> None:
    for _, accept, _ in FORMS.values():
        with real_logs() as written:
            response = failing.client.get(
                "/unforeseen?sig=visitorsecret", headers=accept | {"X-Request-Id": "request-1"}
            )
            response.close()

        assert (response.status_code, response.headers["Cache-Control"]) == (500, "no-store")
        [fault] = [line for line in lines(written) if line["level"] == "error"]
        assert (fault["kind"], fault["request_id"]) == ("RuntimeError", "request-1")
        assert "test_error_responses.py" in fault["where"]
        for secret in ("bucket.example", "X-Amz-Signature", "topsecret", "visitorsecret"):
            assert secret not in response.text + str(response.headers) + written.getvalue()


# --- unknown addresses and methods


@pytest.fixture(scope="module")
def gateway() -> Gateway:
    return Gateway(make_settings(public_url="https://downloads.example"))


def test_an_unknown_address_is_a_page_that_says_so(gateway: Gateway) -> None:
    for path in (
        "/nothing",
        "/download",
        "/download/",
        "/download/a/",
        "/download/a/b/c",
        "/d/",
        "/static/none.css",
        "/static/../wsgi.py",
        "/static/%2e%2e/wsgi.py",
        "/.env",
        "/healthz/",
        "/%00",
    ):
        response = gateway.client.get(path, headers={"Accept": HTML})
        assert (response.status_code, "404 not_found" in response.text) == (404, True), path
        Outline(response.text)


def test_errors_of_the_api_are_envelopes_for_unknown_calls_methods_and_large_bodies(gateway: Gateway) -> None:
    large = b" " * (64 * 1024 + 1)
    authorized = {"Authorization": f"Bearer {API_KEY}"}

    unknown = gateway.client.get("/api/v1/nothing", headers={"Accept": HTML})
    method: Any = gateway.client.put("/api/v1/links")
    body: Any = gateway.client.post("/api/v1/links", data=large, headers=authorized)

    assert (unknown.status_code, unknown.json) == (
        404,
        {"code": 404, "msg": "There is nothing at this address.", "data": None},
    )
    assert (method.status_code, method.json["code"]) == (405, 405)
    assert "POST" in method.headers["Allow"]
    assert (body.status_code, body.json["code"]) == (413, 413)


def test_a_request_never_decides_where_a_redirect_or_a_page_leads(gateway: Gateway) -> None:
    for path in ("/download//task1?utm=1", "/static//page.css", "/api//v1/links"):
        response = gateway.client.get(path, headers={"Host": "evil.example"})
        assert "evil.example" not in response.headers.get("Location", "")
        assert response.status_code not in {301, 308}
    for host in ("<script>", "a b", "evil.example:99999999", "", "evil.example:x"):
        response = gateway.client.get("/nothing", headers={"Host": host, "Accept": HTML})
        assert response.status_code in {400, 404}, host
        assert "<script" not in response.text


def test_methods_other_than_get_head_and_options_are_405_for_downloads(gateway: Gateway) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"):
        response = gateway.client.open("/download/task1?x=1", method=method)
        assert response.status_code == 405
        assert {"GET", "HEAD", "OPTIONS"} == {*response.headers["Allow"].split(", ")}


def test_the_pages_load_their_style_and_icon_from_the_gateway_alone(gateway: Gateway) -> None:
    for path, mimetype in [("/static/page.css", "text/css"), ("/static/icon.svg", "image/svg+xml")]:
        with gateway.client.get(path) as response:
            assert (response.status_code, response.mimetype, bool(response.data)) == (200, mimetype, True)

    home = Gateway(make_settings()).client.get("/")
    outline = Outline(home.text)
    loaded = [a["href"] for a in outline.attributes("link")] + [a["src"] for a in outline.attributes("img")]
    assert home.status_code == 200
    assert all(str(address).startswith("/static/") for address in loaded)
    assert "https://" not in home.text


# --- a download address without parameters


def test_a_download_address_without_a_query_explains_links(gateway: Gateway) -> None:
    for path in ("/download/task1", "/download/task1?"):
        response = gateway.client.get(path)
        assert response.status_code == 200
        assert "https://downloads.example/download/task1/x.png?url=" in response.text
        assert "Content-Disposition" not in response.headers
        assert response.headers["Cache-Control"] == "no-store"


def test_no_markup_of_a_request_reaches_a_page(gateway: Gateway) -> None:
    headers: dict[str, Any] = dict.fromkeys(("X-Request-Id", "User-Agent", "Accept-Language"), "<script>")
    for task_id in ("%3Cscript%3Ealert(1)", "%22%3E%3Cimg%20src=x%20onerror='x'%3E", "%7B%7B7*7%7D%7D", "&lt;b"):
        response = gateway.client.get(f"/download/{task_id}", headers=headers)
        outline = Outline(response.text)
        assert response.status_code == 200
        assert outline.attributes("script") == []
        assert [str(each["src"]).rpartition("/")[2] for each in outline.attributes("img")] == ["icon.svg"]
        assert "49" not in response.text.partition("<pre>")[2].partition("</pre>")[0]

    refused = gateway.client.get(
        "/download/task1?url=<script>&sig=<script>&<script>", headers=headers | {"Accept": HTML}
    )
    assert refused.status_code == 403
    assert Outline(refused.text).attributes("script") == []
    assert "script" not in refused.text
