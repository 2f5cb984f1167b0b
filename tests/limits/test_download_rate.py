"""Rate limit on downloads per visitor and minute."""

import pytest

from gateway.delivery.exchange import DownloadRequest
from gateway.errors import RateLimited
from gateway.limits.download_rate import GRANT_LIFE_S, DownloadRateLimiter
from gateway.links.link import Link
from tests.support.factories import Clock, make_link

CAT, DOG = make_link(url="https://origin.example/v/cat.png"), make_link(url="https://origin.example/v/dog.png")
CAT_OF_ANOTHER_PAGE = make_link(url=CAT.url, expires=(CAT.expires or 0) + 1)
MAILED, MAILED_TO_ANOTHER = make_link(id="mail-1"), make_link(id="mail-2")
UNSIGNED = make_link(url=CAT.url, signed=False)


@pytest.fixture
def clock() -> Clock:
    """Time at the beginning of a minute."""
    clock = Clock()
    clock.now = 1_800_000_000.0
    return clock


def begin(limit: DownloadRateLimiter, visitor: str, count: int, first: int = 0) -> None:
    """Begin downloads of different files."""
    for number in range(first, first + count):
        limit.spend(DownloadRequest(visitor=visitor), make_link(task_id=f"task{number}"))


def ask(link: Link, method: str = "GET", visitor: str = "one", **fields: str) -> tuple[DownloadRequest, Link]:
    """One request."""
    return DownloadRequest(method=method, visitor=visitor, **fields), link  # type: ignore[arg-type]  # one of the two methods


@pytest.mark.parametrize(
    ("requests", "spent"),
    [
        pytest.param([ask(CAT)], 1, id="a-download"),
        pytest.param([ask(CAT), ask(DOG)], 2, id="two-files"),
        pytest.param([ask(CAT)] * 5, 1, id="a-retry"),
        pytest.param([ask(CAT, range=f"bytes={part}000-") for part in range(16)], 1, id="sixteen-parts"),
        pytest.param([ask(CAT), ask(CAT, range="bytes=500-", if_range='"v1"')], 1, id="a-part-after-the-whole"),
        pytest.param([ask(CAT), ask(CAT, if_none_match='"v1"')], 1, id="a-revalidation"),
        pytest.param([ask(CAT, "HEAD")] * 3, 0, id="head"),
        pytest.param([ask(CAT, "HEAD"), ask(CAT), ask(CAT, "HEAD")], 1, id="head-before-and-after"),
        pytest.param([ask(UNSIGNED, "HEAD")], 1, id="head-unsigned"),
        pytest.param([ask(UNSIGNED, "HEAD"), ask(UNSIGNED)], 1, id="head-and-get-unsigned"),
        pytest.param([ask(CAT), ask(CAT_OF_ANOTHER_PAGE)], 2, id="the-same-file-by-another-page"),
        pytest.param([ask(MAILED), ask(MAILED_TO_ANOTHER)], 2, id="the-same-file-by-another-mail"),
        pytest.param([ask(CAT, visitor="another")] * 20, 0, id="another-visitor"),
        pytest.param([ask(CAT, visitor="another"), ask(CAT)], 1, id="a-link-used-by-another-visitor"),
    ],
)
def test_requests_count_once_per_visitor_and_link(
    clock: Clock, requests: list[tuple[DownloadRequest, Link]], spent: int
) -> None:
    limit = DownloadRateLimiter(20, clock=clock)

    for request, link in requests:
        limit.spend(request, link)

    assert 20 - left(limit, "one") == spent


@pytest.mark.parametrize(
    ("later_s", "spent"), [(GRANT_LIFE_S - 1, 0), (GRANT_LIFE_S + 1, 1)], ids=["within-ten-minutes", "after-them"]
)
def test_the_same_link_is_counted_once_in_ten_minutes(clock: Clock, later_s: int, spent: int) -> None:
    limit = DownloadRateLimiter(20, clock=clock)
    limit.spend(*ask(CAT))

    clock.now += later_s
    limit.spend(*ask(CAT))

    assert 20 - left(limit, "one") == spent


def test_a_refused_download_is_counted_when_it_is_accepted(clock: Clock) -> None:
    limit = DownloadRateLimiter(1, clock=clock)
    limit.spend(*ask(CAT))

    for _ in range(3):
        with pytest.raises(RateLimited):
            limit.spend(*ask(DOG))
    clock.now += 120
    limit.spend(*ask(DOG))

    assert left(limit, "one") == 0


def left(limit: DownloadRateLimiter, visitor: str) -> int:
    """How many downloads a visitor may still begin in this minute."""
    for number in range(1000):
        try:
            begin(limit, visitor, 1, 5000 + number)
        except RateLimited:
            return number
    raise AssertionError("there is no limit")


def test_a_download_is_accepted_after_retry_after(clock: Clock) -> None:
    limit = DownloadRateLimiter(10, clock=clock)
    begin(limit, "one", 10)

    for first in range(100, 1000, 100):
        with pytest.raises(RateLimited) as refused:
            begin(limit, "one", 11, first)
        clock.now += refused.value.retry_after_s
        begin(limit, "one", 1, 50 + first)


def test_no_sixty_seconds_have_many_more_downloads_than_allowed(clock: Clock) -> None:
    limit = DownloadRateLimiter(10, clock=clock)
    clock.now += 59
    begin(limit, "one", 10)

    clock.now += 2

    begin(limit, "one", 1, 100)
    with pytest.raises(RateLimited):
        begin(limit, "one", 1, 101)


def test_after_an_idle_minute_the_whole_limit_is_available(clock: Clock) -> None:
    limit = DownloadRateLimiter(10, clock=clock)
    begin(limit, "one", 10)

    clock.now += 120

    begin(limit, "one", 10, 100)


def test_grants_are_per_visitor(clock: Clock) -> None:
    limit = DownloadRateLimiter(1, clock=clock)
    begin(limit, "one", 1)

    begin(limit, "another", 1)
    begin(limit, "another", 1)

    with pytest.raises(RateLimited):
        begin(limit, "another", 1, first=1)


def test_the_least_recently_seen_visitors_are_evicted(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.limits.download_rate.MAX_VISITORS", 100)
    limit = DownloadRateLimiter(1, clock=clock)
    begin(limit, "first", 1)

    for number in range(100):
        begin(limit, f"forged-{number}", 1)

    begin(limit, "first", 1, 1)
    with pytest.raises(RateLimited):
        begin(limit, "forged-99", 1, 1)
