"""An empty body or a web page where an image is expected is the origin's failure; elsewhere it is a download."""

from typing import Any

import pytest

from tests.support.factories import PNG, Gateway, make_settings
from tests.support.servers import ScriptedServer, answer

PAGE = b"<!DOCTYPE html><html><head><title>Just a moment</title></head><body>Not your image</body></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>'
MARKUP = {
    "html": PAGE,
    "xml": b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>',
    "fragment": b"<h1>502 Bad Gateway</h1>",
    "comment": b"<!-- cached -->" + PAGE,
    "after white space": b"\r\n\t  " + PAGE,
    "after a byte order mark": b"\xef\xbb\xbf" + PAGE,
    "utf-16-le": PAGE.decode().encode("utf-16"),
    "utf-16-be": b"\xfe\xff" + PAGE.decode().encode("utf-16-be"),
    "svg": SVG,
}
OTHER_FILES = {
    "png": PNG,
    "pdf": b"%PDF-1.7\n" + bytes(100),
    "zip": b"PK\x03\x04" + bytes(100),
    "unknown binary": bytes(range(256)),
    "text": b"one < two",
    "bracket and binary": b"<\x00\x01\x02" + bytes(100),
}


def failure(gateway: Gateway, url: str, headers: dict[str, str] | None = None, **fields: Any) -> str:
    """Status and error code of a failed download."""
    return str(gateway.get(url, headers, **fields).text.partition(":")[0])


@pytest.mark.parametrize(
    ("path", "declared", "fields"),
    [
        ("/v/cat.png", "image/png", {}),
        ("/v/cat.WEBP?x=1", "text/html", {}),
        ("/v/cat.heic", "text/html", {}),
        ("/v/cat", "image/webp", {}),
        ("/v/cat", "text/html", {"filename": "cat.jpg"}),
        ("/v/cat.html", "text/html", {"filename": "cat.jpg"}),
    ],
)
def test_a_page_or_nothing_where_name_or_type_announce_an_image_is_the_origins_failure(
    gateway: Gateway,
    origin: ScriptedServer,
    path: str,
    declared: str,
    fields: dict[str, Any],
) -> None:
    for body, code in ((PAGE, "502 origin_not_image"), (b"", "502 origin_empty")):
        origin.serve(path.partition("?")[0], body, Content_Type=declared)
        assert failure(gateway, origin.url(path), **fields) == code
        assert len(origin.seen) > 1  # an origin that fails is asked again


def test_markup_of_any_form_is_refused_whole_or_in_part(gateway: Gateway, origin: ScriptedServer) -> None:
    for number, (name, body) in enumerate(MARKUP.items()):
        for ranges in (True, False):
            url = origin.serve(f"/{ranges}/{number}.png", body, ranges=ranges, Content_Type="image/png", ETag='"v1"')
            range_header = ("bytes=0-", "bytes=20-")[number % 2]
            assert failure(gateway, url, {"Range": range_header}) == "502 origin_not_image", name
    assert failure(gateway, url) == "502 origin_not_image"


def test_markup_is_refused_instead_of_a_redirect(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PAGE, Content_Disposition="attachment")

    assert [failure(gateway, url) for _ in range(2)] == ["502 origin_not_image"] * 2


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}, {"Transfer-Encoding": "chunked"}])
def test_an_empty_body_is_recognised_without_a_length(
    gateway: Gateway, origin: ScriptedServer, headers: dict[str, str]
) -> None:
    sent = answer(200, b"0\r\n\r\n" if "Transfer-Encoding" in headers else b"", headers)

    assert failure(gateway, origin.route("/v/cat.png", sent)) == "502 origin_empty"


def test_every_other_file_under_an_images_name_is_downloaded(gateway: Gateway, origin: ScriptedServer) -> None:
    for number, (name, body) in enumerate(OTHER_FILES.items()):
        response = gateway.get(origin.serve(f"/v/{number}.png", body))
        assert (response.status_code, response.data) == (200, body), name


def test_markup_where_no_image_is_expected_is_an_inert_download(gateway: Gateway, origin: ScriptedServer) -> None:
    for path, declared, body in [
        ("/v/page.html", "text/html", PAGE),
        ("/v/page", "text/html", PAGE),
        ("/v/1/drawing.svg", "image/svg+xml", SVG),
        ("/v/2/drawing.svg", "text/plain", SVG),
        ("/v/drawing", "image/svg+xml; charset=utf-8", SVG),
    ]:
        response = gateway.get(origin.serve(path, body, Content_Type=declared))
        assert (response.status_code, response.data) == (200, body), path
        assert response.headers["Content-Type"] == "application/octet-stream"


def test_a_setting_permits_markup_as_an_inert_download(origin: ScriptedServer) -> None:
    gateway = Gateway(make_settings(origin.address, allow_markup_as_image="true"))

    response = gateway.get(origin.serve("/v/cat.png", PAGE))

    assert (response.status_code, response.data) == (200, PAGE)
    assert response.headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("body", "text"), [(PAGE, "sent a web page"), (b"", "sent an empty file")], ids=["page", "empty"]
)
def test_the_error_page_names_the_failure_and_head_has_the_same_status(
    gateway: Gateway, origin: ScriptedServer, body: bytes, text: str
) -> None:
    link = gateway.link(origin.serve("/v/cat.png", body))

    page = gateway.client.get(link, headers={"Accept": "text/html"})

    assert page.status_code == gateway.client.head(link).status_code == 502
    assert text in page.text
    assert "Just a moment" not in page.text


@pytest.mark.parametrize("body", [PAGE, b""], ids=["page", "empty"])
def test_an_image_that_comes_at_the_next_attempt_is_delivered(
    gateway: Gateway, origin: ScriptedServer, body: bytes
) -> None:
    answers = iter([answer(200, body), answer(200, PNG)])

    response = gateway.get(origin.route("/v/cat.png", lambda _request: next(answers)))

    assert (response.status_code, response.data) == (200, PNG)


def test_any_range_of_an_empty_file_that_is_no_image_gives_the_empty_file(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    for ranges in (True, False):
        url = origin.serve(f"/v/{ranges}.txt", b"", ranges=ranges, Content_Type="text/plain")
        for range_header in ("", "bytes=0-", "bytes=0-0", "bytes=-5", "bytes=100-"):
            response = gateway.get(url, {"Range": range_header} if range_header else {})
            assert (response.status_code, response.data) == (200, b""), range_header
            assert response.headers["Content-Length"] == "0"
            assert response.headers["Content-Type"] == "application/octet-stream"


def test_an_unrequested_206_of_the_whole_file_is_downloaded(gateway: Gateway, origin: ScriptedServer) -> None:
    headers = {"Content-Range": f"bytes 0-{len(PNG) - 1}/{len(PNG)}", "ETag": '"v1"'}

    response = gateway.get(origin.route("/v/cat.png", answer(206, PNG, headers)))

    assert (response.status_code, response.data) == (200, PNG)
    assert response.headers["Content-Length"] == str(len(PNG))
