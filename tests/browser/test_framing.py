"""What a browser shows of the gateway inside a page of another origin."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from gateway.demo.catalogue import IMAGES
from tests.support.live_gateway import live_gateway
from tests.support.servers import ScriptedServer, answer

pytestmark = pytest.mark.slow

HTML = {"Content-Type": "text/html"}
PATIENCE_MS = 10_000


@pytest.fixture
def shop() -> Iterator[ScriptedServer]:
    """Whose pages frame and embed."""
    with ScriptedServer() as server:
        yield server


@pytest.mark.parametrize("listed", [True, False])
def test_a_frame_shows_an_error_page_to_listed_origins_alone(
    chromium: Browser, shop: ScriptedServer, tmp_path: Path, *, listed: bool
) -> None:
    ancestors = shop.url("") if listed else ""
    with live_gateway(tmp_path, shop.address, frame_ancestors=ancestors) as gateway, chromium.new_context() as context:
        expired = gateway.link(shop.url("/cat.png"), lifetime_s=-60)
        shop.route("/page", answer(200, f'<iframe src="{escape(expired)}"></iframe>'.encode(), HTML))
        page = context.new_page()
        page.goto(shop.url("/page"), wait_until="networkidle")

        (frame,) = [frame for frame in page.frames if frame is not page.main_frame]
        assert ("410" in frame.content()) is listed


@pytest.mark.parametrize(("policy", "shown"), [("same-origin", False), ("cross-origin", True)])
def test_an_image_element_shows_a_stream_where_the_resource_policy_allows_it(
    chromium: Browser, shop: ScriptedServer, tmp_path: Path, policy: str, *, shown: bool
) -> None:
    image = shop.serve("/nebula.jpg", (IMAGES / "nebula.jpg").read_bytes(), Content_Type="image/jpeg")
    settings = {"cross_origin_resource_policy": policy}
    with live_gateway(tmp_path, shop.address, **settings) as gateway, chromium.new_context() as context:
        shop.route("/page", answer(200, f'<img src="{escape(gateway.link(image))}">'.encode(), HTML))
        page = context.new_page()
        page.goto(shop.url("/page"), wait_until="load", timeout=PATIENCE_MS)

        assert page.evaluate("document.images[0].naturalWidth > 0") is shown


def test_a_link_in_a_frame_downloads_the_file(chromium: Browser, shop: ScriptedServer, tmp_path: Path) -> None:
    image = (IMAGES / "nebula.jpg").read_bytes()
    url = shop.serve("/nebula.jpg", image, Content_Type="image/jpeg")
    with live_gateway(tmp_path, shop.address) as gateway, chromium.new_context() as context:
        shop.route("/page", answer(200, f'<iframe src="{escape(gateway.link(url))}"></iframe>'.encode(), HTML))
        page = context.new_page()
        with page.expect_download(timeout=PATIENCE_MS) as download:
            page.goto(shop.url("/page"))

        assert download.value.path().read_bytes() == image
