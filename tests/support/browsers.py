"""A real browser, as it comes, and what is asked of every page in it."""

from collections.abc import Iterator
from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NARROW = 320


@contextmanager
def running_chromium(path: str) -> Iterator[Browser]:
    """Chromium without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


def complaints_of(page: Page) -> list[str]:
    """What the browser has to complain of from now on; the list grows."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    page.on("response", lambda response: complaints.extend([response.url] if response.status >= 400 else []))
    return complaints


def assert_keeps_nobody_out(page: Page) -> None:
    """Hold a page to what axe knows of people who see, hear or point otherwise."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def assert_fits(page: Page, width: int) -> None:
    """Hold a page to a width, so that nobody has to scroll sideways."""
    wide, seen = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    right_edges = page.eval_on_selector_all(
        "body *", "elements => elements.map(element => element.getBoundingClientRect().right)"
    )

    assert seen == width
    assert wide <= seen
    assert max(right_edges) <= width
