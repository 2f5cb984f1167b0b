"""An origin whose bytes come too slowly is given up, and the time that a client takes does not count."""

from collections.abc import Callable

import pytest

from gateway.errors import OriginTimeout
from gateway.sources.throughput import LEAST_RATE, RATE_WINDOW_S, MinThroughputReader
from tests.support.factories import Clock


def sending(clock: Clock, size: int, takes_s: float = 1.0) -> Callable[[int], bytes]:
    def read(_amount: int) -> bytes:
        clock.now += takes_s
        return bytes(size)

    return read


def read_for(reader: MinThroughputReader, clock: Clock, seconds: float) -> None:
    until = clock.now + seconds
    while clock.now < until:
        reader.read(65536)


def test_an_origin_slower_than_the_least_rate_is_given_up_at_the_beginning_and_later(clock: Clock) -> None:
    fast, slow, begun = sending(clock, LEAST_RATE), sending(clock, 100), clock.now

    with pytest.raises(OriginTimeout):
        read_for(MinThroughputReader(slow, clock), clock, 120)
    assert clock.now - begun == pytest.approx(RATE_WINDOW_S, abs=1)

    slows_down_at = clock.now + 600

    def slowing_down(amount: int) -> bytes:
        return fast(amount) if clock.now < slows_down_at else slow(amount)

    reader = MinThroughputReader(slowing_down, clock)
    read_for(reader, clock, 600)
    with pytest.raises(OriginTimeout):
        read_for(reader, clock, 100)


def test_the_time_that_a_slow_client_takes_does_not_count(clock: Clock) -> None:
    reader = MinThroughputReader(sending(clock, 100, 0.001), clock)

    for _ in range(100):
        reader.read(65536)
        clock.now += 60
