"""Sources are cached, concurrent requests share one call, and a failure is remembered for some seconds."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TypeVar

import pytest

from gateway.egress.client import Client
from gateway.egress.dns_lookup import DnsLookup
from gateway.egress.guard import Guard
from gateway.errors import (
    DatabaseDown,
    DirectUrlRefused,
    GatewayError,
    ImageNotFound,
    ImageUnavailable,
    OriginRefused,
    ProviderBusy,
    ProviderFailed,
    ProviderGarbled,
    ProviderMaintenance,
    ProviderPaused,
    ProviderTimeout,
    ProviderUnauthorized,
    RecordNotReady,
    RecordTooOld,
    StillPreparing,
)
from gateway.resolving.caching_resolver import MAX_FAILURE_TTL_S, MAX_RENEWALS, MIN_STALE_LIFE_S, CachingResolver
from gateway.sources.base import Source
from gateway.sources.remote import RemoteSource
from tests.support.factories import Clock
from tests.support.real_logs import lines, real_logs

TASK, URL = "task12345", "https://cdn.example/v/cat.png"
MIN_LIFE_S = 120
LIFE_S = 1200
MANY = 200

Value = TypeVar("Value")


class Provider:
    """Makes a new source at each call, or fails as a test says."""

    def __init__(self, clock: Clock, client: Client) -> None:
        self.calls: list[tuple[str, str]] = []
        self.life_s = float(LIFE_S)
        self.failure: Exception | None = None
        self.takes_s = 0.0
        self._clock = clock
        self._client = client

    def resolve(self, task_id: str, url: str) -> Source:
        """Make a source."""
        self.calls.append((task_id, url))
        time.sleep(self.takes_s)
        if self.failure is not None:
            raise self.failure
        direct_url = f"https://bucket.example/{len(self.calls)}"
        return RemoteSource(self._client, direct_url, self._clock() + self.life_s, sendable=True)


@pytest.fixture(scope="module")
def client() -> Client:
    return Client(Guard([]), DnsLookup())


@pytest.fixture
def converter(clock: Clock, client: Client) -> Provider:
    return Provider(clock, client)


@pytest.fixture
def resolver(converter: Provider, clock: Clock) -> CachingResolver:
    return CachingResolver(converter, MIN_LIFE_S, clock)


def failing(resolver: CachingResolver, url: str = URL) -> GatewayError:
    with pytest.raises(GatewayError) as failure:
        resolver.resolve(TASK, url)
    return failure.value


# --- what is known


def test_sources_of_different_tasks_and_urls_are_not_mixed(resolver: CachingResolver, converter: Provider) -> None:
    asked = [(TASK, URL), ("task2", URL), (TASK, URL + "x"), ("task2", URL + "x")]

    sources = {resolver.resolve(*key) for key in asked}

    assert len(sources) == 4
    assert converter.calls == asked


def test_a_source_is_reused_until_it_has_too_little_life_left(
    resolver: CachingResolver, converter: Provider, clock: Clock
) -> None:
    first = resolver.resolve(TASK, URL)
    clock.now += LIFE_S - MIN_LIFE_S - 1
    assert resolver.resolve(TASK, URL) is first
    assert len(converter.calls) == 1
    clock.now += 1

    second = resolver.resolve(TASK, URL)

    assert second is not first
    assert second.expires_at - clock.now == LIFE_S
    assert len(converter.calls) == 2


def test_a_short_lived_source_is_logged_without_its_url(resolver: CachingResolver, converter: Provider) -> None:
    for life_s in (MIN_LIFE_S - 1, MIN_LIFE_S - 20, 1, 0, -10_000):
        converter.life_s = life_s
        with real_logs() as written:
            first, second = resolver.resolve(TASK, URL), resolver.resolve(TASK, URL)

        logged = lines(written)
        assert first is not second
        assert {(line["event"], line["level"], line["life_s"]) for line in logged} == {
            ("short_lived_source", "warning", life_s)
        }
        assert "bucket.example" not in str(logged)


def test_a_source_that_lives_long_enough_is_not_logged(resolver: CachingResolver) -> None:
    with real_logs() as written:
        resolver.resolve(TASK, URL)

    assert lines(written) == []


# --- when no new source can be obtained

TEMPORARY = [
    ProviderFailed("500"),
    ProviderTimeout("slow"),
    ProviderBusy("429"),
    ProviderMaintenance("455"),
    ProviderPaused("open"),
    ProviderGarbled("page"),
    ProviderUnauthorized("401"),
    DatabaseDown("gone"),
]


def test_a_source_that_soon_expires_is_used_on_while_it_cannot_be_replaced(
    resolver: CachingResolver, converter: Provider, clock: Clock
) -> None:
    for failure in TEMPORARY:
        first = resolver.resolve(TASK, URL)
        calls = len(converter.calls)
        converter.failure = failure
        clock.now += LIFE_S - MIN_LIFE_S

        assert {id(resolver.resolve(TASK, URL)) for _ in range(5)} == {id(first)}, failure
        assert len(converter.calls) == calls + 1, failure

        converter.failure = None
        clock.now += MAX_FAILURE_TTL_S
        assert resolver.resolve(TASK, URL) is not first, failure


@pytest.mark.parametrize("failure", [ImageNotFound("404"), ImageUnavailable("451"), RecordTooOld("422")])
def test_a_definite_error_ends_the_use_of_the_cached_source(
    resolver: CachingResolver, converter: Provider, clock: Clock, failure: GatewayError
) -> None:
    resolver.resolve(TASK, URL)
    converter.failure = failure
    clock.now += LIFE_S - MIN_LIFE_S

    assert type(failing(resolver)) is type(failure)


def test_a_source_in_its_last_seconds_is_not_used(resolver: CachingResolver, converter: Provider, clock: Clock) -> None:
    resolver.resolve(TASK, URL)
    converter.failure = ProviderFailed("500")
    clock.now += LIFE_S - MIN_STALE_LIFE_S + 1

    assert isinstance(failing(resolver), ProviderFailed)


def test_a_caller_that_needs_a_longer_life_gets_the_error_and_the_cached_source_stays(
    resolver: CachingResolver, converter: Provider, clock: Clock
) -> None:
    first = resolver.resolve(TASK, URL)
    converter.failure = ProviderFailed("500")
    clock.now += LIFE_S / 2

    with pytest.raises(ProviderFailed):
        resolver.resolve(TASK, URL, required_life_s=0.9 * LIFE_S)

    assert resolver.resolve(TASK, URL) is first


# --- failures


def test_a_failure_is_remembered_for_five_seconds(resolver: CachingResolver, converter: Provider, clock: Clock) -> None:
    for number, failure in enumerate(
        (
            *(ImageNotFound("404"), ImageUnavailable("451"), RecordNotReady("422"), ProviderUnauthorized("401")),
            *(ProviderFailed("500"), ProviderTimeout("slow"), ProviderGarbled("page")),
            *(DirectUrlRefused("inside"), OriginRefused("403")),
        )
    ):
        url, calls, converter.failure = f"{URL}{number}", len(converter.calls), failure

        errors = [failing(resolver, url) for _ in range(5)]
        clock.now += 4.9
        errors.append(failing(resolver, url))

        assert {(type(error), str(error)) for error in errors} == {(type(failure), str(failure))}
        assert len({id(error) for error in errors}) == len(errors)
        assert len(converter.calls) == calls + 1, failure

        converter.failure = None
        clock.now += 0.1
        assert resolver.resolve(TASK, url).expires_at == clock.now + LIFE_S


def test_retry_after_of_the_provider_is_respected_for_at_most_thirty_seconds(
    resolver: CachingResolver, converter: Provider, clock: Clock
) -> None:
    for kind in (ProviderBusy, ProviderMaintenance, ProviderPaused):
        for retry_after_s, remembered_s in {1: 1, 12: 12, 30: 30, 31: 30, 600: 30}.items():
            url, before = f"{URL}-{kind.__name__}-{retry_after_s}", len(converter.calls)
            converter.failure = kind("busy", retry_after_s=retry_after_s)
            headers = failing(resolver, url).headers
            clock.now += remembered_s - 0.5
            assert failing(resolver, url).headers == headers == {"Retry-After": str(retry_after_s)}
            assert len(converter.calls) == before + 1, (kind, retry_after_s)

            clock.now += 0.5
            failing(resolver, url)
            assert len(converter.calls) == before + 2, (kind, retry_after_s)


def test_the_failure_of_one_file_does_not_touch_another(resolver: CachingResolver, converter: Provider) -> None:
    converter.failure = ImageNotFound("404")
    failing(resolver)
    converter.failure = None

    resolver.resolve(TASK, URL + "x")
    resolver.resolve("task2", URL)


def test_an_unexpected_exception_is_not_remembered(resolver: CachingResolver, converter: Provider) -> None:
    converter.failure = ValueError("a bug")
    with pytest.raises(ValueError, match="a bug"):
        resolver.resolve(TASK, URL)
    converter.failure = None

    resolver.resolve(TASK, URL)


def test_remembered_failures_do_not_grow_with_every_visitor(resolver: CachingResolver, converter: Provider) -> None:
    converter.failure = ImageNotFound("404")

    lengths = [traceback_length(failing(resolver)) for _ in range(20)]

    assert len(set(lengths[1:])) == 1


# --- many at once


def test_two_hundred_at_once_make_one_call(resolver: CachingResolver, converter: Provider) -> None:
    converter.takes_s = 0.1

    sources = all_at_once(lambda: resolver.resolve(TASK, URL))

    assert len(converter.calls) == 1
    assert len(sources) == MANY
    assert len({id(source) for source in sources}) == 1


def test_two_hundred_at_once_that_fail_make_one_call(resolver: CachingResolver, converter: Provider) -> None:
    converter.takes_s = 0.1
    converter.failure = ProviderBusy("429", retry_after_s=9)

    errors = all_at_once(lambda: failing(resolver))

    assert len(converter.calls) == 1
    assert {(type(error), error.headers["Retry-After"]) for error in errors} == {(ProviderBusy, "9")}
    assert len({id(error) for error in errors}) == MANY


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Threads that are switched after nearly every bytecode."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("frequent_switches")
@pytest.mark.parametrize("failure", [None, ImageNotFound("404")], ids=["success", "failure"])
def test_requests_that_come_just_after_the_call_make_no_other(
    resolver: CachingResolver, converter: Provider, failure: Exception | None
) -> None:
    converter.failure = failure

    def ask(url: str) -> None:
        with suppress(ImageNotFound):
            resolver.resolve(TASK, url)

    for number in range(15):
        all_at_once(partial(ask, f"{URL}{number}"), 30)

    assert len(converter.calls) == 15


def all_at_once(call: Callable[[], Value], many: int = MANY) -> list[Value]:
    together = threading.Barrier(many)

    def run() -> Value:
        together.wait()
        return call()

    with ThreadPoolExecutor(many) as pool:
        return [future.result() for future in [pool.submit(run) for _ in range(many)]]


# --- a source that has died


def test_a_dead_source_is_replaced_once_for_all(resolver: CachingResolver, converter: Provider) -> None:
    dead = resolver.resolve(TASK, URL)

    renewed = resolver.renew(TASK, URL, dead, OriginRefused("403"))

    assert renewed is not dead
    assert resolver.resolve(TASK, URL) is renewed
    assert resolver.renew(TASK, URL, dead, OriginRefused("403")) is renewed
    assert len(converter.calls) == 2


def test_a_file_whose_sources_die_at_once_is_renewed_six_times_in_a_minute(
    resolver: CachingResolver, converter: Provider, clock: Clock
) -> None:
    source = resolver.resolve(TASK, URL)
    for _ in range(MAX_RENEWALS):
        source = resolver.renew(TASK, URL, source, OriginRefused("403"))

    with pytest.raises(OriginRefused, match="the last one"):
        resolver.renew(TASK, URL, source, OriginRefused("the last one"))

    assert len(converter.calls) == 1 + MAX_RENEWALS
    other = resolver.resolve("task2", URL)
    assert resolver.renew("task2", URL, other, OriginRefused("403")) is not other
    clock.now += 60
    assert resolver.renew(TASK, URL, source, OriginRefused("403")) is not source


@pytest.mark.parametrize("life_s", [1200.0, 60.0], ids=["long-lived", "short-lived"])
def test_concurrent_renewals_make_one_call(resolver: CachingResolver, converter: Provider, life_s: float) -> None:
    converter.life_s = life_s
    dead = resolver.resolve(TASK, URL)
    converter.takes_s = 0.05

    renewed = all_at_once(lambda: resolver.renew(TASK, URL, dead, OriginRefused("403")), MANY)

    assert len(converter.calls) == 2
    assert len(set(map(id, renewed))) == 1
    assert renewed[0] is not dead


def test_a_renewal_that_outlasts_its_caller_goes_on_and_serves_the_next(
    resolver: CachingResolver, converter: Provider
) -> None:
    dead = resolver.resolve(TASK, URL)
    converter.takes_s = 0.2

    with pytest.raises(StillPreparing):
        resolver.renew(TASK, URL, dead, OriginRefused("403"), 0.01)

    assert resolver.renew(TASK, URL, dead, OriginRefused("403")) is not dead
    assert len(converter.calls) == 2


def test_a_failed_renewal_raises_its_cause(resolver: CachingResolver, converter: Provider) -> None:
    dead = resolver.resolve(TASK, URL)
    converter.failure = ImageNotFound("404")

    with pytest.raises(ImageNotFound):
        resolver.renew(TASK, URL, dead, OriginRefused("403"))


def traceback_length(error: BaseException) -> int:
    length, frame = 0, error.__traceback__
    while frame is not None:
        length, frame = length + 1, frame.tb_next
    return length
