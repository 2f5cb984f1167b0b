"""Whatever goes wrong, the answer says what and what to do, in the right form, and gives nothing away."""

import json
from html.parser import HTMLParser
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from gateway import errors
from gateway.errors import GatewayError, RetryLater
from gateway.links.signer import SALT, KeyRing
from gateway.web.reference.components import family
from tests.support.factories import API_KEY, SECRET, Gateway, make_settings
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


def made(error: type[GatewayError]) -> GatewayError:
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


ERRORS = {error.code: made(error) for error in family(GatewayError)}
every_error = pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)


@pytest.fixture(scope="module")
def failing() -> Gateway:
    """A gateway with two addresses that fail as they are told to."""
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
    """Reads a page and holds it to its tags: each is closed, in order."""

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
        return [attributes for name, attributes in self.tags if name == tag]


def show(gateway: Gateway, error: GatewayError, form: str, **headers: str) -> TestResponse:
    """The answer to a request that fails so, in a form."""
    path, asking, _ = FORMS[form]
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return gateway.client.get(path + error.code, headers={"X-Request-Id": "request-1", **asking, **named})


# --- every error in every form


@every_error
def test_every_error_answers_with_its_status_in_every_form(failing: Gateway, error: GatewayError) -> None:
    for form, (_, _, mimetype) in FORMS.items():
        response = show(failing, error, form)

        assert (response.status_code, response.mimetype) == (error.status, mimetype)


@every_error
def test_every_error_is_kept_by_nobody_and_runs_nothing(failing: Gateway, error: GatewayError) -> None:
    for form in FORMS:
        headers = show(failing, error, form).headers

        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Robots-Tag"] == "noindex, nofollow"
        assert headers["X-Request-Id"] == "request-1"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")
        assert not {"Content-Disposition", "ETag", "Set-Cookie", "Location"} & set(headers.keys())


@every_error
def test_no_error_shows_what_is_for_the_log(failing: Gateway, error: GatewayError) -> None:
    for form in FORMS:
        shown = show(failing, error, form).text

        assert REASON not in shown
        assert "Traceback" not in shown
        assert type(error).__name__ not in shown


@every_error
def test_an_error_says_when_to_come_again_where_that_helps(failing: Gateway, error: GatewayError) -> None:
    expected = str(error.retry_after_s) if isinstance(error, RetryLater) else None

    assert {show(failing, error, form).headers.get("Retry-After") for form in FORMS} == {expected}


@every_error
def test_a_page_says_what_happened_and_offers_another_try_where_that_helps(
    failing: Gateway, error: GatewayError
) -> None:
    response = show(failing, error, "page")

    outline = Outline(response.text)
    assert f"<code>{error.status.value} {error.code}</code>" in response.text
    assert "<code>request-1</code>" in response.text
    assert bool([link for link in outline.attributes("a") if link.get("href") == ""]) == error.retry
    assert ("about 10 seconds" in response.text) == isinstance(error, RetryLater)
    assert outline.attributes("script") == []


@every_error
def test_a_problem_names_its_type_status_and_request(failing: Gateway, error: GatewayError) -> None:
    response = show(failing, error, "problem")

    assert json.loads(response.text) == {
        "type": f"/problems/{error.code}",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status.value,
        "detail": error.detail,
        "requestId": "request-1",
    }


@every_error
def test_the_type_of_a_problem_leads_to_what_the_page_says(failing: Gateway, error: GatewayError) -> None:
    told = json.loads(show(failing, error, "problem").text)["type"]

    response = failing.client.get(told)

    assert response.status_code == 200
    assert f" {error.code}</code>" in response.text
    assert lead_of(response) == lead_of(show(failing, error, "page"))


def lead_of(response: TestResponse) -> str:
    """What a page says has happened."""
    return response.text.partition('<p class="lead">')[2].partition("</p>")[0]


