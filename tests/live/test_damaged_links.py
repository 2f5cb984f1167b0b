"""Links as mail programs and chats bring them, against a running gateway."""

import pytest
import requests

from tests.support.factories import PNG
from tests.support.live_gateway import LiveGateway
from tests.support.servers import ScriptedServer

PREVIEWER = "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)"


@pytest.mark.parametrize("after", [".", ")", ">", ",", '"'])
def test_punctuation_after_a_link_does_no_harm(live: LiveGateway, files: ScriptedServer, after: str) -> None:
    link = live.url + live.path(files.serve("/v/cat.png", PNG)) + after

    assert requests.get(link, timeout=10).content == PNG


def test_ampersands_copied_from_html_are_understood(live: LiveGateway, files: ScriptedServer) -> None:
    link = live.url + live.path(files.serve("/v/cat.png", PNG)).replace("&", "&amp;")

    assert requests.get(link, timeout=10).content == PNG


def test_a_link_in_quoted_printable_gets_a_page_that_says_so(live: LiveGateway, files: ScriptedServer) -> None:
    link = live.url + live.path(files.serve("/v/cat.png", PNG)).replace("=", "=3D")

    refused = requests.get(link, headers={"Accept": "text/html"}, timeout=10)

    assert (refused.status_code, "link_damaged" in refused.text) == (403, True)


@pytest.mark.parametrize("task_id", ["_abc", "-Xk3_9", "task:12345"])
def test_every_task_id_that_a_path_carries_can_be_in_a_link(
    live: LiveGateway, files: ScriptedServer, task_id: str
) -> None:
    assert requests.get(live.link(files.serve("/v/cat.png", PNG), task_id), timeout=10).content == PNG


def test_a_previewer_gets_a_page_and_the_origin_is_not_asked(live: LiveGateway, files: ScriptedServer) -> None:
    link = live.url + live.path(files.serve("/v/previewed.png", PNG))

    page = requests.get(link, headers={"User-Agent": PREVIEWER}, timeout=10)

    assert (page.status_code, page.headers["Content-Type"].partition(";")[0]) == (200, "text/html")
    assert "/v/previewed.png" not in files.paths()
