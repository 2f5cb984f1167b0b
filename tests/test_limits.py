"""How many downloads a visitor may begin in a minute."""

import pytest

from factories import Clock, make_link
from gateway.delivery.ask import Ask
from gateway.errors import RateLimited
from gateway.limits import DownloadLimit


@pytest.fixture
def clock() -> Clock:
    """Time at the beginning of a minute."""
    clock = Clock()
    clock.now = 1_800_000_000.0
    return clock


def begin(limit: DownloadLimit, visitor: str, count: int, first: int = 0) -> None:
    """Begin downloads of different files."""
    for number in range(first, first + count):
        limit.spend(Ask(visitor=visitor), make_link(task_id=f"task{number}"))


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
    monkeypatch.setattr("gateway.limits.MOST_VISITORS", 100)
    limit = DownloadLimit(1, clock=clock)
    begin(limit, "first", 1)

    for number in range(100):
        begin(limit, f"forged-{number}", 1)

    begin(limit, "first", 1, 1)
    with pytest.raises(RateLimited):
        begin(limit, "forged-99", 1, 1)
