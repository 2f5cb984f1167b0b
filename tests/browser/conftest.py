"""One browser for the tests of a module."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browsers import running_chromium
from tests.support.machine import needs


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Chromium, which the machine must have."""
    with running_chromium(needs("chromium")) as browser:
        yield browser
