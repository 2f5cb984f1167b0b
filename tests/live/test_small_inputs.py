"""What origins and signed urls of the wild hold, against the live server: one case per promise."""

import gzip
import time
from contextlib import suppress
from http.client import IncompleteRead
from threading import Thread
from urllib.parse import quote

import pytest

from tests.support.factories import PNG
from tests.support.live_gateway import LiveGateway
from tests.support.servers import ScriptedServer, answer


def get(live: LiveGateway, url: str, **headers: str) -> tuple[int, bytes]:
    with live.visit() as visitor:
        visitor.request("GET", live.path(url), headers=headers)
        response = visitor.getresponse()
        return response.status, response.read()


def headers_of(live: LiveGateway, url: str, **fields: str) -> tuple[int, dict[str, str]]:
    with live.visit() as visitor:
        visitor.request("GET", live.path(url, **fields))
        response = visitor.getresponse()
        response.read()
        return response.status, dict(response.getheaders())


def test_a_url_is_fetched_exactly_as_it_was_signed(live: LiveGateway, files: ScriptedServer) -> None:
    files.serve("/v/%2c[1]|%zz.png", PNG)

    assert get(live, files.url("/v/%2c[1]|%zz.png?sig=a%3d")) == (200, PNG)
    assert files.seen[-1].target == "/v/%2c[1]|%zz.png?sig=a%3d"


def test_a_signed_url_with_a_space_and_other_letters_is_fetched_percent_encoded(
    live: LiveGateway, files: ScriptedServer
) -> None:
    files.serve("/v/%D0%BA%D0%BE%D1%82%201.png", PNG)

    assert get(live, files.url("/v/кот 1.png")) == (200, PNG)


def test_a_redirect_with_a_space_and_other_letters_is_followed(live: LiveGateway, files: ScriptedServer) -> None:
    files.serve("/v/caf%C3%A9%202.png", PNG)
    files.route("/moved.png", answer(302, b"", {"Location": "/v/café 2.png".encode().decode("latin-1")}))

    assert get(live, files.url("/moved.png")) == (200, PNG)


def test_a_redirect_to_a_special_use_name_is_refused(live: LiveGateway, files: ScriptedServer) -> None:
    files.route("/inside.png", answer(302, b"", {"Location": "http://metadata.google.internal/"}))

    status, told = get(live, files.url("/inside.png"))

    assert (status, told.split(b":")[0]) == (502, b"502 origin_unsafe")


def test_a_coded_file_arrives_decoded(live: LiveGateway, files: ScriptedServer) -> None:
    coded = gzip.compress(PNG)

    assert get(live, files.serve("/coded.png", coded, Content_Encoding="aws-chunked, x-gzip")) == (200, PNG)


def test_what_is_no_coding_changes_nothing(live: LiveGateway, files: ScriptedServer) -> None:
    url = files.serve("/plain.png", PNG, Content_Encoding="aws-chunked")

    assert get(live, url, Range="bytes=10-19") == (206, PNG[10:20])


def test_others_wait_for_nobody_who_decodes_a_bomb(live: LiveGateway, files: ScriptedServer) -> None:
    bomb = gzip.compress(PNG + bytes(100_000_000))
    url = files.serve("/bomb.png", bomb, Content_Encoding="gzip")
    received: list[int] = []

    def take() -> None:
        with live.visit() as visitor, suppress(IncompleteRead, ConnectionError):
            visitor.request("GET", live.path(url))
            response = visitor.getresponse()
            while part := response.read1(2**20):
                received.append(len(part))

    taker = Thread(target=take)
    taker.start()
    slowest_s = 0.0
    while taker.is_alive():
        began = time.monotonic()
        with live.visit() as visitor:
            visitor.request("GET", "/healthz")
            visitor.getresponse().read()
        slowest_s = max(slowest_s, time.monotonic() - began)
    taker.join()

    assert 2**20 < sum(received) < 100_000_000
    assert slowest_s < 2


def test_an_unasked_206_of_the_whole_file_is_the_file(live: LiveGateway, files: ScriptedServer) -> None:
    url = files.route("/206.png", answer(206, PNG, {"Content-Range": f"bytes 0-{len(PNG) - 1}/{len(PNG)}"}))

    assert get(live, url) == (200, PNG)


def test_no_bytes_where_an_image_is_expected_are_an_error(live: LiveGateway, files: ScriptedServer) -> None:
    status, told = get(live, files.serve("/none.png", b""))

    assert (status, told.split(b":")[0]) == (502, b"502 origin_empty")


def test_a_speculative_range_of_an_empty_file_is_answered_200(live: LiveGateway, files: ScriptedServer) -> None:
    assert get(live, files.serve("/empty.txt", b""), Range="bytes=0-") == (200, b"")


@pytest.mark.parametrize(
    ("filename", "plain", "full"),
    [
        ("CON .png", "_CON .png", None),
        ("семья 👨\u200d👩\u200d👧.png", None, "семья 👨\u200d👩\u200d👧.png"),
        ("\u202egnp.exe.png", "gnp.exe.png", None),
        ("\u3164.png", "download-task1234.png", None),
        ("котик é.png", "kotik e.png", "котик é.png"),
        ("ß" * 120 + ".png", "ss" * 120 + ".png", "ß" * 120 + ".png"),
    ],
    ids=["reserved", "joiners", "direction", "invisible", "transliterated", "long"],
)
def test_names_are_safe_whole_and_transliterated(
    live: LiveGateway, files: ScriptedServer, filename: str, plain: str | None, full: str | None
) -> None:
    status, headers = headers_of(live, files.serve("/named.png", PNG), filename=filename)
    disposition = headers["Content-Disposition"]

    assert status == 200
    assert plain is None or f'filename="{plain}"' in disposition
    assert full is None or f"filename*=UTF-8''{quote(full)}" in disposition


@pytest.mark.parametrize(
    ("head", "content_type", "name"),
    [
        (b"\0\0\0\x18ftypiso5\0\0\0\0iso5dash", "video/mp4", "file.mp4"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "image/avif", "file.avif"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "image/heic", "file.heic"),
        (b"\xff\xfb\x90\x64", "audio/mpeg", "file.mp3"),
        (b"PK\x03\x04", "application/zip", "file.zip"),
        (b"%PDF-1.7", "application/pdf", "file.pdf"),
    ],
    ids=["mp4", "avif", "heic", "mp3", "zip", "pdf"],
)
def test_an_images_extension_that_contradicts_the_bytes_is_corrected(
    live: LiveGateway, files: ScriptedServer, head: bytes, content_type: str, name: str
) -> None:
    status, headers = headers_of(live, files.serve("/file.png", head + bytes(100)))

    assert (status, headers["Content-Type"]) == (200, content_type)
    assert f'filename="{name}"' in headers["Content-Disposition"]


def test_a_page_where_an_image_is_expected_is_an_error(live: LiveGateway, files: ScriptedServer) -> None:
    status, told = get(live, files.serve("/page.png", b"<!doctype html><title>Sorry</title>"))

    assert (status, told.split(b":")[0]) == (502, b"502 origin_not_image")


def test_an_attachment_whose_name_is_raw_utf_8_is_one(live: LiveGateway, files: ScriptedServer) -> None:
    disposition = 'attachment; filename="кот Åà.png"'.encode().decode("latin-1")

    status, _headers = headers_of(live, files.serve("/raw.png", PNG, Content_Disposition=disposition))

    assert status == 302