def test_the_page_on_a_problem_is_in_the_language_that_is_asked_for(failing: Gateway) -> None:
    english, russian = (
        failing.client.get("/problems/link_expired", headers={"Accept-Language": language}) for language in ("en", "ru")
    )

    assert lead_of(english) != lead_of(russian) != ""


def test_below_a_path_the_type_of_a_problem_is_there_too() -> None:
    gateway = Gateway(make_settings(public_url="https://files.example/images"))

    told: Any = gateway.client.get("/images/none", headers={"Accept": "application/json"})

    assert told.json["type"] == "/images/problems/not_found"
    assert gateway.client.get(told.json["type"]).status_code == 200


def test_no_page_is_on_an_error_that_there_is_not(failing: Gateway) -> None:
    assert failing.client.get("/problems/none").status_code == 404


@every_error
def test_a_text_is_two_lines(failing: Gateway, error: GatewayError) -> None:
    response = show(failing, error, "text")

    assert response.text == f"{error.status.value} {error.code}: {error.detail}\nrequest: request-1\n"


@every_error
def test_an_envelope_has_the_status_as_its_code(failing: Gateway, error: GatewayError) -> None:
    response = show(failing, error, "envelope")

    assert response.json == {"code": error.status.value, "msg": error.detail, "data": None}


@pytest.mark.parametrize(("parse_request", "language"), LANGUAGES.items())
def test_every_page_is_in_the_visitors_language(failing: Gateway, parse_request: str, language: str) -> None:
    for error in ERRORS.values():
        response = show(failing, error, "page", Accept_Language=parse_request)

        assert Outline(response.text).attributes("html") == [{"lang": language}]


def test_the_languages_say_different_things(failing: Gateway) -> None:
    for error in ERRORS.values():
        shown = {show(failing, error, "page", Accept_Language=language).text for language in ("en", "ru", "zh")}

        assert len(shown) == 3


def test_an_error_for_head_has_no_body(failing: Gateway) -> None:
    response = failing.client.head("/fault/file_gone", headers={"Accept": "text/html"})

    assert (response.status_code, response.data) == (410, b"")


@pytest.mark.parametrize(
    ("error", "name", "value"),
    [
        ("range_not_satisfiable", "Content-Range", "bytes */10"),
        ("method_not_allowed", "Allow", "GET, HEAD"),
        ("key_missing", "WWW-Authenticate", "Bearer"),
        ("key_invalid", "WWW-Authenticate", "Bearer"),
        ("callback_refused", "WWW-Authenticate", "Callback"),
    ],
)
def test_an_error_brings_the_headers_that_http_wants(failing: Gateway, error: str, name: str, value: str) -> None:
    assert show(failing, ERRORS[error], "text").headers[name] == value


# --- which form

HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


def fetch(destination: str, mode: str, accept: str | None = None) -> dict[str, str]:
    """Fetch Metadata as a browser sends it."""
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
        pytest.param({}, "text", id="nothing-said"),
        pytest.param({"Accept": "text/plain"}, "text", id="plain-text"),
    ],
)
def test_the_form_is_the_one_that_whoever_asks_can_show(failing: Gateway, headers: dict[str, str], form: str) -> None:
    response = failing.client.get("/fault/file_gone", headers=headers)

    assert response.mimetype == FORMS[form][2]


@pytest.mark.parametrize("headers", [fetch("document", "navigate", HTML), {"Accept": "*/*"}, {}])
def test_the_api_always_answers_with_its_envelope(failing: Gateway, headers: dict[str, str]) -> None:
    response = failing.client.get("/api/fault/file_gone", headers=headers)

    assert response.json == {"code": 410, "msg": "The file was removed.", "data": None}


def test_a_page_says_that_it_depends_on_who_asks(failing: Gateway) -> None:
    varies = show(failing, ERRORS["file_gone"], "page").headers["Vary"].split(", ")

    assert {"Accept", "Accept-Language", "Sec-Fetch-Dest", "Sec-Fetch-Mode"} <= {*varies}


# --- what nobody foresaw


