"""After several failures in a row the provider is left alone for a moment."""

import threading

import pytest

from gateway.errors import ProviderPaused
from gateway.provider.circuit_breaker import FAILURES_IN_A_ROW, PAUSE_S, CircuitBreaker


class Seconds:
    """Monotonic seconds that move only when a test moves them."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def breaker(seconds: Seconds) -> CircuitBreaker:
    return CircuitBreaker(seconds)


def trip(breaker: CircuitBreaker) -> None:
    for _ in range(FAILURES_IN_A_ROW):
        breaker.failed()


def test_a_new_breaker_lets_everything_pass(breaker: CircuitBreaker) -> None:
    for _ in range(100):
        breaker.check()

    assert not breaker.is_open


def test_one_failure_less_than_too_many_lets_calls_pass(breaker: CircuitBreaker) -> None:
    for _ in range(FAILURES_IN_A_ROW - 1):
        breaker.failed()

    breaker.check()
    assert not breaker.is_open


def test_too_many_failures_in_a_row_open_it(breaker: CircuitBreaker) -> None:
    trip(breaker)

    with pytest.raises(ProviderPaused):
        breaker.check()
    assert breaker.is_open


def test_a_success_in_between_begins_the_count_anew(breaker: CircuitBreaker) -> None:
    for _ in range(FAILURES_IN_A_ROW - 1):
        breaker.failed()
    breaker.succeeded()
    for _ in range(FAILURES_IN_A_ROW - 1):
        breaker.failed()

    breaker.check()
    assert not breaker.is_open


@pytest.mark.parametrize(("after_s", "retry_after_s"), [(0, 15), (5.2, 10), (14, 1), (14.9, 1)])
def test_it_says_when_to_come_again(
    breaker: CircuitBreaker, seconds: Seconds, after_s: float, retry_after_s: int
) -> None:
    trip(breaker)
    seconds.now += after_s

    with pytest.raises(ProviderPaused) as pause:
        breaker.check()

    assert pause.value.retry_after_s == retry_after_s
    assert pause.value.headers == {"Retry-After": str(retry_after_s)}


def test_after_the_pause_one_call_tries_and_the_others_wait(breaker: CircuitBreaker, seconds: Seconds) -> None:
    trip(breaker)
    seconds.now += PAUSE_S

    breaker.check()

    for _ in range(10):
        with pytest.raises(ProviderPaused):
            breaker.check()


def test_when_that_call_succeeds_all_pass(breaker: CircuitBreaker, seconds: Seconds) -> None:
    trip(breaker)
    seconds.now += PAUSE_S
    breaker.check()

    breaker.succeeded()

    for _ in range(10):
        breaker.check()
    assert not breaker.is_open


def test_when_that_call_fails_the_pause_begins_anew(breaker: CircuitBreaker, seconds: Seconds) -> None:
    trip(breaker)
    seconds.now += PAUSE_S
    breaker.check()

    breaker.failed()
    seconds.now += PAUSE_S - 1

    with pytest.raises(ProviderPaused):
        breaker.check()
    seconds.now += 1
    breaker.check()


def test_a_call_that_never_comes_back_does_not_keep_it_open_for_ever(breaker: CircuitBreaker, seconds: Seconds) -> None:
    trip(breaker)
    seconds.now += PAUSE_S
    breaker.check()

    seconds.now += PAUSE_S

    breaker.check()


def test_of_many_at_once_exactly_one_tries(breaker: CircuitBreaker, seconds: Seconds) -> None:
    trip(breaker)
    seconds.now += PAUSE_S
    passed: list[bool] = []
    together = threading.Barrier(50)

    def come() -> None:
        together.wait()
        try:
            breaker.check()
        except ProviderPaused:
            return
        passed.append(True)

    threads = [threading.Thread(target=come) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert passed == [True]
