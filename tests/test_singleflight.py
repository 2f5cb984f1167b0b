"""Concurrent calls for one key run once, and every caller gets the result."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from gateway.errors import ImageNotFound, InternalError, ProviderBusy, StillPreparing
from gateway.singleflight import SingleFlight

MANY = 200
KEY = ("task12345", "https://cdn.example/v/cat.png")
LONG_S = 20.0


class Call:
    """A slow call that counts how often it began."""

    def __init__(self, end: Callable[[], str], takes_s: float = 0.0) -> None:
        self.begun = 0
        self.go = threading.Event()
        self._end = end
        self._takes_s = takes_s

    def __call__(self) -> str:
        self.begun += 1
        assert self.go.wait(LONG_S)
        time.sleep(self._takes_s)
        return self._end()


class Killed(BaseException):
    """Like the exceptions that end a greenlet or a process."""


def raising(error: BaseException) -> Callable[[], str]:
    def end() -> str:
        raise error

    return end


def start_together(flights: SingleFlight[str], call: Call, pool: ThreadPoolExecutor) -> list["Future[str]"]:
    """Have many threads call for one key at once."""
    together = threading.Barrier(MANY)
    call.go.set()

    def call_once() -> str:
        together.wait()
        return flights.do(KEY, call, LONG_S)

    return [pool.submit(call_once) for _ in range(MANY)]


def test_two_hundred_at_once_make_one_call() -> None:
    call = Call(lambda: "brought", 0.4)

    with ThreadPoolExecutor(MANY) as pool:
        got = [future.result() for future in start_together(SingleFlight(), call, pool)]

    assert got == ["brought"] * MANY
    assert call.begun == 1


def test_every_caller_gets_its_own_copy_of_the_error() -> None:
    call = Call(raising(ProviderBusy("429", retry_after_s=17)), 0.4)

    with ThreadPoolExecutor(MANY) as pool:
        errors = [future.exception() for future in start_together(SingleFlight(), call, pool)]

    assert call.begun == 1
    assert len({id(error) for error in errors}) == MANY
    assert {type(error) for error in errors} == {ProviderBusy}
    assert {error.retry_after_s for error in errors if isinstance(error, ProviderBusy)} == {17}
    assert {str(error) for error in errors} == {"429"}


def test_the_first_caller_gets_a_programming_error_and_the_others_are_released() -> None:
    mistake = ValueError("a mistake")
    call = Call(raising(mistake), 0.4)

    with ThreadPoolExecutor(MANY) as pool:
        errors = [future.exception() for future in start_together(SingleFlight(), call, pool)]

    assert call.begun == 1
    assert [error for error in errors if error is mistake] == [mistake]
    assert sum(isinstance(error, InternalError) for error in errors) == MANY - 1


def test_when_the_call_is_killed_every_caller_is_released() -> None:
    call = Call(raising(Killed()), 0.4)

    with ThreadPoolExecutor(MANY) as pool:
        errors = [future.exception() for future in start_together(SingleFlight(), call, pool)]

    assert call.begun == 1
    assert {type(error) for error in errors} == {InternalError}


@pytest.mark.parametrize("end", [ImageNotFound("404"), ValueError()], ids=["refused", "mistake"])
def test_after_a_failure_the_next_caller_starts_a_new_call(end: Exception) -> None:
    flights: SingleFlight[str] = SingleFlight()

    with pytest.raises(type(end)):
        flights.do(KEY, raising(end), LONG_S)

    assert flights.do(KEY, lambda: "brought", LONG_S) == "brought"


def test_after_a_success_the_next_caller_starts_a_new_call() -> None:
    flights: SingleFlight[str] = SingleFlight()
    calls: list[str] = []

    def call() -> str:
        calls.append("called")
        return "brought"

    flights.do(KEY, call, LONG_S)
    flights.do(KEY, call, LONG_S)

    assert calls == ["called", "called"]


def test_calls_for_different_keys_do_not_wait_for_each_other() -> None:
    flights: SingleFlight[str] = SingleFlight()
    call = Call(lambda: "slow")

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(flights.do, KEY, call, LONG_S)
        quick = flights.do(("task12345", "https://cdn.example/v/dog.png"), lambda: "quick", LONG_S)
        call.go.set()

        assert (quick, slow.result()) == ("quick", "slow")


def test_a_caller_times_out_and_the_call_continues() -> None:
    flights: SingleFlight[str] = SingleFlight()
    call = Call(lambda: "late")

    for _ in range(2):
        begun = time.monotonic()
        with pytest.raises(StillPreparing):
            flights.do(KEY, call, 0.2)
        assert 0.1 < time.monotonic() - begun < 2
    with ThreadPoolExecutor(1) as pool:
        patient = pool.submit(flights.do, KEY, call, LONG_S)
        call.go.set()

        assert patient.result() == "late"
    assert call.begun == 1
