"""Files of no bytes: the origin's failure where an image is expected, and an empty download elsewhere."""

import pytest

from tests.support.factories import PNG, Gateway
from tests.support.servers import ScriptedServer, answer

NO_LENGTH = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
CLOSED = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("path", "headers", "fields"),
    [
        ("/v/cat.png", {}, {}),
        ("/v/cat.WEBP?x=1", {}, {}),
        ("/v/cat", {"Content-Type": "image/webp"}, {}),
        ("/v/cat", {}, {"filename": "cat.jpg"}),
    ],
    ids=["name-of-the-url", "name-in-capitals", "declared-type", "signed-name"],
)
@pytest.mark.parametrize("parse_request", [{}, {"Range": "bytes=0-"}], ids=["whole", "range"])
def test_no_bytes_where_an_image_is_expected_are_the_origins_failure(
    gateway: Gateway,
    origin: ScriptedServer,
    path: str,
    headers: dict[str, str],
    fields: dict[str, str],
    parse_request: dict[str, str],
) -> None:
    origin.route(path.partition("?")[0], answer(200, b"", headers))

    response = gateway.get(origin.url(path), parse_request, **fields)

    assert (response.status_code, response.text.split(":")[0]) == (502, "502 origin_empty")
    assert len(origin.seen) > 1  # an origin that fails is asked again


@pytest.mark.parametrize("sent", [NO_LENGTH, CLOSED, answer(200, b"", {"Content-Encoding": "gzip"})])
def test_they_are_without_a_length_too(gateway: Gateway, origin: ScriptedServer, sent: bytes) -> None:
    assert gateway.get(origin.route("/v/cat.png", sent)).status_code == 502


def test_the_failure_has_a_page_of_its_own_and_head_says_the_same(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.serve("/v/cat.png", b""))

    page = gateway.client.get(link, headers={"Accept": "text/html"})

    assert page.status_code == gateway.client.head(link).status_code == 502
    assert "sent an empty file" in page.text


def test_an_image_that_comes_at_the_next_try_is_delivered(gateway: Gateway, origin: ScriptedServer) -> None:
    answers = iter([answer(200, b""), answer(200, PNG)])

    response = gateway.get(origin.route("/v/cat.png", lambda _request: next(answers)))

    assert (response.status_code, response.data) == (200, PNG)


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no-ranges"])
@pytest.mark.parametrize("parse_request", ["", "bytes=0-", "bytes=0-0", "bytes=-5", "bytes=100-"])
def test_any_range_of_an_empty_file_that_is_no_image_is_answered_by_the_whole_of_it(
    gateway: Gateway, origin: ScriptedServer, parse_request: str, *, ranges: bool
) -> None:
    url = origin.serve("/v/empty.txt", b"", ranges=ranges, Content_Type="text/plain")

    response = gateway.get(url, {"Range": parse_request} if parse_request else {})

    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Content-Length"] == "0"


def test_an_unasked_206_that_spans_the_whole_file_is_downloaded(gateway: Gateway, origin: ScriptedServer) -> None:
    headers = {"Content-Range": f"bytes 0-{len(PNG) - 1}/{len(PNG)}", "ETag": '"v1"'}
    url = origin.route("/v/cat.png", answer(206, PNG, headers))

    response = gateway.get(url)

    assert (response.status_code, response.data) == (200, PNG)
    assert response.headers["Content-Length"] == str(len(PNG))
