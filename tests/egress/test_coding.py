"""Content codings are decoded strictly, within bounds on size, memory and time."""

import gzip
import hashlib
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise

import brotli
import pytest
from hypothesis import given, settings
from hypothesis.strategies import binary, integers, sampled_from

from gateway.egress import coding as module
from gateway.egress.coding import DecodedBody, decode_body, parse_content_encoding
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
    """Repeats the same piece without end."""

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


# --- Content-Encoding


def test_a_coding_that_is_not_registered_counts_as_identity() -> None:
    table: dict[str, tuple[str, ...]] = {
        **dict.fromkeys(
            ("", "identity", "aws-chunked", "UTF-8", "base64", "none", "binary", "*", "chunked", ", ,"), ()
        ),
        **dict.fromkeys(("gzip", "GZip", "x-gzip", "aws-chunked,gzip", "gzip, utf-8"), ("gzip",)),
        "aws-chunked , br": ("br",),
        "deflate": ("deflate",),
        "zstd": ("zstd",),
        "gzip, br": ("gzip", "br"),
    }

    assert {said: parse_content_encoding(said) for said in table} == table


def test_a_registered_coding_that_cannot_be_decoded_is_refused() -> None:
    for said in ("compress", "x-compress", "aes128gcm", "dcb", "exi", "gzip, gzip, gzip", "gzip, dcz"):
        with pytest.raises(OriginFailed):
            parse_content_encoding(said)


# --- decoding


def test_a_coded_body_is_decoded_whatever_the_size_of_its_pieces_and_reads() -> None:
    for coding, encode in ENCODERS.items():
        assert all_of(b"", coding) == b""
        for piece in (1, 7, 1000, 1 << 30):
            file = FILE[:3000] if piece < 10 else FILE
            for amount in (1000, 2**21):
                assert all_of(encode(file), coding, piece=piece, amount=amount) == file, (coding, piece, amount)


@settings(max_examples=50)
@given(file=binary(max_size=2000), coding=sampled_from(sorted(ENCODERS)), piece=integers(1, 300))
def test_any_file_is_decoded_from_any_coding(file: bytes, coding: str, piece: int) -> None:
    assert all_of(ENCODERS[coding](file), coding, piece=piece, amount=100) == file


@given(kept=integers(1, 10_000), coding=sampled_from(sorted(ENCODERS)))
def test_a_coded_body_that_ends_early_is_no_complete_file(kept: int, coding: str) -> None:
    coded = ENCODERS[coding](FILE[:5000])

    with pytest.raises(OriginFailed):
        all_of(coded[: min(kept, len(coded) - 1)], coding)


def test_a_body_that_is_not_in_its_coding_is_refused() -> None:
    for coding in ENCODERS:
        with pytest.raises(OriginFailed):
            all_of(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, coding)


def test_several_members_are_one_file_and_what_follows_the_last_gzip_member_is_ignored() -> None:
    for coding in ("gzip", "zstd"):
        encode = ENCODERS[coding]
        for piece in (1, 1 << 30):
            assert all_of(encode(b"one ") + encode(b"") + encode(b"two"), coding, piece=piece) == b"one two"
    for trailing in (bytes(512), b"junk", b"\x1f"):
        assert all_of(gzip.compress(FILE) + trailing, "gzip") == FILE


def test_two_codings_are_decoded_in_turn() -> None:
    body = Body(ENCODERS["br"](gzip.compress(FILE)))
    whole = decode_body(body, parse_content_encoding("gzip, br"))

    assert b"".join(iter(lambda: whole.read(10_000), b"")) == FILE

    whole.close()
    assert body.closed


# --- bounds


def test_a_bomb_is_cut_before_it_has_cost_much() -> None:
    for coding, encode in ENCODERS.items():
        bomb = encode(bytes(50_000_000))
        read: list[int] = []

        with pytest.raises(OriginFailed, match="bomb"):
            read.extend(len(part) for part in parts_of(DecodedBody(Body(bomb), name_of(coding))))

        assert sum(read) <= max(module.FREE_BYTES, module.MAX_RATIO * len(bomb)), coding


def test_a_coded_body_that_decodes_to_nothing_for_long_is_given_up() -> None:
    for coding, beginning, again in (
        ("gzip", b"", gzip.compress(b"")),  # empty members
        ("gzip", gzip.compress(b"x"), bytes(1000)),  # bytes after the last member
        ("deflate", b"", b"\x00\x00\x00\xff\xff"),  # empty blocks
        ("br", b"", b"\x0e\x00\x00"),  # empty metablocks
        ("zstd", b"", b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip"),  # skippable frames
    ):
        with pytest.raises(OriginFailed):
            list(parts_of(DecodedBody(Endless(beginning, again * 100), coding)))


def test_a_window_that_takes_much_memory_is_refused() -> None:
    options = {int(zstd.CompressionParameter.window_log): 27}

    with pytest.raises(OriginFailed):
        all_of(zstd.compress(INCOMPRESSIBLE * 180, options=options), "zstd")


def test_only_so_many_large_windows_are_open_at_once() -> None:
    opened = [DecodedBody(Body(b""), "br") for _ in range(module.MAX_OPEN)]
    try:
        with pytest.raises(GatewayBusy):
            DecodedBody(Body(b""), "zstd")
        DecodedBody(Body(b""), "gzip").close()
    finally:
        for each in opened:
            each.close()
            each.close()

    DecodedBody(Body(b""), "zstd").close()


@pytest.mark.parametrize("coding", ENCODERS)
def test_decoding_yields_to_other_greenlets(coding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[float] = [time.thread_time()]
    monkeypatch.setattr("gateway.egress.coding.time.sleep", lambda _seconds: turns.append(time.thread_time()))

    for _ in parts_of(DecodedBody(Body(ENCODERS[coding](bytes(25_000_000))), name_of(coding))):
        pass

    waits = sorted(b - a for a, b in pairwise(turns))
    assert len(waits) > 1
    assert waits[len(waits) // 2] < 0.02
