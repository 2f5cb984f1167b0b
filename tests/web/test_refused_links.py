"""Links that give no permission: malformed, forged, expired, or to a host that is not listed."""

from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from gateway.links.signer import SALT, KeyRing
from tests.support.factories import SECRET, Gateway, make_settings

TASK = "task12345"
URL = "https://origin.example/v/cat.png"
EXPIRES = "4000000000"
FORGED = "A" * 43


def sign(task_id: str = TASK, url: str = URL, expires: str = EXPIRES, mode: str = "", filename: str = "") -> str:
    """The signature over any values, also over those that our signer refuses."""
    message = f"v1\n{task_id}\n{url}\n{expires}\n{mode}\n{filename}\n"
    return KeyRing.derive([SECRET], SALT).sign(message.encode())


def query(url: str = URL, expires: str = EXPIRES, task_id: str = TASK) -> str:
    """An authentic query."""
    return f"url={quote(url, safe='')}&expires={expires}&sig={sign(task_id, url, expires)}"


def follow(gateway: Gateway, raw_query: str, task_id: str = TASK) -> TestResponse:
    """Follow a link whose query is exactly these bytes (Latin-1, as in WSGI)."""
    return gateway.client.get(
        f"/download/{quote(task_id, safe='')}",
        environ_overrides={"QUERY_STRING": raw_query},
        headers={"X-Request-Id": "request-1"},
    )


@pytest.fixture(scope="module")
def strict() -> Gateway:
    """A gateway that takes signed links to two hosts and knows its public URL."""
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
    "no known parameter": "utm_source=mail",
    "no url": f"expires={EXPIRES}&sig={SIG}",
    "no expiry": f"url={quote(URL)}&sig={SIG}",
    "no signature": f"url={quote(URL)}&expires={EXPIRES}",
    "empty url": f"url=&expires={EXPIRES}&sig={SIG}",
    "url without equals sign": f"url&expires={EXPIRES}&sig={SIG}",
    "empty signature": f"url={quote(URL)}&expires={EXPIRES}&sig=",
    "empty filename": f"{GOOD}&filename=",
    "url twice": f"{GOOD}&url={quote(URL)}",
    "expiry twice": f"{GOOD}&expires={EXPIRES}",
    "signature twice": f"{GOOD}&sig={SIG}",
    "short signature": GOOD[:-1],
    "long signature": GOOD + "A",
    "padded signature": GOOD + "=",
    "another spelling of the signature": GOOD[:-1] + chr(ord(GOOD[-1]) + 1),
    "signature with a line feed": GOOD + "%0A",
    "signature not ASCII": GOOD[:-1] + "%C3%A9",
    "semicolons": GOOD.replace("&", ";"),
    "expiry not a number": GOOD.replace(EXPIRES, "never"),
    "negative expiry": query(expires="-1"),
    "expiry zero": query(expires="0"),
    "expiry with a leading zero": query(expires="04000000000"),
    "expiry in other digits": query(expires="4").replace("expires=4", "expires=%D9%A4"),
    "expiry with a fraction": query(expires="4000000000.5"),
    "expiry of twelve digits": query(expires="400000000000"),
    "url too long": query(URL + "x" * 2048),
    "url with a line feed": query(URL + "\n"),
    "url with a null": query(URL + "\x00"),
    "url with a control character": query(URL + "\x85"),
    "url not UTF-8": f"url=https://origin.example/%ff&expires={EXPIRES}&sig={FORGED}",
    "url not UTF-8 and not escaped": f"url=https://origin.example/\xff&expires={EXPIRES}&sig={FORGED}",
    "url with a surrogate": f"url=https://origin.example/%ED%A0%80&expires={EXPIRES}&sig={FORGED}",
    "url with a bad escape": f"url=https://origin.example/%zz&expires={EXPIRES}&sig={FORGED}",
    "unknown mode": f"url={quote(URL)}&expires={EXPIRES}&mode=inline&sig={sign(mode='inline')}",
    "filename too long": f"url={quote(URL)}&expires={EXPIRES}&filename={'x' * 256}&sig={sign(filename='x' * 256)}",
    "added filename": f"{GOOD}&filename=evil.exe",
    "added mode": f"{GOOD}&mode=redirect",
    "added id": f"{GOOD}&id=1",
    "forged and expired": f"url={quote(URL)}&expires=1700000000&sig={FORGED}",
}


def test_a_malformed_link_looks_like_a_forged_one(strict: Gateway) -> None:
    forged = follow(strict, f"url={quote(URL)}&expires={EXPIRES}&sig={FORGED}")
    authentic = follow(strict, query("https://elsewhere.example/x.png"))
    assert authentic.text.startswith("403 origin_not_allowed")

    for name, raw_query in MALFORMED.items():
        response = follow(strict, raw_query)
        assert response.status_code == 403, name
        if not response.text.startswith("403 link_damaged: "):  # which repeats only what the link itself shows
            assert response.text == forged.text, name
        assert sorted(response.headers) == sorted(forged.headers), name


TASK_IDS = [".task", "..", "task 1", "task1\n", "task1\x00", "<script>", "task%41", "задача", "x" * 129]