@pytest.mark.parametrize("headers", [asking for _, asking, _ in FORMS.values()], ids=FORMS)
def test_an_unforeseen_fault_is_told_as_ours_and_gives_nothing_away(failing: Gateway, headers: dict[str, str]) -> None:
    with real_logs() as written:
        response = failing.client.get("/unforeseen?sig=visitorsecret", headers=headers)
        response.close()

    assert response.status_code == 500
    assert response.headers["Cache-Control"] == "no-store"
    assert "RuntimeError" in written.getvalue()
    for secret in ("bucket.example", "X-Amz-Signature", "topsecret", "visitorsecret"):
        assert secret not in response.text + str(response.headers) + written.getvalue()


def test_an_unforeseen_fault_is_logged_once_with_its_place_and_request(failing: Gateway) -> None:
    with real_logs() as written:
        failing.client.get("/unforeseen", headers={"X-Request-Id": "request-1"}).close()

    [fault] = [line for line in lines(written) if line["level"] == "error"]
    assert fault["kind"] == "RuntimeError"
    assert fault["request_id"] == "request-1"
    assert "test_error_handlers.py" in fault["where"]


@every_error
def test_only_our_own_faults_are_logged_as_errors(failing: Gateway, error: GatewayError) -> None:
    with real_logs() as written:
        show(failing, error, "text").close()

    assert [line["code"] for line in lines(written) if line["level"] == "error"] == (
        [error.code] if error.server_fault else []
    )
    assert [line["outcome"] for line in lines(written) if line["event"] == "request"] == [error.code]


# --- addresses and methods that are not there


@pytest.mark.parametrize(
    "path",
    [
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
    ],
)
def test_an_unknown_address_is_a_page_that_says_so(gateway: Gateway, path: str) -> None:
    response = gateway.client.get(path, headers={"Accept": HTML})

    assert response.status_code == 404
    assert "404 not_found" in response.text
    Outline(response.text)


def test_an_unknown_call_is_an_envelope_that_says_so(gateway: Gateway) -> None:
    response = gateway.client.get("/api/v1/nothing", headers={"Accept": HTML})

    assert response.status_code == 404
    assert response.json == {"code": 404, "msg": "There is nothing at this address.", "data": None}


@pytest.mark.parametrize("path", ["/download//task1?utm=1", "/static//page.css", "/api//v1/links"])
def test_nobody_is_sent_to_the_host_that_the_request_names(gateway: Gateway, path: str) -> None:
    response = gateway.client.get(path, headers={"Host": "evil.example"})

    assert "evil.example" not in response.headers.get("Location", "")
    assert response.status_code not in {301, 308}


@pytest.mark.parametrize("host", ["<script>", "a b", "evil.example:99999999", "", "evil.example:x"])
def test_an_odd_host_does_no_harm(gateway: Gateway, host: str) -> None:
    response = gateway.client.get("/nothing", headers={"Host": host, "Accept": HTML})

    assert response.status_code in {400, 404}
    assert "<script" not in response.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"])
def test_a_method_that_downloads_do_not_take_is_refused_with_those_they_do(gateway: Gateway, method: str) -> None:
    response = gateway.client.open("/download/task1?x=1", method=method)

    assert response.status_code == 405
    assert {"GET", "HEAD", "OPTIONS"} == {*response.headers["Allow"].split(", ")}


def test_a_call_of_the_api_by_the_wrong_method_is_an_envelope(gateway: Gateway) -> None:
    response = gateway.client.get("/api/v1/links")

    assert response.status_code == 405
    assert response.json is not None
    assert response.json["code"] == 405
    assert "POST" in response.headers["Allow"]


def test_a_body_larger_than_any_call_needs_is_refused(gateway: Gateway) -> None:
    response = gateway.client.post(
        "/api/v1/links", data=b" " * (64 * 1024 + 1), headers={"Authorization": f"Bearer {API_KEY}"}
    )

    assert response.status_code == 413
    assert response.json is not None
    assert response.json["code"] == 413


