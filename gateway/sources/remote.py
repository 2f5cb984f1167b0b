"""A source behind a URL: opened through the guard, and learned from what its origin says."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from sys import getsizeof

from gateway.egress.client import Client, OriginResponse, origin_errors
from gateway.egress.coding import codings_of, decoded
from gateway.egress.deadline import deadline
from gateway.egress.fresh_stack import run_on_fresh_stack
from gateway.egress.retry_after import seconds_of
from gateway.egress.urls import uri_of
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
_SOURCE_BYTES = 1536  # of memory, with what it learns of the file
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII)
_UNSATISFIED_RANGE = re.compile(r"bytes \*/(\d{1,18})", re.ASCII)


class _CodedPart(OriginFailed):
    """A part of a file in a content coding: its positions count coded bytes."""


class RemoteSource:
    """One file at one URL, reached through the guard.

    Args:
        client: the way out.
        url: where the bytes are; short-lived and never shown, except as ``direct_url``.
        expires_at: Unix seconds until which the URL is good.
        sendable: whether a browser may be sent there.
        listed_only: whether redirects must stay on the list of origins.
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
        self.sets_filename = False  # nothing may be added to somebody else's presigned URL
        self.info: FileInfo | None = None
        self._probed = self._checked = False

    def __sizeof__(self) -> int:
        """Its bytes in memory, for the cache that it is kept in."""
        return _SOURCE_BYTES + getsizeof(self._url)

    def direct_url(self, disposition: str, content_type: str) -> str:  # noqa: ARG002 (its origin says its own)
        """The URL, byte for byte, but for spaces and letters that a URI cannot hold: these are percent-encoded.

        Raises:
            OriginUnsafe: its name leads to an address that nobody is sent to.
        """
        if not self._checked and self.info is None:
            self._client.check(self._url)
        self._checked = True
        return uri_of(self._url)

    def probe(self) -> FileInfo:
        """Learn what the file is without fetching it; asks the origin once and remembers.

        Raises:
            OriginError: the origin does not give the file.
        """
        info = self.info
        if info is None or not (info.ranges or self._probed):
            info = self._probe()
        return info

    def forget(self, seen: FileInfo | None) -> None:
        """Look anew the next time, unless somebody else has meanwhile."""
        if self.info is seen:
            self.info, self._probed = None, False

    def _probe(self) -> FileInfo:
        try:
            opened = self._beginning() or self._beginning()
        except _CodedPart:
            opened = None
        if opened is None:  # some servers cannot take a range, and say so in their own ways
            opened = self._open(None)
            self.info = opened.info = replace(opened.info, ranges=False)
        opened.close()
        self._probed = True
        return opened.info

    def _beginning(self) -> OpenFile | None:
        """Open the first bytes; None when the answer makes no sense, once or for good."""
        try:
            return self._open(ByteRange(0, HEAD_BYTES - 1))
        except OriginFailed as failed:
            # A connection that broke says nothing of ranges.
            if failed.__cause__ is not None or isinstance(failed, _CodedPart):
                raise
        except RangeNotSatisfiable:
            pass
        return None

    def open(self, byte_range: ByteRange | None = None, known: FileInfo | None = None) -> OpenFile:
        """Open the whole file, or one span of it.

        The answer to a span is that span, or the whole file: when the origin ignores ranges, and when it has another
        file than the ``known`` one, whose strong entity tag it is told (``If-Range``, RFC 9110 section 13.1.5). See
        ``OpenFile.byte_range``. Look before asking for a span, as the type of a file is told by its beginning.

        Raises:
            OriginError: the origin does not give the file.
            RangeNotSatisfiable: the file is shorter than the span's first position.
        """
        return run_on_fresh_stack(self._open, byte_range, if_range_of(known.validator) if known else "")

    def _open(self, byte_range: ByteRange | None, if_range: str = "") -> OpenFile:
        """Until the first bytes are in, everything has one deadline."""
        with origin_errors(), deadline(OPEN_DEADLINE_S):
            answer = self._client.get(
                self._url,
                byte_range=str(byte_range) if byte_range else "",
                if_range=if_range,
                listed_only=self._listed_only,
            )
            return self._first_bytes(answer, byte_range)

    def _first_bytes(self, answer: OriginResponse, byte_range: ByteRange | None) -> OpenFile:
        try:
            opened = self._understood(answer, byte_range)
        except BaseException:
            answer.close()
            raise
        answer.drop_headers()
        return opened

    def _understood(self, answer: OriginResponse, byte_range: ByteRange | None) -> OpenFile:
        if answer.status == 206:
            return self._whole_as_part(answer) if byte_range is None else self._part(answer, byte_range)
        if byte_range is not None and answer.status == 416:
            return self._nothing(answer, byte_range)
        _refuse(answer)
        return self._whole(answer, answer.length, ranges="bytes" in answer.header("Accept-Ranges").lower())

    def _whole(self, answer: OriginResponse, length: int | None, *, ranges: bool) -> OpenFile:
        codings = _codings(answer)
        body = decoded(answer, codings)
        try:
            begun = _peek(body.read, HEAD_BYTES)
        except BaseException:
            body.close()
            raise
        if self.info is not None and self.info.ranges:
            ranges = True  # a part was had before, although the origin does not say so
        if codings:  # positions and lengths would count coded bytes
            length, ranges = None, False
        self.info = _file_info(answer, length, begun[:HEAD_BYTES], ranges=ranges, codings=codings)
        return OpenFile(self.info, None, body, begun)

    def _whole_as_part(self, answer: OriginResponse) -> OpenFile:
        """A 206 although no part was asked for: it is the file where it spans all of it."""
        byte_range, length = _content_range(answer)
        if (byte_range.first, byte_range.last) != (0, length - 1):
            raise OriginFailed("a part that was not asked for")
        return self._whole(answer, length, ranges=True)

    def _part(self, answer: OriginResponse, asked: ByteRange) -> OpenFile:
        if _codings(answer):
            raise _CodedPart("a part of a coded file")
        byte_range, length = _content_range(answer)
        if byte_range.first != asked.first or byte_range.last > asked.last or byte_range.last >= length:
            raise OriginFailed("another range than the one asked for")
        # Only the file's beginning tells its type; of a later part any byte is progress.
        begun = _peek(answer.read, HEAD_BYTES if asked.first == 0 else 1)
        known = self.info
        begins = asked.first == 0 and len(begun) >= min(HEAD_BYTES, length)
        head = begun[:HEAD_BYTES] if begins else known.head if known else b""
        info = _file_info(answer, length, head, ranges=True)
        if begins and (known is None or not known.ranges):
            self.info = info
        return OpenFile(info, byte_range, answer, begun)

    def _nothing(self, answer: OriginResponse, asked: ByteRange) -> OpenFile:
        """A 416: the file is empty, or shorter than thought."""
        match = _UNSATISFIED_RANGE.fullmatch(answer.header("Content-Range"))
        if asked.first > 0 or not match or int(match[1]) != 0:
            self.forget(self.info)
            raise RangeNotSatisfiable(int(match[1])) if match else OriginFailed("416 without a length")
        self.info = _file_info(answer, 0, b"", ranges=True)
        return OpenFile(self.info, None, answer, b"")


