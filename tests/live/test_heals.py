import pytest

from bench.reliability.heals import try_downloads

pytestmark = pytest.mark.slow

DOWNLOADS = 12


def test_downloads_whose_origin_is_cut_and_whose_direct_url_dies_arrive_as_they_are() -> None:
    tried = try_downloads(DOWNLOADS, size=10_000_000, at_once=4)

    assert tried.holds(DOWNLOADS), tried
    assert tried.count.refused == DOWNLOADS
