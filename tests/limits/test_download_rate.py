"""How many downloads a visitor may begin in a minute."""

import pytest

from gateway.delivery.exchange import DownloadRequest
from gateway.errors import RateLimited
from gateway.limits.download_rate import GRANT_LIFE_S, DownloadLimit
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


def begin(limit: DownloadLimit, visitor: str, count: int, first: int = 0) -> None:
    """Begin downloads of different files."""
    for number in range(first, first + count):
        limit.spend(DownloadRequest(visitor=visitor), make_link(task_id=f"task{number}"))


def asks(link: Link, method: str = "GET", visitor: str = "one", **fields: str) -> tuple[DownloadRequest, Link]:
    """One request."""
    return DownloadRequest(method=method, visitor=visitor, **fields), link  # type: ignore[arg-type]  # one of the two methods


@pytest.mark.parametrize(
    ("requests", "spent"),
    [
        pytest.param([asks(CAT)], 1, id="a-download"),
        pytest.param([asks(CAT), asks(DOG)], 2, id="two-files"),
        pytest.param([asks(CAT)] * 5, 1, id="a-browser-that-tries-again"),
        pytest.param([asks(CAT, range=f"bytes={part}000-") for part in range(16)], 1, id="sixteen-parts"),
        pytest.param([asks(CAT), asks(CAT, range="bytes=500-", if_range='"v1"')], 1, id="a-part-after-the-whole"),
        pytest.param([asks(CAT), asks(CAT, if_none_match='"v1"')], 1, id="asking-whether-it-has-changed"),
        pytest.param([asks(CAT, "HEAD")] * 3, 0, id="looking"),
        pytest.param([asks(CAT, "HEAD"), asks(CAT), asks(CAT, "HEAD")], 1, id="looking-before-and-after"),
        pytest.param([asks(UNSIGNED, "HEAD")], 1, id="looking-at-what-nobody-signed"),
        pytest.param([asks(UNSIGNED, "HEAD"), asks(UNSIGNED)], 1, id="and-then-downloading-it"),
        pytest.param([asks(CAT), asks(CAT_OF_ANOTHER_PAGE)], 2, id="the-same-file-by-another-page"),
        pytest.param([asks(MAILED), asks(MAILED_TO_ANOTHER)], 2, id="the-same-file-by-another-mail"),
        pytest.param([asks(CAT, visitor="another")] * 20, 0, id="what-others-do"),
        pytest.param([asks(CAT, visitor="another"), asks(CAT)], 1, id="a-link-that-another-has-used"),
    ],
)
def test_one_download_is_spent_for_a_visitor_and_a_link(
    clock: Clock, requests: list[tuple[DownloadRequest, Link]], spent: int
) -> None:
    limit = DownloadLimit(20, clock=clock)

    for ask, link in requests:
        limit.spend(ask, link)

    assert 20 - left(limit, "one") == spent


@pytest.mark.parametrize(
    ("later_s", "spent"), [(GRANT_LIFE_S - 1, 0), (GRANT_LIFE_S + 1, 1)], ids=["within-ten-minutes", "after-them"]
)
def test_coming_back_with_the_same_link_is_free_for_ten_minutes(clock: Clock, later_s: int, spent: int) -> None:
    limit = DownloadLimit(20, clock=clock)
    limit.spend(*asks(CAT))

    clock.now += later_s
    limit.spend(*asks(CAT))

    assert 20 - left(limit, "one") == spent


def test_what_was_refused_is_spent_when_it_is_let_in(clock: Clock) -> None:
    limit = DownloadLimit(1, clock=clock)
    limit.spend(*asks(CAT))

    for _ in range(3):
        with pytest.raises(RateLimited):
            limit.spend(*asks(DOG))
    clock.now += 120
    limit.spend(*asks(DOG))

    assert left(limit, "one") == 0


def left(limit: DownloadLimit, visitor: str) -> int:
    """How many downloads a visitor may still begin in this minute."""
    for number in range(1000):
        try:
            begin(limit, visitor, 1, 5000 + number)
        except RateLimited:
            return number
    raise AssertionError("there is no limit")


def test_who_waits_as_long_as_was_said_may_go_on(clock: Clock) -> None:
    limit = DownloadLimit(10, clock=clock)
    begin(limit, "one", 10)

    for first in range(100, 1000, 100):
        with pytest.raises(RateLimited) as refused:
            begin(limit, "one", 11, first)
        clock.now += refused.value.retry_after_s
        begin(limit, "one", 1, 50 + first)


def test_no_sixty_seconds_have_many_more_downloads_than_allowed(clock: Clock) -> None:
    limit = DownloadLimit(10, clock=clock)
    clock.now += 59
    begin(limit, "one", 10)

    clock.now += 2

    begin(limit, "one", 1, 100)
    with pytest.raises(RateLimited):
        begin(limit, "one", 1, 101)


def test_a_minute_without_downloads_gives_all_of_them_back(clock: Clock) -> None:
    limit = DownloadLimit(10, clock=clock)
    begin(limit, "one", 10)

    clock.now += 120

    begin(limit, "one", 10, 100)


def test_a_grant_is_one_visitors(clock: Clock) -> None:
    limit = DownloadLimit(1, clock=clock)
    begin(limit, "one", 1)

    begin(limit, "another", 1)
    begin(limit, "another", 1)

    with pytest.raises(RateLimited):
        begin(limit, "another", 1, first=1)


def test_of_visitors_without_end_only_the_latest_are_remembered(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.limits.download_rate.MOST_VISITORS", 100)
    limit = DownloadLimit(1, clock=clock)
    begin(limit, "first", 1)

    for number in range(100):
        begin(limit, f"forged-{number}", 1)

    begin(limit, "first", 1, 1)
    with pytest.raises(RateLimited):
        begin(limit, "forged-99", 1, 1)