def test_a_link_with_an_invalid_or_another_task_id_is_invalid(strict: Gateway) -> None:
    for task_id in TASK_IDS:
        response = follow(strict, query(task_id=task_id), task_id)
        assert response.status_code == 403
        assert response.text.startswith(("403 link_invalid: ", "403 link_damaged: ")), task_id
    assert follow(strict, GOOD, "task2").text.startswith("403 link_invalid: ")


def test_an_authentic_expired_link_is_410(strict: Gateway) -> None:
    response = follow(strict, query(expires="1700000000"))

    assert response.status_code == 410
    assert response.text.startswith("410 link_expired: ")


LOGIN = "must not hold a user name or a password"
UNLISTED = "names a host that is not on the list of origins"
UNREADABLE = "has a host or a port that cannot be read"
REFUSED = {
    "must begin with https:// or http://": [
        "ftp://origin.example/x.png",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:text/html,x",
        "/v/cat.png",
        "//origin.example/v/cat.png",
        "cat.png",
    ],
    "is plain http; use https": ["http://origin.example/x.png"],
    LOGIN: [
        "https://user@origin.example/x.png",
        "https://user:password@origin.example/x.png",
        "https://origin.example@evil.example/x.png",
        "https://origin.example%2f@evil.example/",
    ],
    UNLISTED: [
        "https://evil.example/x.png",
        "https://cdn.example/x.png",
        "https://evilcdn.example/x.png",
        "https://origin.example.evil.example/x.png",
        "https://origin.example:8443/x.png",
        "https://localhost/x.png",
    ],
    "has a malformed host name": [
        "https://origin.example./x.png",
        "https://origin..example/x.png",
        "https://-origin.example/x.png",
        "https://origin_example/x.png",
        "https://origin.example%00.evil.example/",
    ],
    "has no host, or one longer than a name can be": [
        "https:///x.png",
        "https://",
        f"https://{'a.' * 130}example/x.png",
    ],
    "contains a control character or a backslash": ["https://origin.example\\@evil.example/x.png"],
    "names an address instead of a host": [
        "https://93.184.216.34/x.png",
        "https://127.0.0.1/x.png",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/x.png",
        "https://[::ffff:127.0.0.1]/x.png",
        "https://[2001:db8::1]:443/x.png",
    ],
    "spells an address in an unusual way": [
        "https://127.1/x.png",
        "https://2130706433/x.png",
        "https://0x7f000001/x.png",
        "https://0177.0.0.1/x.png",
        "https://0x7f.1/x.png",
        "https://127.0.0.1.1/x.png",
    ],
    "has a malformed address": ["https://[::1%25eth0]/x.png"],
    UNREADABLE: [
        "https://[::1/x.png",
        "https://origin.example:0/x.png",
        "https://origin.example:99999/x.png",
        "https://origin.example:/x.png",
    ],
    "names this gateway itself": ["https://downloads.example/download/task1", "https://DOWNLOADS.example:443/"],
}


@pytest.mark.parametrize("rule", REFUSED)
def test_an_authentic_link_to_a_url_that_is_not_allowed_names_the_rule(strict: Gateway, rule: str) -> None:
    for url in REFUSED[rule]:
        response = follow(strict, query(url))
        assert response.status_code == 403
        assert response.text.splitlines()[0] == (
            f"403 origin_not_allowed: This gateway does not serve files from there. url: {rule}"
        ), url


def test_a_digit_of_another_script_does_not_make_an_address(strict: Gateway) -> None:
    response = follow(strict, query("https://\N{CIRCLED DIGIT ONE}27.0.0.1/x.png"))

    assert response.text.startswith("403 origin_not_allowed: ")


def test_an_unsigned_request_that_cannot_be_used_names_the_parameter(open_gateway: Gateway) -> None:
    for raw_query, fault in {
        "utm_source=mail": "url: is missing",
        "url=": "url: must not be empty",
        "url": "url: must not be empty",
        f"url={URL}&url={URL}": "url: must not be given twice",
        f"url={URL}{'x' * 2048}": "url: must not be longer than 2048 characters",
        f"url={URL}%ff": "url: is not UTF-8",
        f"url={URL}\xff": "url: is not UTF-8",
        f"url={URL}%zz": "url: has a percent sign that begins no escape",
        f"url={URL}%0a": "url: must not hold a control character",
        f"url={URL}%00": "url: must not hold a control character",
    }.items():
        response = follow(open_gateway, raw_query)
        assert response.text.splitlines()[0] == f"400 bad_parameter: {fault}"
    for task_id in TASK_IDS:
        assert follow(open_gateway, f"url={URL}", task_id).text.startswith("400 bad_parameter: task_id: "), task_id
    for url in ("ftp://origin.example/x", "https://evil.example/x", "https://127.0.0.1/x"):
        assert follow(open_gateway, f"url={url}").text.startswith("403 origin_not_allowed: ")


def test_a_signature_is_verified_even_where_none_is_required(open_gateway: Gateway) -> None:
    for sig in (FORGED, "", "x", "A" * 44):
        response = follow(open_gateway, f"url={quote(URL)}&expires={EXPIRES}&sig={sig}")
        assert (response.status_code, response.text.startswith("403 link_invalid: ")) == (403, True), sig
