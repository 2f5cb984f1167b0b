"""Content codings that nobody asked for are decoded, strictly, within bounds, and without holding up others."""

import gzip
import hashlib
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise

import brotli
import pytest
from hypothesis import given
from hypothesis.strategies import binary, integers, sampled_from

from gateway.egress import coding as module
from gateway.egress.coding import DecodedBody, codings_of, decoded
from gateway.errors import GatewayBusy, OriginFailed

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

INCOMPRESSIBLE = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(3000))
FILE = INCOMPRESSIBLE + bytes(200_000)


def bare_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "bare deflate": bare_deflate,
    "br": lambda data: bytes(brotli.compress(data, quality=5)),
    "zstd": zstd.compress,
}
each_coding = pytest.mark.parametrize("coding", ENCODERS)


def name_of(encoder: str) -> str:
    return encoder.removeprefix("bare ")


class Body:
    """A coded body, given in pieces."""

    def __init__(self, coded: bytes, piece: int = 1 << 30) -> None:
        self._coded, self._piece = coded, piece
        self.closed = False

    def read(self, amount: int) -> bytes:
        part, self._coded = self._coded[: min(amount, self._piece)], self._coded[min(amount, self._piece) :]
        return part

    def close(self) -> None:
        self.closed = True


class Endless(Body):
    """The same piece for ever."""

    def __init__(self, beginning: bytes, again: bytes) -> None:
        super().__init__(beginning)
        self._again = again

    def read(self, amount: int) -> bytes:
        return super().read(amount) or self._again


def parts_of(body: DecodedBody, amount: int = 2**21) -> Iterator[bytes]:
    try:
        while part := body.read(amount):
            assert len(part) <= amount
            yield part
    finally:
        body.close()


def all_of(coded: bytes, coding: str, *, piece: int = 1 << 30, amount: int = 2**21) -> bytes:
    return b"".join(parts_of(DecodedBody(Body(coded, piece), name_of(coding)), amount))


# --- what is said


@pytest.mark.parametrize(
    ("said", "codings"),
    [
        ("", ()),
        ("identity", ()),
        ("aws-chunked", ()),
        ("UTF-8", ()),
        ("base64", ()),
        ("none", ()),
        ("binary", ()),
        ("*", ()),
        ("chunked", ()),
        (", ,", ()),
        ("gzip", ("gzip",)),
        ("GZip", ("gzip",)),
        ("x-gzip", ("gzip",)),
        ("aws-chunked,gzip", ("gzip",)),
        ("aws-chunked , br", ("br",)),
        ("gzip, utf-8", ("gzip",)),
        ("deflate", ("deflate",)),
        ("zstd", ("zstd",)),
        ("gzip, br", ("gzip", "br")),
    ],
)
def test_what_is_no_registered_coding_counts_as_identity(said: str, codings: tuple[str, ...]) -> None:
    assert codings_of(said) == codings


@pytest.mark.parametrize("said", ["compress", "x-compress", "aes128gcm", "dcb", "exi", "gzip, gzip, gzip", "gzip, dcz"])
def test_a_registered_coding_that_cannot_be_decoded_is_the_origins_failure(said: str) -> None:
    with pytest.raises(OriginFailed):
        codings_of(said)


# --- what comes out


@each_coding
@pytest.mark.parametrize("piece", [1, 7, 1000, 1 << 30])
@pytest.mark.parametrize("amount", [1000, 2**21])
def test_a_coded_body_comes_out_decoded(coding: str, piece: int, amount: int) -> None:
    file = FILE[:3000] if piece == 1 else FILE

    assert all_of(ENCODERS[coding](file), coding, piece=piece, amount=amount) == file


@given(file=binary(max_size=2000), coding=sampled_from(sorted(ENCODERS)), piece=integers(1, 300))
def test_any_file_comes_out_of_any_coding_as_it_was(file: bytes, coding: str, piece: int) -> None:
    assert all_of(ENCODERS[coding](file), coding, piece=piece, amount=100) == file