@pytest.mark.parametrize(
    ("path", "mimetype"), [("/static/page.css", "text/css"), ("/static/icon.svg", "image/svg+xml")]
)
def test_what_the_pages_need_is_served(gateway: Gateway, path: str, mimetype: str) -> None:
    with gateway.client.get(path) as response:
        assert response.status_code == 200
        assert response.mimetype == mimetype
        assert response.data


def test_the_home_page_loads_nothing_from_elsewhere(gateway: Gateway) -> None:
    response = gateway.client.get("/")

    outline = Outline(response.text)
    loaded = [a["href"] for a in outline.attributes("link")] + [a["src"] for a in outline.attributes("img")]
    assert response.status_code == 200
    assert all(str(address).startswith("/static/") for address in loaded)
    assert "https://" not in response.text


# --- links that give no permission

TASK = "task12345"
URL = "https://origin.example/v/cat.png"
EXPIRES = "4000000000"
FORGED = "A" * 43


def sign(task_id: str = TASK, url: str = URL, expires: str = EXPIRES, mode: str = "", filename: str = "") -> str:
    """The signature over any values, also over those that no signer of ours would take."""
    message = f"v1\n{task_id}\n{url}\n{expires}\n{mode}\n{filename}\n"
    return KeyRing.derive([SECRET], SALT).sign(message.encode())


def query(url: str = URL, expires: str = EXPIRES, task_id: str = TASK) -> str:
    """An authentic query."""
    return f"url={quote(url, safe='')}&expires={expires}&sig={sign(task_id, url, expires)}"


def ask(gateway: Gateway, raw_query: str, task_id: str = TASK) -> TestResponse:
    """Follow a link whose query is exactly these bytes (Latin-1, as WSGI has it)."""
    return gateway.client.get(
        f"/download/{quote(task_id, safe='')}",
        environ_overrides={"QUERY_STRING": raw_query},
        headers={"X-Request-Id": "request-1"},
    )


@pytest.fixture(scope="module")
def strict() -> Gateway:
    """A gateway that takes signed links to two hosts and knows its own address."""
    return Gateway(
        make_settings(
            origin_hosts="origin.example,*.cdn.example",
            private_networks="",
            allow_http="false",
            public_url="https://downloads.example",
        )
    )


@pytest.fixture(scope="module")
def open_gateway() -> Gateway:
    """A gateway that also takes unsigned requests."""
    return Gateway(make_settings(origin_hosts="origin.example", require_signature="false"))


