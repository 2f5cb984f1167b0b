"""Decide how to answer a download: a pure function of the link, the request and the file's metadata."""

from dataclasses import dataclass

from gateway.delivery.etag import EntityTags
from gateway.delivery.exchange import DownloadRequest
from gateway.delivery.image_check import check_image
from gateway.delivery.range_header import parse_range
from gateway.errors import FileTooLarge, LinkExpired, PreconditionFailed
from gateway.files.byte_range import ByteRange
from gateway.files.file_info import FileInfo
from gateway.links.link import Link, Mode


@dataclass(frozen=True, slots=True)
class Redirect:
    """Answer 302 to the direct URL."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stream:
    """Answer 200 with the whole file, or 206 with one range of it."""

    reason: str
    byte_range: ByteRange | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """Answer 200 with the headers alone."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotModified:
    """Answer 304."""

    reason: str


@dataclass(frozen=True, slots=True)
class Inspect:
    """Get the file's metadata, then plan again.

    Attributes:
        by_opening: open the whole file for it, as it is probably streamed; else probe it.
    """

    by_opening: bool


Plan = Redirect | Stream | Head | NotModified | Inspect


@dataclass(frozen=True, slots=True)
class Planner:
    """The settings that a plan depends on.

    Attributes:
        tags: compares entity tags.
        default_mode: of links without a mode.
        max_bytes: the largest file that is streamed.
        allow_markup: whether HTML and XML are streamed where an image is expected.
    """

    tags: EntityTags
    default_mode: Mode
    max_bytes: int
    allow_markup: bool = False

    def plan(
        self,
        link: Link,
        request: DownloadRequest,
        info: FileInfo | None,
        *,
        redirect_blocker: str = "",
        sets_filename: bool = True,
        ignore_range: bool = False,
    ) -> Plan:
        """Decide what to answer. Conditions are evaluated in the order of RFC 9110 section 13.2.2.

        Args:
            link: verified.
            request: what the client asks.
            info: the file's metadata; None when they are not known yet.
            redirect_blocker: why the source cannot be redirected to; empty when it can.
            sets_filename: whether a browser that follows a redirect saves the file under the link's name.
            ignore_range: send the whole file, as a server may (RFC 9110 section 14.2).

        Raises:
            LinkExpired: the link has expired, and the request does not resume an earlier download.
            PreconditionFailed, RangeNotSatisfiable: 412, 416.
            OriginEmpty, OriginNotImage, FileTooLarge: the file is not delivered.
        """
        mode = link.mode or self.default_mode
        reason = self.stream_reason(link, request) or redirect_blocker
        if not reason and mode == "auto" and link.filename is not None and not sets_filename:
            reason = "filename"
        if reason and request.is_unconditional:
            return Stream(reason)  # the file is checked when it is open
        if not reason and mode == "redirect":
            return Redirect("mode")
        if info is None:
            return Inspect(by_opening=request.is_unconditional)
        if link.resume_only and not self.tags.matches(request.resumes, link, info):
            raise LinkExpired("the download that it resumes is of another file")
        check_image(link, info, allow_markup=self.allow_markup)
        if not reason and info.attachment:
            return Redirect("attachment")
        return self._plan_stream(link, request, info, reason or "no-attachment", ignore_range=ignore_range)

    def stream_reason(self, link: Link, request: DownloadRequest) -> str:
        """Why this request is streamed, whatever the source; empty when a redirect is possible."""
        if not link.signed:
            return "unsigned"
        if (link.mode or self.default_mode) == "stream":
            return "mode"
        if request.method == "HEAD":  # a presigned GET URL answers HEAD with 403
            return "head"
        if request.range or request.if_range:
            return "range"
        return "cors" if request.cors_origin else ""

    def check_open_file(self, link: Link, info: FileInfo, byte_range: ByteRange | None) -> None:
        """Check a file whose metadata were not known when it was planned.

        Raises:
            OriginEmpty, OriginNotImage, FileTooLarge: the file is not delivered.
            LinkExpired: the link has expired, and the origin sends the whole file in place of the rest.
        """
        if link.resume_only and byte_range is None:
            raise LinkExpired("the origin does not send parts of this file")
        check_image(link, info, allow_markup=self.allow_markup)
        self._refuse_too_large(info)

    def _plan_stream(
        self, link: Link, request: DownloadRequest, info: FileInfo, reason: str, *, ignore_range: bool
    ) -> Plan:
        if request.if_match is not None and not self.tags.precondition_holds(request.if_match, link, info):
            raise PreconditionFailed("If-Match names no tag of this file")
        if request.if_none_match and self.tags.any_matches(request.if_none_match, link, info):
            return NotModified(reason)
        if request.method == "HEAD":
            self._refuse_too_large(info)
            return Head(reason)
        return Stream(reason, None if ignore_range else self._byte_range(link, request, info))

    def _byte_range(self, link: Link, request: DownloadRequest, info: FileInfo) -> ByteRange | None:
        if not info.ranges or info.length is None:
            return None
        if request.if_range and not self.tags.matches(request.if_range, link, info):
            return None
        return parse_range(request.range, info.length)

    def _refuse_too_large(self, info: FileInfo) -> None:
        if (info.length or 0) > self.max_bytes:
            raise FileTooLarge(f"{info.length} bytes")
