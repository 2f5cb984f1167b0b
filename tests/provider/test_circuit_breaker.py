"""After several failures in a row the provider is not called for some seconds."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.errors import ProviderPaused
from gateway.provider.circuit_breaker import FAILURES_IN_A_ROW, PAUSE_S, CircuitBreaker
from tests.support.factories import Clock


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(clock)


def trip(breaker: CircuitBreaker) -> None:
    for _ in range(FAILURES_IN_A_ROW):
        breaker.failed()


def test_the_breaker_opens_after_five_failures_in_a_row(breaker: CircuitBreaker) -> None:
    for _ in range(3):
        for _ in range(FAILURES_IN_A_ROW - 1):
            breaker.failed()
        breaker.check()
        assert not breaker.is_open
        breaker.succeeded()

    trip(breaker)

    with pytest.raises(ProviderPaused):
        breaker.check()
    assert breaker.is_open


def test_an_open_breaker_sets_retry_after(breaker: CircuitBreaker, clock: Clock) -> None:
    trip(breaker)
    begun, table = clock.now, {0: "15", 5.2: "10", 14: "1", 14.9: "1"}
    for after_s, retry_after in table.items():
        clock.now = begun + after_s
        with pytest.raises(ProviderPaused) as pause:
            breaker.check()
        assert pause.value.headers == {"Retry-After": retry_after}, after_s


def test_a_successful_trial_call_closes_the_breaker(breaker: CircuitBreaker, clock: Clock) -> None:
    trip(breaker)
    clock.now += PAUSE_S
    breaker.check()
    for _ in range(10):
        with pytest.raises(ProviderPaused):
            breaker.check()

    breaker.succeeded()

    for _ in range(10):
        breaker.check()
    assert not breaker.is_open


def test_a_failed_trial_call_restarts_the_pause(breaker: CircuitBreaker, clock: Clock) -> None:
    trip(breaker)
    clock.now += PAUSE_S
    breaker.check()

    breaker.failed()
    clock.now += PAUSE_S - 1

    with pytest.raises(ProviderPaused):
        breaker.check()
    clock.now += 1
    breaker.check()


def test_a_call_that_never_ends_does_not_keep_the_breaker_open(breaker: CircuitBreaker, clock: Clock) -> None:
    trip(breaker)
    clock.now += PAUSE_S
    breaker.check()

    clock.now += PAUSE_S

    breaker.check()


def test_only_one_of_many_concurrent_calls_is_the_trial(breaker: CircuitBreaker, clock: Clock) -> None:
    trip(breaker)
    clock.now += PAUSE_S
    together = threading.Barrier(50)

    def check(_number: int) -> bool:
        together.wait()
        try:
            breaker.check()
        except ProviderPaused:
            return False
        return True

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(check, range(50))) == 1
