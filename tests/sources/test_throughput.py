"""An origin that sends too slowly is given up, although each single read succeeds."""

from collections.abc import Callable
from io import BytesIO

import pytest

from gateway.errors import OriginTimeout
from gateway.files.file_info import FileInfo
from gateway.sources.base import MIN_THROUGHPUT, THROUGHPUT_WINDOW_S, OpenFile
from tests.support.factories import Clock

INFO = FileInfo(length=None, head=b"", validator="", ranges=False, attachment=False)


class SlowBody(BytesIO):
    """A body of which each read takes some seconds."""

    def __init__(self, clock: Clock, size_of: Callable[[], int], takes_s: float = 1.0) -> None:
        super().__init__()
        self._clock, self._size_of, self._takes_s = clock, size_of, takes_s

    def read(self, _amount: int | None = -1, /) -> bytes:
        self._clock.now += self._takes_s
        return bytes(self._size_of())


def read_for(file: OpenFile, clock: Clock, seconds: float) -> None:
    until = clock.now + seconds
    while clock.now < until:
        file.read(65536)


def test_one_byte_every_second_is_given_up_after_the_window(clock: Clock) -> None:
    started_at = clock.now

    with pytest.raises(OriginTimeout):
        read_for(OpenFile(INFO, None, SlowBody(clock, lambda: 1), clock=clock), clock, 120)

    assert clock.now - started_at == pytest.approx(THROUGHPUT_WINDOW_S, abs=1)


def test_an_origin_that_becomes_slow_is_given_up(clock: Clock) -> None:
    slow_at = clock.now + 100
    file = OpenFile(
        INFO, None, SlowBody(clock, lambda: MIN_THROUGHPUT * 10 if clock.now < slow_at else 100), clock=clock
    )
    read_for(file, clock, 99)

    with pytest.raises(OriginTimeout):
        read_for(file, clock, 100)


def test_the_minimum_throughput_is_enough(clock: Clock) -> None:
    read_for(OpenFile(INFO, None, SlowBody(clock, lambda: MIN_THROUGHPUT), clock=clock), clock, 600)


def test_the_time_of_a_slow_client_does_not_count(clock: Clock) -> None:
    file = OpenFile(INFO, None, SlowBody(clock, lambda: 100, 0.001), clock=clock)

    for _ in range(100):
        file.read(65536)
        clock.now += 60
