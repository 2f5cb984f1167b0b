"""Requests that the server refuses before the application sees them get the gateway's own errors."""

import json

import pytest

from tests.support.live_gateway import LiveGateway

LONG = "/download/task12345?url=" + "a" * 9000
REFUSED = {
    "long-line": (f"GET {LONG} HTTP/1.1\r\nHost: x\r\n", 414, "uri_too_long"),
    "large-head": ("GET / HTTP/1.1\r\nHost: x\r\n" + f"X-A: {'a' * 8000}\r\n" * 5, 431, "headers_too_large"),
    "many-fields": ("GET / HTTP/1.1\r\nHost: x\r\n" + "X-A: a\r\n" * 101, 431, "headers_too_large"),
    "no-host": ("GET /healthz HTTP/1.1\r\n", 400, "malformed_request"),
    "bad-host": ("GET /healthz HTTP/1.1\r\nHost: a b\r\n", 400, "malformed_request"),
    "two-hosts": ("GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n", 400, "malformed_request"),
    "no-colon": ("GET /healthz HTTP/1.1\r\nHost: x\r\nNo colon\r\n", 400, "malformed_request"),
    "bare-lf": ("GET /healthz HTTP/1.1\nHost: x\n", 400, "malformed_request"),
    "version": ("GET /healthz HTTP/3.0\r\nHost: x\r\n", 400, "malformed_request"),
    "coding": ("POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\n", 501, "request_refused"),
    "expectation": ("GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: x\r\n", 417, "request_refused"),
}
refused = pytest.mark.parametrize(("head", "status", "code"), REFUSED.values(), ids=REFUSED)


def answer_to(live: LiveGateway, head: str, accept: str = "*/*") -> tuple[int, dict[str, str], bytes]:
    """The status, the headers in lower case, and the body of what a raw head is answered with."""
    first, end, rest = head.partition("\n")
    sent = f"{first}{end}Accept: {accept}\r\nX-Request-Id: tests-1\r\n{rest}\r\n"
    top, _, body = live.exchange(sent.encode()).partition(b"\r\n\r\n")
    status, *lines = top.decode().split("\r\n")
    fields = (line.partition(":") for line in lines)
    return int(status.split()[1]), {name.lower(): value.strip() for name, _, value in fields}, body


@refused
def test_what_the_server_refuses_is_told_as_a_line_of_text(
    live: LiveGateway, head: str, status: int, code: str
) -> None:
    got, headers, body = answer_to(live, head)

    assert (got, headers["content-type"]) == (status, "text/plain; charset=utf-8")
    assert body.decode().startswith(f"{status} {code}: ")
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-request-id"] == "tests-1"
    assert headers["connection"] == "close"


def test_a_program_that_asks_for_json_gets_a_problem(live: LiveGateway) -> None:
    status, headers, body = answer_to(live, f"GET {LONG} HTTP/1.1\r\nHost: x\r\n", "application/json")

    assert (status, headers["content-type"]) == (414, "application/problem+json")
    assert json.loads(body)["requestId"] == "tests-1"


def test_a_browser_gets_a_page(live: LiveGateway) -> None:
    status, headers, body = answer_to(live, f"GET {LONG} HTTP/1.1\r\nHost: x\r\n", "text/html")

    assert (status, headers["content-type"]) == (414, "text/html; charset=utf-8")
    assert b"too long" in body
    assert b"aaaa" not in body


def test_a_caller_of_the_api_gets_an_envelope(live: LiveGateway) -> None:
    status, _, body = answer_to(live, "POST /api/v1/links HTTP/1.1\r\n")

    assert (status, json.loads(body)["code"]) == (400, 400)
    assert "Host: is missing" in json.loads(body)["msg"]


def test_what_the_server_refuses_is_one_line_in_the_log_without_the_query(live: LiveGateway) -> None:
    answer_to(live, "GET /download/logged?sig=secret HTTP/1.1\r\nHost: x\r\n" + "X-A: a\r\n" * 101)

    (line,) = (line for line in live.logged("request") if line["path"] == "/download/logged")
    assert (line["status"], line["outcome"]) == (431, "headers_too_large")
    assert "secret" not in live.log_text()
    assert "Traceback" not in live.log_text()


@pytest.mark.parametrize("head", ["GET /healthz HTTP/1.0\r\n", "GET /healthz HTTP/1.1\r\nHost:\r\n"])
def test_http_1_0_needs_no_host_and_an_empty_one_is_one(live: LiveGateway, head: str) -> None:
    assert live.exchange(f"{head}Connection: close\r\n\r\n".encode()).startswith(b"HTTP/1.")
    assert b" 200 " in live.exchange(f"{head}Connection: close\r\n\r\n".encode())[:20]
