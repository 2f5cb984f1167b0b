"""The API reference in a browser: readable by everybody, on every device, with and without scripts."""

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browsers import NARROW, assert_fits, assert_keeps_nobody_out, complaints_of
from tests.support.live_gateway import LiveGateway, live_gateway

pytestmark = pytest.mark.slow
PATHS = ["/docs", "/docs/create-link", "/docs/download", "/docs/links"]


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


def test_the_navigation_leads_to_each_call_and_marks_the_current_one(page: Page, live: LiveGateway) -> None:
    page.goto(f"{live.url}/docs")

    page.click("nav >> text=Create a link")

    assert page.url.endswith("/docs/create-link")
    assert page.inner_text("nav [aria-current=page]") == "Create a link"


@pytest.mark.parametrize("javascript", [True, False])
def test_languages_are_tabs_with_and_without_scripts(chromium: Browser, live: LiveGateway, *, javascript: bool) -> None:
    with chromium.new_context(java_script_enabled=javascript) as context:
        page = context.new_page()
        page.goto(f"{live.url}/docs/create-link")

        assert page.locator(".tabs pre:visible").all_inner_texts()[0].startswith("curl ")
        page.get_by_role("radio", name="curl").focus()
        page.keyboard.press("ArrowRight")
        assert page.locator(".tabs pre:visible").all_inner_texts()[0].startswith("import os")
        page.click("label >> text=Node.js")
        (visible,) = page.locator(".tabs pre:visible").all_inner_texts()
        assert visible.startswith("const response")


def test_the_chosen_language_is_kept_for_the_next_page(page: Page, live: LiveGateway) -> None:
    page.goto(f"{live.url}/docs/create-link")
    page.click("label >> text=Python")

    page.goto(f"{live.url}/docs/get-record")

    assert page.get_by_role("radio", name="Python").is_checked()


def test_a_button_copies_the_code(chromium: Browser, live: LiveGateway) -> None:
    with chromium.new_context(permissions=["clipboard-read", "clipboard-write"]) as context:
        page = context.new_page()
        page.goto(f"{live.url}/docs/download")

        page.locator(".tabs").get_by_role("button", name="Copy").click()

        page.get_by_role("button", name="Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == 'curl --fail -OJL "$LINK"'


def test_without_scripts_there_is_no_button(chromium: Browser, live: LiveGateway) -> None:
    with chromium.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{live.url}/docs/download")

        assert page.get_by_role("button").count() == 0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_keeps_people_out(
    chromium: Browser, live: LiveGateway, scheme: Literal["light", "dark"], path: str
) -> None:
    with chromium.new_context(color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(live.url + path)

        assert_keeps_nobody_out(page)


@pytest.mark.parametrize("path", PATHS)
def test_a_narrow_phone_shows_everything_without_scrolling_sideways(
    chromium: Browser, live: LiveGateway, path: str
) -> None:
    with chromium.new_context(viewport={"width": NARROW, "height": 640}, is_mobile=True) as context:
        page = context.new_page()
        page.goto(live.url + path)

        assert_fits(page, NARROW)
