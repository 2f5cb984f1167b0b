"""A link's path may end with a file name, which the signature does not cover and nothing else depends on."""

from urllib.parse import quote

import pytest

from gateway.links.link import Link
from gateway.links.signer import LONGEST_PATH, LinkSigner, path_name
from tests.support.factories import PNG, SECRET, Gateway
from tests.support.servers import ScriptedServer

URL = "https://origin.example/v/cat.png"


@pytest.fixture
def image(origin: ScriptedServer) -> str:
    return origin.serve("/v/cat.png", PNG, Content_Type="image/png")


def renamed(link: str, segment: str) -> str:
    """The same link, with another last segment in its path, or none."""
    path, _, query = link.partition("?")
    return f"{path.removesuffix('/cat.png')}{segment}?{query}"


def test_a_minted_link_ends_its_path_with_the_files_name(gateway: Gateway) -> None:
    assert gateway.link(URL).startswith("/download/task12345/cat.png?url=")


def test_a_link_gives_the_same_file_under_any_name_in_its_path(gateway: Gateway, image: str) -> None:
    for segment in (
        "",
        "/cat.png",
        "/dog.exe",
        "/%D0%BA%D0%BE%D1%82%20%F0%9F%90%88.png",
        "/a%0Ab",
        "/%00",
        "/%ff",
        "/a&b",
    ):
        link = gateway.link(image, mode="stream")
        response = gateway.client.get(renamed(link, segment))
        assert (response.status_code, response.data) == (200, PNG)
        assert response.headers["Content-Disposition"] == "attachment; filename=\"cat.png\"; filename*=UTF-8''cat.png"


def test_a_name_in_the_path_saves_no_altered_link(gateway: Gateway, image: str) -> None:
    link = gateway.link(image, mode="stream")

    assert gateway.client.get(link.replace("task12345", "task12346")).status_code == 403
    assert gateway.client.get(link.replace("mode=stream", "mode=auto")).status_code == 403


def test_every_answer_is_the_same_with_a_name_in_the_path(gateway: Gateway) -> None:
    for path in (
        "/download/task12345/cat.png",
        "/download/task12345",
    ):
        assert gateway.client.get(path).status_code == 200
        assert gateway.client.get(f"{path}?sig=x").status_code == 403
        assert gateway.client.head(f"{path}?sig=x").status_code == 403
        assert gateway.client.options(path).status_code == 204
        assert gateway.client.post(path).status_code == 405


def test_the_name_is_the_signed_one_or_the_urls() -> None:
    for url, filename, name in (
        (URL, None, "cat.png"),
        (URL, "Кот & Co.png", "Кот & Co.png"),
        (URL, "a/b.png", "b.png"),
        (URL, "..", ""),
        (URL, "я" * 128, ""),
        ("https://origin.example/v/%D0%BA%D0%BE%D1%82.png?x=/a#/b", None, "кот.png"),
        ("https://origin.example/a%2Fb.png", None, "b.png"),
        ("https://origin.example/v/", None, ""),
        ("https://origin.example/%2e%2E", None, ""),
        ("https://origin.example", None, ""),
        ("https://[broken/v/cat.png", None, "cat.png"),
        ("gateway:cat.png", None, "cat.png"),
    ):
        assert path_name(Link("task12345", url, 1_900_000_000, filename=filename)) == name


def test_a_link_that_would_be_too_long_with_its_name_goes_without() -> None:
    signer = LinkSigner([SECRET])
    url, name = f"https://origin.example/{'я' * 1150}", "я" * 127

    link = signer.mint("task12345", url, filename=name)

    assert link.startswith("/download/task12345?url=")
    assert LONGEST_PATH - len(quote(name)) < len(link) <= LONGEST_PATH