SIG = sign()
GOOD = query()
MALFORMED = {
    "nothing-we-know": "utm_source=mail",
    "no-url": f"expires={EXPIRES}&sig={SIG}",
    "no-expiry": f"url={quote(URL)}&sig={SIG}",
    "no-signature": f"url={quote(URL)}&expires={EXPIRES}",
    "url-empty": f"url=&expires={EXPIRES}&sig={SIG}",
    "url-without-equals": f"url&expires={EXPIRES}&sig={SIG}",
    "signature-empty": f"url={quote(URL)}&expires={EXPIRES}&sig=",
    "filename-empty": f"{GOOD}&filename=",
    "url-twice": f"{GOOD}&url={quote(URL)}",
    "expiry-twice": f"{GOOD}&expires={EXPIRES}",
    "signature-twice": f"{GOOD}&sig={SIG}",
    "signature-short": GOOD[:-1],
    "signature-long": GOOD + "A",
    "signature-padded": GOOD + "=",
    "signature-in-another-spelling": GOOD[:-1] + chr(ord(GOOD[-1]) + 1),
    "signature-with-a-line-feed": GOOD + "%0A",
    "signature-not-ascii": GOOD[:-1] + "%C3%A9",
    "separated-by-semicolons": GOOD.replace("&", ";"),
    "expiry-in-words": GOOD.replace(EXPIRES, "never"),
    "expiry-negative": query(expires="-1"),
    "expiry-zero": query(expires="0"),
    "expiry-with-a-leading-zero": query(expires="04000000000"),
    "expiry-in-other-digits": query(expires="4").replace("expires=4", "expires=%D9%A4"),
    "expiry-with-a-fraction": query(expires="4000000000.5"),
    "expiry-of-twelve-digits": query(expires="400000000000"),
    "url-too-long": query(URL + "x" * 2048),
    "url-with-a-line-feed": query(URL + "\n"),
    "url-with-a-null": query(URL + "\x00"),
    "url-with-a-control-character": query(URL + "\x85"),
    "url-not-utf-8": f"url=https://origin.example/%ff&expires={EXPIRES}&sig={FORGED}",
    "url-not-utf-8-unescaped": f"url=https://origin.example/\xff&expires={EXPIRES}&sig={FORGED}",
    "url-of-a-surrogate": f"url=https://origin.example/%ED%A0%80&expires={EXPIRES}&sig={FORGED}",
    "url-with-a-bad-escape": f"url=https://origin.example/%zz&expires={EXPIRES}&sig={FORGED}",
    "mode-unknown": f"url={quote(URL)}&expires={EXPIRES}&mode=inline&sig={sign(mode='inline')}",
    "filename-too-long": f"url={quote(URL)}&expires={EXPIRES}&filename={'x' * 256}&sig={sign(filename='x' * 256)}",
    "filename-added": f"{GOOD}&filename=evil.exe",
    "mode-added": f"{GOOD}&mode=redirect",
    "id-added": f"{GOOD}&id=1",
}


def test_the_query_that_the_malformed_ones_are_made_of_is_authentic(strict: Gateway) -> None:
    assert ask(strict, query("https://elsewhere.example/x.png")).text.startswith("403 origin_not_allowed")


