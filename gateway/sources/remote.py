"""A file at a direct URL: opened through the guard, with the metadata that its origin sends."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from sys import getsizeof

from gateway.egress.client import Client, OriginResponse, origin_errors
from gateway.egress.coding import decode_body, parse_content_encoding
from gateway.egress.deadline import deadline
from gateway.egress.fresh_stack import run_on_fresh_stack
from gateway.egress.retry_after import parse_retry_after
from gateway.egress.urls import to_uri
from gateway.errors import (
    OriginBusy,
    OriginFailed,
    OriginGone,
    OriginNotFound,
    OriginRefused,
    RangeNotSatisfiable,
)
from gateway.files.byte_range import ByteRange
from gateway.files.file_info import HEAD_BYTES, FileInfo
from gateway.sources.base import OpenFile
from gateway.sources.validators import if_range_of, is_strong, validator_of

OPEN_DEADLINE_S = 12.0
_SOURCE_BYTES = 1536  # of memory, with the metadata
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII)
_UNSATISFIED_RANGE = re.compile(r"bytes \*/(\d{1,18})", re.ASCII)


class _EncodedRange(OriginFailed):
    """A range of a file in a content coding: its positions count encoded bytes."""


class RemoteSource:
    """One file at one direct URL.

    Args:
        client: fetches through the guard.
        url: the direct URL; short-lived, and shown only as ``direct_url``.
        expires_at: Unix seconds until which the URL can be used.
        sendable: whether a browser can be redirected there.
        listed_only: whether redirects must lead to origins of the allow-list.
    """

    def __init__(
        self, client: Client, url: str, expires_at: float, *, sendable: bool, listed_only: bool = False
    ) -> None:
        self._client = client
        self._url = url
        self._listed_only = listed_only
        self.expires_at = expires_at
        self.made_at = time.monotonic()
        self.redirect_blocker = "" if sendable else "insecure-target"
        self.sets_filename = False  # nothing can be added to a presigned URL
        self.info: FileInfo | None = None
        self._probed = self._checked = False

    def __sizeof__(self) -> int:
        """Bytes of memory, for the cache."""
        return _SOURCE_BYTES + getsizeof(self._url)

    def direct_url(self, disposition: str, content_type: str) -> str:  # noqa: ARG002 (the origin sends its own headers)
        """The URL, unchanged except that characters outside RFC 3986 are percent-encoded.

        Raises:
            OriginUnsafe: its host has an address that the guard refuses.
        """
        if not self._checked and self.info is None:
            self._client.check(self._url)
        self._checked = True
        return to_uri(self._url)

    def probe(self) -> FileInfo:
        """Get the metadata by a request for the first bytes, and keep them.

        Raises:
            OriginError: the origin does not send the file.
        """
        info = self.info
        if info is None or not (info.ranges or self._probed):
            info = self._probe()
        return info

    def forget(self, seen: FileInfo | None) -> None:
        """Drop the metadata, unless they have changed since ``seen``."""
        if self.info is seen:
            self.info, self._probed = None, False

    def _probe(self) -> FileInfo:
        try:
            opened = self._open_first_bytes() or self._open_first_bytes()
        except _EncodedRange:
            opened = None
        if opened is None:  # some servers fail on a range
            opened = self._open(None)
            self.info = opened.info = replace(opened.info, ranges=False)
        opened.close()
        self._probed = True
        return opened.info

    def _open_first_bytes(self) -> OpenFile | None:
        """Open the first bytes; None when the origin fails on a range, perhaps only this time."""
        try:
            return self._open(ByteRange(0, HEAD_BYTES - 1))
        except OriginFailed as failed:
            # A broken connection is no statement about ranges.
            if failed.__cause__ is not None or isinstance(failed, _EncodedRange):
                raise
        except RangeNotSatisfiable:
            pass
        return None

    def open(self, byte_range: ByteRange | None = None, known: FileInfo | None = None) -> OpenFile:
        """Open the whole file, or one range of it; see ``Source.open``.

        The origin sends the whole file when it ignores ranges, and when it has another file than the ``known`` one,
        whose strong entity tag is sent as ``If-Range`` (RFC 9110 section 13.1.5).

        Raises:
            OriginError: the origin does not send the file.
            RangeNotSatisfiable: the file is shorter than the range's first position.
        """
        return run_on_fresh_stack(self._open, byte_range, if_range_of(known.validator) if known else "")

    def _open(self, byte_range: ByteRange | None, if_range: str = "") -> OpenFile:
        """Open it; the connection, the headers and the first bytes share one deadline."""
        with origin_errors(), deadline(OPEN_DEADLINE_S):
            response = self._client.get(
                self._url,
                byte_range=str(byte_range) if byte_range else "",
                if_range=if_range,
                listed_only=self._listed_only,
            )
            return self._open_response(response, byte_range)

    def _open_response(self, response: OriginResponse, byte_range: ByteRange | None) -> OpenFile:
        try:
            opened = self._open_by_status(response, byte_range)
        except BaseException:
            response.close()
            raise
        response.drop_headers()
        return opened

    def _open_by_status(self, response: OriginResponse, byte_range: ByteRange | None) -> OpenFile:
        if response.status == 206:
            return self._open_whole_as_range(response) if byte_range is None else self._open_range(response, byte_range)
        if byte_range is not None and response.status == 416:
            return self._open_unsatisfied(response, byte_range)
        _refuse(response)
        return self._open_whole(response, response.length, ranges="bytes" in response.header("Accept-Ranges").lower())

    def _open_whole(self, response: OriginResponse, length: int | None, *, ranges: bool) -> OpenFile:
        codings = _codings(response)
        body = decode_body(response, codings)
        try:
            begun = _peek(body.read, HEAD_BYTES)
        except BaseException:
            body.close()
            raise
        if self.info is not None and self.info.ranges:
            ranges = True  # a range was received before, although the origin does not announce ranges
        if codings:  # positions and lengths would count encoded bytes
            length, ranges = None, False
        self.info = _file_info(response, length, begun[:HEAD_BYTES], ranges=ranges, codings=codings)
        return OpenFile(self.info, None, body, begun)

    def _open_whole_as_range(self, response: OriginResponse) -> OpenFile:
        """A 206 to a request without a range is the file when it covers the whole file."""
        byte_range, length = _content_range(response)
        if (byte_range.first, byte_range.last) != (0, length - 1):
            raise OriginFailed("a range that was not requested")
        return self._open_whole(response, length, ranges=True)

    def _open_range(self, response: OriginResponse, requested: ByteRange) -> OpenFile:
        if _codings(response):
            raise _EncodedRange("a range of an encoded file")
        byte_range, length = _content_range(response)
        if byte_range.first != requested.first or byte_range.last > requested.last or byte_range.last >= length:
            raise OriginFailed("another range than the one requested")
        # The media type is in the first bytes of the file; of a later range one byte is enough.
        begun = _peek(response.read, HEAD_BYTES if requested.first == 0 else 1)
        known = self.info
        begins = requested.first == 0 and len(begun) >= min(HEAD_BYTES, length)
        head = begun[:HEAD_BYTES] if begins else known.head if known else b""
        info = _file_info(response, length, head, ranges=True)
        if begins and (known is None or not known.ranges):
            self.info = info
        return OpenFile(info, byte_range, response, begun)

    def _open_unsatisfied(self, response: OriginResponse, requested: ByteRange) -> OpenFile:
        """A 416: the file is empty, or shorter than known."""
        match = _UNSATISFIED_RANGE.fullmatch(response.header("Content-Range"))
        if requested.first > 0 or not match or int(match[1]) != 0:
            self.forget(self.info)
            raise RangeNotSatisfiable(int(match[1])) if match else OriginFailed("416 without a length")
        self.info = _file_info(response, 0, b"", ranges=True)
        return OpenFile(self.info, None, response, b"")


def _peek(read: Callable[[int], bytes], least: int) -> bytes:
    """Read at least ``least`` bytes, or to the end."""
    begun = b""
    while len(begun) < least and (part := read(16 * 1024)):
        begun += part
    return begun


def _codings(response: OriginResponse) -> tuple[str, ...]:
    """The content codings of a body; none of an empty body."""
    return parse_content_encoding(response.header("Content-Encoding")) if response.length != 0 else ()


def _file_info(
    response: OriginResponse, length: int | None, head: bytes, *, ranges: bool, codings: tuple[str, ...] = ()
) -> FileInfo:
    validator = validator_of(response.header, response.url)
    # Ranges under one weak validator may belong to two files. A malformed entity tag counts as weak, not as missing.
    declared = response.header_type("Content-Type")
    is_weak = bool(validator or response.header("ETag")) and not is_strong(validator)
    return FileInfo(
        length=length,
        head=head,
        validator=validator,
        ranges=ranges and not is_weak,
        attachment=response.header_type("Content-Disposition") == "attachment",
        encoding=", ".join(codings),
        declared_image=declared.startswith("image/"),
        declared_svg=declared == "image/svg+xml",
    )


def _content_range(response: OriginResponse) -> tuple[ByteRange, int]:
    match = _CONTENT_RANGE.fullmatch(response.header("Content-Range"))
    if not match or int(match[1]) > int(match[2]):
        raise OriginFailed("206 without a usable Content-Range")
    byte_range = ByteRange(int(match[1]), int(match[2]))
    if response.length not in (None, len(byte_range)):
        raise OriginFailed("206 whose length contradicts its range")
    return byte_range, int(match[3])


def _refuse(response: OriginResponse) -> None:
    """Raise an error for every status except 200."""
    status = response.status
    if status == 200:
        return
    if status == 404:
        raise OriginNotFound("404")
    if status == 410:
        raise OriginGone("410")
    if status in {400, 401, 403}:  # 400 and 403 are what an expired presigned URL answers
        raise OriginRefused(str(status))
    if status in {429, 503}:
        raise OriginBusy(str(status), retry_after_s=parse_retry_after(response.header("Retry-After")))
    raise OriginFailed(str(status))
