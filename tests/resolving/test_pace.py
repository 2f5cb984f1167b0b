"""An origin that drips is given up, however patient each single read is."""

from collections.abc import Callable

import pytest

from gateway.errors import OriginTimeout
from gateway.sources.throughput import LEAST_RATE, RATE_WINDOW_S, MinThroughputReader
from tests.support.factories import Clock


def origin(clock: Clock, size: int, takes_s: float) -> Callable[[int], bytes]:
    def read(_amount: int) -> bytes:
        clock.now += takes_s
        return bytes(size)

    return read


def read_for(paced: MinThroughputReader, clock: Clock, seconds: float) -> None:
    until = clock.now + seconds
    while clock.now < until:
        paced.read(65536)


def test_one_byte_every_second_is_given_up_after_the_window(clock: Clock) -> None:
    begun = clock.now

    with pytest.raises(OriginTimeout):
        read_for(MinThroughputReader(origin(clock, 1, 1.0), clock), clock, 120)

    assert clock.now - begun == pytest.approx(RATE_WINDOW_S, abs=1)


def test_an_origin_that_slows_down_later_is_given_up_too(clock: Clock) -> None:
    fast, slow = origin(clock, LEAST_RATE * 10, 1.0), origin(clock, 100, 1.0)
    begun = clock.now

    def tiring(amount: int) -> bytes:
        return fast(amount) if clock.now < begun + 100 else slow(amount)

    paced = MinThroughputReader(tiring, clock)
    read_for(paced, clock, 100)

    with pytest.raises(OriginTimeout):
        read_for(paced, clock, 100)


def test_the_least_rate_is_enough(clock: Clock) -> None:
    read_for(MinThroughputReader(origin(clock, LEAST_RATE, 1.0), clock), clock, 600)


def test_a_slow_visitor_is_not_the_origins_fault(clock: Clock) -> None:
    paced = MinThroughputReader(origin(clock, 100, 0.001), clock)

    for _ in range(100):
        paced.read(65536)
        clock.now += 60  # the visitor takes its time
