"""The API reference in a browser: readable by everybody, on everything, without a script."""

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browsers import NARROW, assert_fits, assert_keeps_nobody_out, complaints_of
from tests.support.live_gateway import LiveGateway, live_gateway

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    with live_gateway(tmp_path_factory.mktemp("gateway"), "origin.example") as gateway:
        yield gateway


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with chromium.new_page() as page:
        yield page


def test_it_loads_without_a_complaint_of_the_browsers(page: Page, live: LiveGateway) -> None:
    complaints = complaints_of(page)

    page.goto(f"{live.url}/docs", wait_until="networkidle")

    assert complaints == []
    assert page.inner_text("h1") == "API reference"


def test_without_scripts_it_is_the_same_page(chromium: Browser, page: Page, live: LiveGateway) -> None:
    page.goto(f"{live.url}/docs")
    with chromium.new_context(java_script_enabled=False) as context:
        plain = context.new_page()
        plain.goto(f"{live.url}/docs")

        assert plain.inner_text("main") == page.inner_text("main")


def test_the_list_of_calls_leads_to_each_call(page: Page, live: LiveGateway) -> None:
    page.goto(f"{live.url}/docs")

    page.click("nav >> text=Mint a link")

    assert page.url.endswith("#mint-link")
    assert page.locator("#mint-link").bounding_box() is not None
    assert 0 <= page.evaluate("document.querySelector('#mint-link').getBoundingClientRect().top") < 100


def test_the_fields_of_an_answer_unfold(page: Page, live: LiveGateway) -> None:
    page.goto(f"{live.url}/docs")
    field = page.locator("#mint-link >> text=data.expiresAt")

    assert not field.is_visible()
    page.click("#mint-link summary")
    assert field.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_keeps_people_out(
    chromium: Browser, live: LiveGateway, scheme: Literal["light", "dark"]
) -> None:
    with chromium.new_context(color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(f"{live.url}/docs")
        page.eval_on_selector_all("details", "all => all.forEach(each => each.open = true)")

        assert_keeps_nobody_out(page)


def test_a_narrow_phone_shows_everything_without_scrolling_sideways(chromium: Browser, live: LiveGateway) -> None:
    with chromium.new_context(viewport={"width": NARROW, "height": 640}, is_mobile=True) as context:
        page = context.new_page()
        page.goto(f"{live.url}/docs")
        page.eval_on_selector_all("details", "all => all.forEach(each => each.open = true)")

        assert_fits(page, NARROW)
