"""Content codings (RFC 9110 section 8.4) that come although ``identity`` was asked for: decoded on the way, bounded."""

import sys
import time
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import brotli

from gateway.errors import GatewayBusy, OriginFailed

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MOST_CODINGS = 2
MOST_OPEN = 32  # decoders of codings with large windows, of 8 or 16 MiB each, in this worker
MOST_RATIO, FREE_BYTES = 100, 32 * 2**20  # of decoded to coded bytes, once more than this has come out
MOST_WITHOUT_OUTPUT = 2**20
MOST_EMPTY_FRAMES = 64
_LARGEST_WINDOW_LOG = 23  # RFC 9659: 8 MiB
_CODED_CHUNK = 16 * 1024
_DECODED_CHUNK = 64 * 1024  # a fraction of a millisecond of the processor's time
_LONGEST_TURN_S = 0.001
_GZIP_MAGIC = b"\x1f\x8b"
# IANA's HTTP Content Coding Registry, but for what is decoded here and identity.
_NOT_DECODED = {"aes128gcm", "compress", "dcb", "dcz", "exi", "pack200-gzip", "x-compress"}


class Readable(Protocol):
    """What is decoded: an open answer of an origin."""

    def read(self, amount: int, /) -> bytes:
        """Read what is there, at most ``amount`` bytes; empty at the end."""

    def close(self) -> None:
        """Close it."""


class _Decoder(Protocol):
    """Decodes one coding.

    Attributes:
        complete: whether the decoded stream is at an end of its own.
    """

    complete: bool

    def decode(self, data: bytes, limit: int) -> bytes:
        """Decode more, about ``limit`` bytes at most. Further data is only passed after a call gave nothing."""


def codings_of(content_encoding: str) -> tuple[str, ...]:
    """Read a ``Content-Encoding``: the codings to decode, in the order in which they were applied.

    What is no registered coding (``aws-chunked``, ``UTF-8``, ``base64``, ``none``: uploads leave such things behind)
    counts as ``identity``.

    Raises:
        OriginFailed: a registered coding that is not decoded here, or too many of them.
    """
    named = [coding.strip(" \t").removeprefix("x-") for coding in content_encoding.lower().split(",")]
    if not _NOT_DECODED.isdisjoint(named):
        raise OriginFailed("a content coding that is not decoded")
    codings = tuple(coding for coding in named if coding in _DECODERS)
    if len(codings) > MOST_CODINGS:
        raise OriginFailed("too many content codings")
    return codings


def decoded(body: Readable, codings: tuple[str, ...]) -> Readable:
    """The body without its codings. The result is closed in its place.

    Raises:
        GatewayBusy: too many bodies are decoded at once.
    """
    for coding in reversed(codings):
        try:
            body = DecodedBody(body, coding)
        except GatewayBusy:
            body.close()
            raise
    return body


