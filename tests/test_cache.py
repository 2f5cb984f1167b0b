"""A value is there until it expires, is deleted, or is evicted."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.cache import MemoryCache
from tests.support.factories import Clock


@pytest.fixture
def cache(clock: Clock) -> MemoryCache[str]:
    """Room for three."""
    return MemoryCache(3, clock)


def test_nothing_is_there_at_first(cache: MemoryCache[str]) -> None:
    assert cache.get(("a",)) is None


def test_a_value_is_there_by_its_whole_key(cache: MemoryCache[str], clock: Clock) -> None:
    cache.put(("a", "b"), "value", clock.now + 1)

    assert cache.get(("a", "b")) == "value"
    assert cache.get(("a",)) is None
    assert cache.get(("ab",)) is None
    assert cache.get(("b", "a")) is None


def test_a_value_is_there_until_its_time_and_not_a_moment_longer(cache: MemoryCache[str], clock: Clock) -> None:
    until = clock.now + 10
    cache.put(("a",), "value", until)

    clock.now = until - 0.001
    assert cache.get(("a",)) == "value"

    clock.now = until
    assert cache.get(("a",)) is None


def test_a_value_does_not_come_back_when_the_clock_is_set_back(cache: MemoryCache[str], clock: Clock) -> None:
    cache.put(("a",), "value", clock.now + 10)
    clock.now += 10
    assert cache.get(("a",)) is None

    clock.now -= 10

    assert cache.get(("a",)) is None


def test_a_value_put_again_replaces_value_and_time(cache: MemoryCache[str], clock: Clock) -> None:
    cache.put(("a",), "old", clock.now + 10)
    cache.put(("a",), "new", clock.now + 100)

    clock.now += 50

    assert cache.get(("a",)) == "new"


def test_reading_does_not_lengthen_the_time(cache: MemoryCache[str], clock: Clock) -> None:
    cache.put(("a",), "value", clock.now + 10)
    for _ in range(9):
        clock.now += 1
        assert cache.get(("a",)) == "value"

    clock.now += 1

    assert cache.get(("a",)) is None


def test_the_least_recently_used_goes_when_it_is_full(cache: MemoryCache[str], clock: Clock) -> None:
    for key in "abc":
        cache.put((key,), key, clock.now + 10)
    cache.get(("a",))

    cache.put(("d",), "d", clock.now + 10)

    assert [cache.get((key,)) for key in "abcd"] == ["a", None, "c", "d"]


def test_putting_a_known_key_pushes_nobody_out(cache: MemoryCache[str], clock: Clock) -> None:
    for key in "abccc":
        cache.put((key,), key, clock.now + 10)

    assert [cache.get((key,)) for key in "abc"] == ["a", "b", "c"]


def test_it_never_holds_more_than_it_may(clock: Clock) -> None:
    cache: MemoryCache[int] = MemoryCache(10, clock)
    for number in range(1000):
        cache.put((str(number),), number, clock.now + 10)

    kept = [number for number in range(1000) if cache.get((str(number),)) is not None]

    assert kept == list(range(990, 1000))


def test_a_forgotten_value_is_gone_and_the_others_stay(cache: MemoryCache[str], clock: Clock) -> None:
    cache.put(("a",), "a", clock.now + 10)
    cache.put(("b",), "b", clock.now + 10)

    cache.delete(("a",))
    cache.delete(("never there",))

    assert cache.get(("a",)) is None
    assert cache.get(("b",)) == "b"


@pytest.mark.parametrize("value", [0, False, "", (), 0.0], ids=repr)
def test_a_value_may_be_false_in_itself(clock: Clock, value: object) -> None:
    cache: MemoryCache[object] = MemoryCache(1, clock)
    cache.put(("a",), value, clock.now + 10)

    assert cache.get(("a",)) == value
    assert cache.get(("a",)) is not None


def test_many_threads_may_use_it_at_once(clock: Clock) -> None:
    cache: MemoryCache[int] = MemoryCache(5, clock)

    def use(number: int) -> bool:
        key = (str(number % 11),)
        cache.put(key, number % 11, clock.now + number % 2)
        seen = cache.get(key)
        cache.delete((str(number % 7),))
        return seen in {None, number % 11}

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(2000)))
