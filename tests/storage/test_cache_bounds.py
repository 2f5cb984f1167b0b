"""Caches are bounded in bytes, and what has expired goes."""

import gc
import tracemalloc
import weakref
from typing import Any, cast

from gateway.cache import EXPIRE_EVERY_S, MemoryCache, drop_expired
from gateway.provider.record_info import RecordInfoClient
from gateway.resolving.caching_resolver import CachingResolver
from gateway.services import build_services
from gateway.sources.remote import RemoteSource
from tests.support.factories import Clock, make_settings

MIB = 2**20


class Thing:
    """A value that tells when it is gone."""


def test_values_take_no_more_bytes_than_they_may(clock: Clock) -> None:
    cache: MemoryCache[bytes] = MemoryCache(1000, clock, max_bytes=100_000)

    for number in range(1000):
        cache.put((str(number),), bytes(10_000), clock.now + 60)

    kept = [number for number in range(1000) if cache.get((str(number),))]
    assert kept == list(range(991, 1000))


def test_long_keys_count_too(clock: Clock) -> None:
    cache: MemoryCache[bool] = MemoryCache(1000, clock, max_bytes=100_000)

    for number in range(1000):
        cache.put(("u" * 10_000 + str(number),), value=True, expires_at=clock.now + 60)

    assert sum(bool(cache.get(("u" * 10_000 + str(number),))) for number in range(1000)) == 9


def test_a_value_that_is_larger_than_the_cache_drives_nothing_out(clock: Clock) -> None:
    cache: MemoryCache[bytes] = MemoryCache(10, clock, max_bytes=100_000)
    cache.put(("small",), b"x", clock.now + 60)

    cache.put(("large",), bytes(200_000), clock.now + 60)

    assert (cache.get(("small",)), cache.get(("large",))) == (b"x", None)


def test_what_was_replaced_or_forgotten_takes_no_room(clock: Clock) -> None:
    cache: MemoryCache[bytes] = MemoryCache(10, clock, max_bytes=100_000)
    cache.put(("first",), bytes(50_000), clock.now + 60)
    for _ in range(10):
        cache.put(("other",), bytes(40_000), clock.now + 60)
        cache.delete(("other",))
        cache.put(("first",), bytes(50_000), clock.now + 60)

    assert cache.get(("first",))


def test_what_has_expired_goes_when_others_are_put(clock: Clock) -> None:
    cache: MemoryCache[Thing] = MemoryCache(1000, clock)
    thing = Thing()
    gone = weakref.ref(thing)
    cache.put(("old",), thing, clock.now + 1)
    del thing

    clock.now += EXPIRE_EVERY_S
    cache.put(("new",), Thing(), clock.now + 1)

    assert gone() is None


def test_what_has_expired_goes_with_time_though_nobody_asks(clock: Clock) -> None:
    services = build_services(make_settings(), clock=clock)
    cache: MemoryCache[Thing] = MemoryCache(1000, clock)
    thing = Thing()
    gone = weakref.ref(thing)
    cache.put(("old",), thing, clock.now + 1)
    del thing

    clock.now += 2
    services.background.tick()

    assert gone() is None


class LargeRecords:
    """A provider whose records have 60 KB."""

    def record_info(self, task_id: str) -> dict[str, object]:
        return {"taskId": task_id, "response": {"resultUrls": [f"https://a.example/{task_id}/{'x' * 60_000}"]}}


def test_records_of_many_tasks_that_are_asked_for_leave_little_behind(clock: Clock) -> None:
    infos = RecordInfoClient(cast("Any", LargeRecords()), clock)
    tracemalloc.start()
    try:
        for number in range(500):  # 30 MB
            infos.find(f"task{number}")
        while_known, _ = tracemalloc.get_traced_memory()
        clock.now += 2
        drop_expired()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert while_known < 12 * MIB
    assert after < 2 * MIB


class LongUrls:
    """Makes sources whose direct URLs have 7 KB."""

    def resolve(self, task_id: str, url: str) -> RemoteSource:
        return RemoteSource(cast("Any", None), f"{url}?{task_id}{'s' * 7000}", 2e9, sendable=True)


def test_sources_with_long_urls_are_bounded_in_bytes(clock: Clock) -> None:
    clock.now = 1e9
    resolver = CachingResolver(LongUrls(), 0, clock)
    tracemalloc.start()
    try:
        for number in range(8000):  # 56 MB
            resolver._resolve((f"task{number}", "https://a.example/cat.png"), 0)  # noqa: SLF001 (without a thread each)
        known, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert known < 40 * MIB