class DecodedBody:
    """A body that is decoded while it is read.

    What comes out is bounded: the ratio to what came in, how much may come in without anything coming out, and the
    memory of the decoder. Other greenlets run at least every millisecond.

    Args:
        body: the coded body.
        coding: ``gzip``, ``deflate``, ``br`` or ``zstd``.

    Raises:
        GatewayBusy: too many bodies of codings with large windows are decoded at once.
    """

    _open = 0

    def __init__(self, body: Readable, coding: str) -> None:
        self._counted = coding in {"br", "zstd"}
        if self._counted and DecodedBody._open >= MOST_OPEN:
            raise GatewayBusy("too many coded files are decoded at once")
        DecodedBody._open += self._counted
        self._body = body
        self._decoder: _Decoder = _DECODERS[coding]()
        self._decoded = b""
        self._received = self._given = self._without_output = 0
        self._turn_began = time.monotonic()

    def read(self, amount: int) -> bytes:
        """Read what is there, at most ``amount`` decoded bytes; empty at the end.

        Raises:
            OriginFailed: it is not in this coding, ends early, or is a decompression bomb.
            OriginTimeout: nothing came for the stall timeout.
        """
        part = self._decoded or self._decode_more(min(amount, _DECODED_CHUNK))
        self._decoded = part[amount:]
        return part[:amount]

    def close(self) -> None:
        """Close the coded body, and free the decoder."""
        DecodedBody._open -= self._counted
        self._counted = False
        self._body.close()

    def _decode_more(self, limit: int) -> bytes:
        data = b""
        while True:
            self._yield_to_others()
            if part := self._decode(data, limit):
                return part
            data = self._body.read(_CODED_CHUNK)
            if not data:
                break
            self._received += len(data)
            self._without_output += len(data)
            if self._without_output > MOST_WITHOUT_OUTPUT:
                raise OriginFailed("a coded body of which nothing comes out")
        if self._received and not self._decoder.complete:
            raise OriginFailed("a coded body that ends early")
        return b""

    def _decode(self, data: bytes, limit: int) -> bytes:
        try:
            part = self._decoder.decode(data, limit)
        except (zlib.error, brotli.error, zstd.ZstdError) as broken:
            raise OriginFailed("a body that is not in the coding it is said to be in") from broken
        if part:
            self._without_output = 0
            self._given += len(part)
            if self._given > max(FREE_BYTES, MOST_RATIO * self._received):
                raise OriginFailed("a decompression bomb")
        return part

    def _yield_to_others(self) -> None:
        if time.monotonic() - self._turn_began > _LONGEST_TURN_S:
            time.sleep(0)
            self._turn_began = time.monotonic()


class _Frames:
    """Streams that know their end, one after another: members of RFC 1952, frames of RFC 8878.

    Args:
        new_frame: makes the decoder of one.
        magic: with what each begins; what follows the last and does not begin so is ignored, as gunzip does. Empty for
            codings that allow nothing to follow.
    """

    def __init__(self, new_frame: Callable[[], Any], magic: bytes = b"") -> None:
        self._new_frame, self._magic = new_frame, magic
        self._frame = new_frame()
        self._pending = b""
        self.complete = False

    def decode(self, data: bytes, limit: int) -> bytes:
        data = self._pending + data
        for _ in range(MOST_EMPTY_FRAMES):
            if self._frame.eof:
                if not data or not data.startswith(self._magic):
                    self._pending = data if self._magic.startswith(data) else b""
                    return b""
                self._frame = self._new_frame()
            part: bytes = self._frame.decompress(data, limit)
            ended = self._frame.eof
            data = self._frame.unused_data if ended else getattr(self._frame, "unconsumed_tail", b"")
            if part or not data:
                self._pending, self.complete = data, ended
                return part
        raise OriginFailed("a coded body of many empty frames")


class _Deflate:
    """The zlib format (RFC 1950), or, as some servers send, bare deflate data (RFC 1951)."""

    def __init__(self) -> None:
        self._stream: zlib._Decompress | None = None
        self._pending = b""
        self.complete = False

    def decode(self, data: bytes, limit: int) -> bytes:
        data = self._pending + data
        if self._stream is None:
            if len(data) < 2:
                self._pending = data
                return b""
            has_header = data[0] & 15 == zlib.DEFLATED and int.from_bytes(data[:2], "big") % 31 == 0
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
        if self._stream.eof:
            return b""
        part = self._stream.decompress(data, limit)
        self._pending = self._stream.unconsumed_tail
        self.complete = self._stream.eof
        return part


class _Brotli:
    """RFC 7932."""

    def __init__(self) -> None:
        self._stream = brotli.Decompressor()
        self.complete = False

    def decode(self, data: bytes, limit: int) -> bytes:
        part: bytes = self._stream.process(data, output_buffer_limit=limit)
        self.complete = self._stream.is_finished()
        return part


def _gzip() -> _Frames:
    return _Frames(partial(zlib.decompressobj, 16 + zlib.MAX_WBITS), _GZIP_MAGIC)


def _zstandard() -> _Frames:
    options = {int(zstd.DecompressionParameter.window_log_max): _LARGEST_WINDOW_LOG}
    return _Frames(partial(zstd.ZstdDecompressor, options=options))


_DECODERS: dict[str, Callable[[], _Decoder]] = {
    "br": _Brotli,
    "deflate": _Deflate,
    "gzip": _gzip,
    "zstd": _zstandard,
}