def _peek(read: Callable[[int], bytes], least: int) -> bytes:
    """Read until ``least`` bytes are in, or the end."""
    begun = b""
    while len(begun) < least and (part := read(16 * 1024)):
        begun += part
    return begun


def _codings(answer: OriginResponse) -> tuple[str, ...]:
    """The codings of a body; none of an empty one, whatever is said of it."""
    return codings_of(answer.header("Content-Encoding")) if answer.length != 0 else ()


def _file_info(
    answer: OriginResponse, length: int | None, head: bytes, *, ranges: bool, codings: tuple[str, ...] = ()
) -> FileInfo:
    validator = validator_of(answer.header, answer.url)
    # Parts under one weak validator may be of two files. A malformed tag is as weak, and no missing one.
    declared = answer.header_type("Content-Type")
    is_weak = bool(validator or answer.header("ETag")) and not is_strong(validator)
    return FileInfo(
        length=length,
        head=head,
        validator=validator,
        ranges=ranges and not is_weak,
        attachment=answer.header_type("Content-Disposition") == "attachment",
        encoding=", ".join(codings),
        declared_image=declared.startswith("image/"),
        declared_svg=declared == "image/svg+xml",
    )


def _content_range(answer: OriginResponse) -> tuple[ByteRange, int]:
    match = _CONTENT_RANGE.fullmatch(answer.header("Content-Range"))
    if not match or int(match[1]) > int(match[2]):
        raise OriginFailed("206 without a usable Content-Range")
    byte_range = ByteRange(int(match[1]), int(match[2]))
    if answer.length not in (None, len(byte_range)):
        raise OriginFailed("206 whose length contradicts its range")
    return byte_range, int(match[3])


def _refuse(answer: OriginResponse) -> None:
    """Raise for every status but 200."""
    status = answer.status
    if status == 200:
        return
    if status == 404:
        raise OriginNotFound("404")
    if status == 410:
        raise OriginGone("410")
    if status in {400, 401, 403}:  # 400 and 403 are what an expired presigned URL answers
        raise OriginRefused(str(status))
    if status in {429, 503}:
        raise OriginBusy(str(status), retry_after_s=seconds_of(answer.header("Retry-After")))
    raise OriginFailed(str(status))