@pytest.mark.parametrize("raw_query", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_link_looks_like_a_forged_one(strict: Gateway, raw_query: str) -> None:
    forged = ask(strict, f"url={quote(URL)}&expires={EXPIRES}&sig={FORGED}")

    response = ask(strict, raw_query)

    assert response.status_code == 403
    if not response.text.startswith("403 link_damaged: "):  # which says no more than what the link itself shows
        assert response.text == forged.text
    assert sorted(response.headers) == sorted(forged.headers)


TASK_IDS = {
    "leading-dot": ".task",
    "parent": "..",
    "blank": "task 1",
    "line-feed": "task1\n",
    "null": "task1\x00",
    "markup": "<script>",
    "percent": "task%41",
    "other-script": "задача",
    "too-long": "x" * 129,
}


@pytest.mark.parametrize("task_id", TASK_IDS.values(), ids=TASK_IDS)
def test_a_link_to_an_odd_task_is_invalid_whatever_its_signature(strict: Gateway, task_id: str) -> None:
    response = ask(strict, query(task_id=task_id), task_id)

    assert response.status_code == 403
    assert response.text.startswith(("403 link_invalid: ", "403 link_damaged: "))


def test_a_link_for_one_task_is_no_link_for_another(strict: Gateway) -> None:
    assert ask(strict, GOOD, "task2").text.startswith("403 link_invalid: ")


def test_an_authentic_link_whose_time_is_over_says_so(strict: Gateway) -> None:
    response = ask(strict, query(expires="1700000000"))

    assert response.status_code == 410
    assert response.text.startswith("410 link_expired: ")


def test_a_forged_link_does_not_learn_that_its_time_is_over(strict: Gateway) -> None:
    response = ask(strict, f"url={quote(URL)}&expires=1700000000&sig={FORGED}")

    assert response.status_code == 403


UNLISTED = "names a host that is not on the list of origins"
ADDRESS = "names an address instead of a host"
UNUSUAL = "spells an address in an unusual way"
SCHEME = "must begin with https:// or http://"
MALFORMED_HOST = "has a malformed host name"
NO_HOST = "has no host, or one longer than a name can be"
SIGN = "contains a control character or a backslash"
LOGIN = "must not hold a user name or a password"
OWN = "names this gateway itself"
REFUSED = {
    "ftp://origin.example/x.png": SCHEME,
    "file:///etc/passwd": SCHEME,
    "javascript:alert(1)": SCHEME,
    "data:text/html,x": SCHEME,
    "/v/cat.png": SCHEME,
    "//origin.example/v/cat.png": SCHEME,
    "cat.png": SCHEME,
    "http://origin.example/x.png": "is plain http; use https",
    "https://user@origin.example/x.png": LOGIN,
    "https://user:password@origin.example/x.png": LOGIN,
    "https://origin.example@evil.example/x.png": LOGIN,
    "https://evil.example/x.png": UNLISTED,
    "https://cdn.example/x.png": UNLISTED,
    "https://evilcdn.example/x.png": UNLISTED,
    "https://origin.example.evil.example/x.png": UNLISTED,
    "https://origin.example:8443/x.png": UNLISTED,
    "https://localhost/x.png": UNLISTED,
    "https://origin.example./x.png": MALFORMED_HOST,
    "https://origin..example/x.png": MALFORMED_HOST,
    "https://-origin.example/x.png": MALFORMED_HOST,
    "https://origin_example/x.png": MALFORMED_HOST,
    "https://origin.example%2f@evil.example/": LOGIN,
    "https://origin.example%00.evil.example/": MALFORMED_HOST,
    "https:///x.png": NO_HOST,
    "https://": NO_HOST,
    f"https://{'a.' * 130}example/x.png": NO_HOST,
    "https://origin.example\\@evil.example/x.png": SIGN,
    "https://93.184.216.34/x.png": ADDRESS,
    "https://127.0.0.1/x.png": ADDRESS,
    "https://169.254.169.254/latest/meta-data": ADDRESS,
    "https://[::1]/x.png": ADDRESS,
    "https://[::ffff:127.0.0.1]/x.png": ADDRESS,
    "https://[2001:db8::1]:443/x.png": ADDRESS,
    "https://127.1/x.png": UNUSUAL,
    "https://2130706433/x.png": UNUSUAL,
    "https://0x7f000001/x.png": UNUSUAL,
    "https://0177.0.0.1/x.png": UNUSUAL,
    "https://0x7f.1/x.png": UNUSUAL,
    "https://127.0.0.1.1/x.png": UNUSUAL,
    "https://[::1%25eth0]/x.png": "has a malformed address",
    "https://[::1/x.png": "has a host or a port that cannot be read",
    "https://origin.example:0/x.png": "has a host or a port that cannot be read",
    "https://origin.example:99999/x.png": "has a host or a port that cannot be read",
    "https://origin.example:/x.png": "has a host or a port that cannot be read",
    "https://downloads.example/download/task1": OWN,
    "https://DOWNLOADS.example:443/": OWN,
}


@pytest.mark.parametrize(("url", "rule"), REFUSED.items())
def test_an_authentic_link_to_elsewhere_says_which_rule_it_breaks(strict: Gateway, url: str, rule: str) -> None:
    response = ask(strict, query(url))

    assert response.status_code == 403
    assert response.text.splitlines()[0] == (
        f"403 origin_not_allowed: This gateway does not serve files from there. url: {rule}"
    )


def test_a_digit_of_another_script_does_not_make_an_address(strict: Gateway) -> None:
    response = ask(strict, query("https://\N{CIRCLED DIGIT ONE}27.0.0.1/x.png"))

    assert response.text.startswith("403 origin_not_allowed: ")


@pytest.mark.parametrize(
    ("raw_query", "field"),
    [
        pytest.param("utm_source=mail", "url: is missing", id="missing"),
        pytest.param("url=", "url: must not be empty", id="empty"),
        pytest.param("url", "url: must not be empty", id="without-equals"),
        pytest.param(f"url={URL}&url={URL}", "url: must not be given twice", id="doubled"),
        pytest.param(f"url={URL}{'x' * 2048}", "url: must not be longer than 2048 characters", id="over-long"),
        pytest.param(f"url={URL}%ff", "url: is not UTF-8", id="not-utf-8"),
        pytest.param(f"url={URL}\xff", "url: is not UTF-8", id="not-utf-8-unescaped"),
        pytest.param(f"url={URL}%zz", "url: has a percent sign that begins no escape", id="bad-escape"),
        pytest.param(f"url={URL}%0a", "url: must not hold a control character", id="line-feed"),
        pytest.param(f"url={URL}%00", "url: must not hold a control character", id="null"),
    ],
)
def test_an_unsigned_request_that_cannot_be_used_names_the_field(
    open_gateway: Gateway, raw_query: str, field: str
) -> None:
    response = ask(open_gateway, raw_query)

    assert response.status_code == 400
    assert response.text.splitlines()[0] == f"400 bad_parameter: {field}"


@pytest.mark.parametrize("task_id", TASK_IDS.values(), ids=TASK_IDS)
def test_an_unsigned_request_for_an_odd_task_names_the_field(open_gateway: Gateway, task_id: str) -> None:
    response = ask(open_gateway, f"url={URL}", task_id)

    assert response.status_code == 400
    assert response.text.startswith("400 bad_parameter: task_id: ")


@pytest.mark.parametrize("url", ["ftp://origin.example/x", "https://evil.example/x", "https://127.0.0.1/x"])
def test_an_unsigned_request_to_elsewhere_is_refused(open_gateway: Gateway, url: str) -> None:
    response = ask(open_gateway, f"url={url}")

    assert response.status_code == 403
    assert response.text.startswith("403 origin_not_allowed: ")


@pytest.mark.parametrize("sig", [FORGED, "", "x", "A" * 44])
def test_a_signature_that_is_there_is_always_verified(open_gateway: Gateway, sig: str) -> None:
    response = ask(open_gateway, f"url={quote(URL)}&expires={EXPIRES}&sig={sig}")

    assert response.status_code == 403
    assert response.text.startswith("403 link_invalid: ")


# --- an address without any parameter


@pytest.mark.parametrize(("parse_request", "language"), LANGUAGES.items())
def test_a_bare_download_address_explains_itself(strict: Gateway, parse_request: str, language: str) -> None:
    response = strict.client.get("/download/task1", headers={"Accept-Language": parse_request})

    assert response.status_code == 200
    assert Outline(response.text).attributes("html") == [{"lang": language}]
    assert "https://downloads.example/download/task1/x.png?url=" in response.text
    assert "Content-Disposition" not in response.headers
    assert response.headers["Cache-Control"] == "no-store"


def test_an_empty_query_is_no_query(strict: Gateway) -> None:
    assert strict.client.get("/download/task1?").status_code == 200


@pytest.mark.parametrize("task_id", ["<script>alert(1)", "\"><img src=x onerror='x'>", "{{7*7}}", "&lt;b"])
def test_what_the_visitor_wrote_is_shown_and_never_runs(strict: Gateway, task_id: str) -> None:
    response = strict.client.get(
        f"/download/{quote(task_id)}",
        headers={"X-Request-Id": "<script>", "User-Agent": "<script>", "Accept-Language": "<script>"},
    )

    outline = Outline(response.text)
    assert response.status_code == 200
    assert outline.attributes("script") == []
    assert [str(each["src"]).rpartition("/")[2] for each in outline.attributes("img")] == ["icon.svg"]
    assert "49" not in response.text.partition("<pre>")[2].partition("</pre>")[0]


def test_what_stands_in_a_refused_link_is_not_repeated(strict: Gateway) -> None:
    headers: dict[str, Any] = {"Accept": HTML, "X-Request-Id": "<script>"}

    response = strict.client.get("/download/task1?url=<script>&sig=<script>&<script>", headers=headers)

    assert response.status_code == 403
    assert Outline(response.text).attributes("script") == []
    assert "script" not in response.text
