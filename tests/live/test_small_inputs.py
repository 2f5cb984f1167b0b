"""What origins and signed urls of the wild hold, against the live server: one case per promise."""

import gzip
import time
from contextlib import suppress
from http.client import IncompleteRead
from threading import Thread

from factories import PNG
from live import LiveGateway
from servers import ScriptedServer, answer


def get(live: LiveGateway, url: str, **headers: str) -> tuple[int, bytes]:
    with live.visit() as visitor:
        visitor.request("GET", live.path(url), headers=headers)
        response = visitor.getresponse()
        return response.status, response.read()


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
