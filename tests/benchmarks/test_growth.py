from statistics import median

import pytest

from bench.growth.urls import ask

pytestmark = pytest.mark.slow


def test_urls_come_from_the_store_first_and_from_memory_again() -> None:
    first, again = ask(40)

    assert len(first) == len(again) == 40
    assert median(again) < median(first) / 10
