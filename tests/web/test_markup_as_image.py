"""Pages of HTML or XML where an image is expected: the origin's failure, unless a setting lets them through."""

import pytest

from tests.support.factories import PNG, Gateway, make_settings
from tests.support.servers import ScriptedServer, answer

PAGE = b"<!DOCTYPE html><html><head><title>Just a moment</title></head><body>Not your image</body></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>'
S3_ERROR = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>'
MARKUP = {
    "html": PAGE,
    "xml": S3_ERROR,
    "fragment": b"<h1>502 Bad Gateway</h1>",
    "comment": b"<!-- cached -->" + PAGE,
    "after-white-space": b"\r\n\t  " + PAGE,
    "after-a-byte-order-mark": b"\xef\xbb\xbf" + PAGE,
    "utf-16-le": PAGE.decode().encode("utf-16"),
    "utf-16-be": b"\xfe\xff" + PAGE.decode().encode("utf-16-be"),
    "svg": SVG,
}
NO_MARKUP = {
    "png": PNG,
    "pdf": b"%PDF-1.7\n" + bytes(100),
    "zip": b"PK\x03\x04" + bytes(100),
    "unknown-binary": bytes(range(256)),
    "text": b"one < two",
    "bracket-and-binary": b"<\x00\x01\x02" + bytes(100),
}


def is_refused(gateway: Gateway, url: str, headers: dict[str, str] | None = None, filename: str | None = None) -> bool:
    response = gateway.get(url, headers, filename=filename)
    return (response.status_code, response.text.split(":")[0]) == (502, "502 origin_not_image")


@pytest.mark.parametrize("body", MARKUP.values(), ids=MARKUP)
@pytest.mark.parametrize(
    "parse_request", [{}, {"Range": "bytes=0-"}, {"Range": "bytes=20-"}], ids=["whole", "range", "part"]
)
@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no-ranges"])
def test_markup_under_an_images_name_is_the_origins_failure(
    gateway: Gateway, origin: ScriptedServer, body: bytes, parse_request: dict[str, str], *, ranges: bool
) -> None:
    url = origin.serve("/v/cat.png", body, ranges=ranges, Content_Type="image/png", ETag='"v1"')

    assert is_refused(gateway, url, parse_request)


@pytest.mark.parametrize(
    ("path", "declared", "filename"),
    [
        ("/v/cat.WEBP?x=1", "text/html", None),
        ("/v/cat.heic", "text/html", None),
        ("/v/cat", "image/png", None),
        ("/v/cat", "text/html", "cat.jpg"),
        ("/v/cat.html", "text/html", "cat.jpg"),
    ],
    ids=["name-in-capitals", "name-of-another-image-type", "declared-type", "signed-name", "signed-name-first"],
)
def test_the_links_name_or_the_declared_type_say_that_an_image_is_expected(
    gateway: Gateway, origin: ScriptedServer, path: str, declared: str, filename: str | None
) -> None:
    origin.serve(path.partition("?")[0], PAGE, Content_Type=declared)

    assert is_refused(gateway, origin.url(path), filename=filename)


@pytest.mark.parametrize(
    ("path", "declared", "body"),
    [
        ("/v/page.html", "text/html", PAGE),
        ("/v/page", "text/html", PAGE),
        ("/v/drawing.svg", "image/svg+xml", SVG),
        ("/v/drawing.svg", "text/plain", SVG),
        ("/v/drawing", "image/svg+xml; charset=utf-8", SVG),
    ],
)
def test_markup_where_no_image_is_expected_is_an_inert_download(
    gateway: Gateway, origin: ScriptedServer, path: str, declared: str, body: bytes
) -> None:
    response = gateway.get(origin.serve(path, body, Content_Type=declared))

    assert (response.status_code, response.data) == (200, body)
    assert response.headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize("body", NO_MARKUP.values(), ids=NO_MARKUP)
def test_every_other_file_under_an_images_name_is_downloaded(
    gateway: Gateway, origin: ScriptedServer, body: bytes
) -> None:
    response = gateway.get(origin.serve("/v/cat.png", body))

    assert (response.status_code, response.data) == (200, body)


def test_a_browser_is_not_redirected_to_markup_either(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PAGE, Content_Disposition="attachment")

    assert is_refused(gateway, url)
    assert is_refused(gateway, url)  # nor where the file was seen before


def test_the_failure_has_a_page_of_its_own_and_head_says_the_same(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.serve("/v/cat.png", PAGE))

    page = gateway.client.get(link, headers={"Accept": "text/html"})

    assert page.status_code == gateway.client.head(link).status_code == 502
    assert "sent a web page" in page.text
    assert "Just a moment" not in page.text


def test_an_image_that_comes_at_the_next_try_is_delivered(gateway: Gateway, origin: ScriptedServer) -> None:
    answers = iter([answer(200, PAGE), answer(200, PNG)])

    response = gateway.get(origin.route("/v/cat.png", lambda _request: next(answers)))

    assert (response.status_code, response.data) == (200, PNG)


def test_a_setting_lets_markup_through(origin: ScriptedServer) -> None:
    gateway = Gateway(make_settings(origin.address, allow_markup_as_image="true"))

    response = gateway.get(origin.serve("/v/cat.png", PAGE))

    assert (response.status_code, response.data) == (200, PAGE)
    assert response.headers["Content-Type"] == "application/octet-stream"
