"""A stream waits for a slow visitor with empty hands: it reads when there is room for what it reads."""

from typing import TYPE_CHECKING, cast

import pytest

from gateway.delivery import exchange as protocol
from gateway.delivery.exchange import AlwaysWritable
from gateway.delivery.stream import LARGE_AFTER, LARGE_CHUNK, MEDIUM_CHUNK, SMALL_CHUNK, StreamBody
from gateway.files.file_info import FileInfo
from gateway.observability.transfer_stats import TransferStats

if TYPE_CHECKING:
    from gateway.delivery.resuming_reader import ResumingReader


class File:
    """A file of three pieces; it notes when each is read."""

    info, byte_range = FileInfo(length=3, head=b"abc", validator="", ranges=False, attachment=False), None

    def __init__(self, happened: list[str], pieces: tuple[bytes, ...] = (b"a", b"b", b"c")) -> None:
        self.stats = TransferStats()
        self._left = list(pieces)
        self._happened = happened
        self.amounts: list[int] = []

    @property
    def at_end(self) -> bool:
        return not self._left

    def read(self, amount: int) -> bytes:
        self.amounts.append(amount)
        self._happened.append("read")
        return self._left.pop(0) if self._left else b""

    def close(self) -> None:
        """Nothing stands behind it."""


class ClientConnection:
    """A connection that has room only after it was waited for, once for each piece."""

    def __init__(self, happened: list[str]) -> None:
        self._happened = happened

    def has_room(self) -> bool:
        return self._happened[-1:] == ["waited"]

    def wait_for_room(self) -> None:
        self._happened.append("waited")


def stream_of(file: object, connection: protocol.ClientConnection, max_bytes: int) -> StreamBody:
    return StreamBody(cast("ResumingReader", file), connection, lambda: None, max_bytes, TransferStats())


def test_nothing_is_read_until_there_is_room_and_while_it_waits_nobody_holds_the_last_piece() -> None:
    happened: list[str] = []
    stream = stream_of(File(happened), ClientConnection(happened), 100)

    happened.extend(f"gave {piece.decode() or 'nothing'}" for piece in stream)

    once = ["gave nothing", "waited", "read"]
    assert happened == [*once, "gave a", *once, "gave b", *once, "gave c"]
    assert (stream.stats.outcome, stream.stats.sent) == ("completed", 3)


class LaterNarrow:
    """A connection that has room for so many chunks, and must be waited for, long, before each further one."""

    def __init__(self, chunks: int, clock: list[float]) -> None:
        self._chunks = chunks
        self._clock = clock

    def has_room(self) -> bool:
        self._chunks -= 1
        return self._chunks >= 0

    def wait_for_room(self) -> None:
        self._clock[0] += 1


@pytest.mark.parametrize(
    ("chunks", "amounts"),
    [(9, [1, 2, 2]), (2, [1, 2, 1]), (0, [1, 1, 1])],
    ids=["fast", "slow after two chunks", "slow"],
)
def test_the_fast_are_given_ever_larger_chunks_and_the_slow_small_ones(
    monkeypatch: pytest.MonkeyPatch, chunks: int, amounts: list[int]
) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    file = File([])

    list(stream_of(file, LaterNarrow(chunks, clock), 100))

    assert file.amounts[:3] == [times * SMALL_CHUNK for times in amounts]


def test_of_large_pieces_there_is_never_more_than_one() -> None:
    """Two of them would take turns in memory, and none would stay in the processor's cache."""
    happened: list[str] = []
    file = File(happened, tuple(bytes(MEDIUM_CHUNK) for _ in range(LARGE_AFTER // MEDIUM_CHUNK + 9)))

    happened.extend("gave" if piece else "nothing" for piece in stream_of(file, AlwaysWritable(), 2**30))

    large = sum(amount > MEDIUM_CHUNK for amount in file.amounts)
    assert large >= 5
    assert happened[-3 * large :] == ["nothing", "read", "gave"] * large


@pytest.mark.parametrize("limit", [LARGE_CHUNK - 1, LARGE_CHUNK, LARGE_CHUNK + 1, 3 * LARGE_CHUNK - 1])
def test_not_a_byte_beyond_the_limit_is_given_however_large_the_pieces_are(limit: int) -> None:
    stream = stream_of(File([], (bytes(LARGE_CHUNK),) * 9), AlwaysWritable(), limit)
    given: list[int] = []

    with pytest.raises(ConnectionResetError):
        given.extend(len(piece) for piece in stream)

    assert sum(given) == limit // LARGE_CHUNK * LARGE_CHUNK
    assert (stream.stats.sent, stream.stats.outcome) == (sum(given), "file_too_large")


def test_a_file_as_long_as_the_limit_is_given_whole() -> None:
    stream = stream_of(File([]), AlwaysWritable(), 3)

    assert b"".join(stream) == b"abc"
