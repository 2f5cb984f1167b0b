"""Odd URLs, links and files through the whole server; each kind has a table of cases in-process."""

import gzip
import time
from contextlib import suppress
from http.client import IncompleteRead
from threading import Thread

from tests.support.factories import PNG
from tests.support.live_gateway import LiveGateway
from tests.support.servers import ScriptedServer


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


def test_a_coded_file_arrives_decoded(live: LiveGateway, files: ScriptedServer) -> None:
    coded = gzip.compress(PNG)

    assert get(live, files.serve("/coded.png", coded, Content_Encoding="aws-chunked, x-gzip")) == (200, PNG)


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


def test_a_link_that_a_mail_program_damaged_is_mended(live: LiveGateway, files: ScriptedServer) -> None:
    damaged = live.path(files.serve("/v/mailed.png", PNG)).replace("&", "&amp;") + ">."

    response = live.exchange(f"GET {damaged} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())

    assert response.endswith(PNG)
