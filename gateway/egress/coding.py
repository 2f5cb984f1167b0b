"""Decoding of content codings (RFC 9110 section 8.4) that origins apply although ``identity`` was requested."""

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

MAX_CODINGS = 2
MAX_OPEN = 32  # decoders with large windows, of 8 or 16 MiB each, per worker
MAX_RATIO, FREE_BYTES = 100, 32 * 2**20  # decoded to coded bytes, after FREE_BYTES decoded bytes
MAX_WITHOUT_OUTPUT = 2**20
MAX_EMPTY_FRAMES = 64
_LARGEST_WINDOW_LOG = 23  # RFC 9659: 8 MiB
_CODED_CHUNK = 16 * 1024
_DECODED_CHUNK = 64 * 1024  # a fraction of a millisecond of CPU time
_MAX_TURN_S = 0.001
_GZIP_MAGIC = b"\x1f\x8b"
# The rest of IANA's HTTP Content Coding Registry, without identity.
_NOT_DECODED = {"aes128gcm", "compress", "dcb", "dcz", "exi", "pack200-gzip", "x-compress"}


class Readable(Protocol):
    """A coded body: an open response of an origin."""

    def read(self, amount: int, /) -> bytes:
        """Read at most ``amount`` bytes that have arrived; empty at the end."""

    def close(self) -> None:
        """Close it."""


class _Decoder(Protocol):
    """Decodes one coding.

    Attributes:
        complete: whether the coded stream has ended.
    """

    complete: bool

    def decode(self, data: bytes, limit: int) -> bytes:
        """Decode at most about ``limit`` bytes. More data is passed only after a call returned nothing."""


def parse_content_encoding(content_encoding: str) -> tuple[str, ...]:
    """Parse ``Content-Encoding``: the codings to decode, in the order in which they were applied.

    Unregistered codings (``aws-chunked``, ``UTF-8``, ``base64``, ``none``, which uploads leave) count as ``identity``.

    Raises:
        OriginFailed: a registered coding that is not supported, or too many codings.
    """
    named = [coding.strip(" \t").removeprefix("x-") for coding in content_encoding.lower().split(",")]
    if not _NOT_DECODED.isdisjoint(named):
        raise OriginFailed("a content coding that is not supported")
    codings = tuple(coding for coding in named if coding in _DECODERS)
    if len(codings) > MAX_CODINGS:
        raise OriginFailed("too many content codings")
    return codings


def decode_body(body: Readable, codings: tuple[str, ...]) -> Readable:
    """Decode a body. Closing the result closes the body.

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

    Bounded are the ratio of decoded to coded bytes, the coded bytes without output, and the decoder's memory. Other
    greenlets run at least every millisecond.

    Args:
        body: the coded body.
        coding: ``gzip``, ``deflate``, ``br`` or ``zstd``.

    Raises:
        GatewayBusy: too many bodies of codings with large windows are decoded at once.
    """

    _open = 0

    def __init__(self, body: Readable, coding: str) -> None:
        self._counted = coding in {"br", "zstd"}
        if self._counted and DecodedBody._open >= MAX_OPEN:
            raise GatewayBusy("too many coded files are decoded at once")
        DecodedBody._open += self._counted
        self._body = body
        self._decoder: _Decoder = _DECODERS[coding]()
        self._decoded = b""
        self._received = self._produced = self._without_output = 0
        self._turn_began = time.monotonic()

    def read(self, amount: int) -> bytes:
        """Read what is there, at most ``amount`` decoded bytes; empty at the end.

        Raises:
            OriginFailed: the body is not in this coding, ends early, or is a decompression bomb.
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
            if self._without_output > MAX_WITHOUT_OUTPUT:
                raise OriginFailed("a coded body without output")
        if self._received and not self._decoder.complete:
            raise OriginFailed("a coded body that ends early")
        return b""

    def _decode(self, data: bytes, limit: int) -> bytes:
        try:
            part = self._decoder.decode(data, limit)
        except (zlib.error, brotli.error, zstd.ZstdError) as broken:
            raise OriginFailed("a body that is not in its content coding") from broken
        if part:
            self._without_output = 0
            self._produced += len(part)
            if self._produced > max(FREE_BYTES, MAX_RATIO * self._received):
                raise OriginFailed("a decompression bomb")
        return part

    def _yield_to_others(self) -> None:
        if time.monotonic() - self._turn_began > _MAX_TURN_S:
            time.sleep(0)
            self._turn_began = time.monotonic()


class _Frames:
    """Concatenated streams with an end mark: members of gzip (RFC 1952), frames of Zstandard (RFC 8878).

    Args:
        new_frame: creates the decoder of a frame.
        magic: the first bytes of a frame; other bytes after the last frame are ignored, as gunzip does. Empty for
            codings that permit no bytes after the last frame.
    """

    def __init__(self, new_frame: Callable[[], Any], magic: bytes = b"") -> None:
        self._new_frame, self._magic = new_frame, magic
        self._frame = new_frame()
        self._pending = b""
        self.complete = False

    def decode(self, data: bytes, limit: int) -> bytes:
        data = self._pending + data
        for _ in range(MAX_EMPTY_FRAMES):
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
        raise OriginFailed("a coded body with many empty frames")


class _Deflate:
    """The zlib format (RFC 1950), or raw deflate data (RFC 1951), which some servers send."""

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