@each_coding
def test_a_body_of_no_bytes_is_an_empty_file(coding: str) -> None:
    assert all_of(b"", coding) == b""


@each_coding
@given(kept=integers(1, 10_000))
def test_a_coded_body_that_ends_early_is_no_complete_file(coding: str, kept: int) -> None:
    coded = ENCODERS[coding](FILE[:5000])

    with pytest.raises(OriginFailed):
        all_of(coded[: min(kept, len(coded) - 1)], coding)


@each_coding
def test_a_body_that_is_not_in_the_coding_it_is_said_to_be_in_is_the_origins_failure(coding: str) -> None:
    with pytest.raises(OriginFailed):
        all_of(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, coding)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("piece", [1, 1 << 30])
def test_several_members_come_out_as_one_file(coding: str, piece: int) -> None:
    encode = ENCODERS[coding]

    assert all_of(encode(b"one ") + encode(b"") + encode(b"two"), coding, piece=piece) == b"one two"


@pytest.mark.parametrize("behind", [bytes(512), b"junk", b"\x1f"])
def test_what_follows_the_last_gzip_member_is_ignored(behind: bytes) -> None:
    assert all_of(gzip.compress(FILE) + behind, "gzip") == FILE


def test_two_codings_are_decoded_in_turn() -> None:
    body = Body(ENCODERS["br"](gzip.compress(FILE)))
    whole = decoded(body, codings_of("gzip, br"))

    assert b"".join(iter(lambda: whole.read(10_000), b"")) == FILE

    whole.close()
    assert body.closed


# --- bounds


@each_coding
def test_a_bomb_is_cut_before_it_has_cost_much(coding: str) -> None:
    bomb = ENCODERS[coding](bytes(50_000_000))
    read: list[int] = []

    with pytest.raises(OriginFailed, match="bomb"):
        read.extend(len(part) for part in parts_of(DecodedBody(Body(bomb), name_of(coding))))

    assert sum(read) <= max(module.FREE_BYTES, module.MOST_RATIO * len(bomb))


@pytest.mark.parametrize(
    ("coding", "beginning", "again"),
    [
        ("gzip", b"", gzip.compress(b"")),
        ("gzip", gzip.compress(b"x"), bytes(1000)),
        ("deflate", b"", b"\x00\x00\x00\xff\xff"),
        ("br", b"", b"\x0e\x00\x00"),
        ("zstd", b"", b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip"),
    ],
    ids=["empty-members", "behind-the-end", "empty-blocks", "empty-metablocks", "skippable-frames"],
)
def test_a_coded_body_of_which_nothing_comes_out_is_given_up(coding: str, beginning: bytes, again: bytes) -> None:
    with pytest.raises(OriginFailed):
        list(parts_of(DecodedBody(Endless(beginning, again * 100), coding)))


def test_a_window_that_takes_much_memory_is_refused() -> None:
    options = {int(zstd.CompressionParameter.window_log): 27}

    with pytest.raises(OriginFailed):
        all_of(zstd.compress(INCOMPRESSIBLE * 180, options=options), "zstd")


def test_only_so_many_large_windows_are_open_at_once() -> None:
    opened = [DecodedBody(Body(b""), "br") for _ in range(module.MOST_OPEN)]
    try:
        with pytest.raises(GatewayBusy):
            DecodedBody(Body(b""), "zstd")
        DecodedBody(Body(b""), "gzip").close()
    finally:
        for each in opened:
            each.close()
            each.close()

    DecodedBody(Body(b""), "zstd").close()


@each_coding
def test_others_run_while_much_is_decoded(coding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[float] = [time.thread_time()]
    monkeypatch.setattr("gateway.egress.coding.time.sleep", lambda _seconds: turns.append(time.thread_time()))

    for _ in parts_of(DecodedBody(Body(ENCODERS[coding](bytes(30_000_000))), name_of(coding))):
        pass

    waits = sorted(b - a for a, b in pairwise(turns))
    assert len(waits) > 1
    assert waits[len(waits) // 2] < 0.02
