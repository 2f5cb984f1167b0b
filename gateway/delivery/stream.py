"""Delivery by streaming: the bytes pass through, as many at a time as the visitor takes."""

import errno
import time
from collections.abc import Callable, Iterator
from functools import partial

from gateway.delivery.etag import EntityTags
from gateway.delivery.exchange import ClientConnection, DownloadRequest, DownloadResponse, EmptyBody
from gateway.delivery.expected import refuse_missing_image
from gateway.delivery.headers import Headers, not_modified_headers, stream_headers
from gateway.delivery.range_header import parse_range
from gateway.delivery.resuming_reader import RenewAny, ResumingReader
from gateway.errors import (
    FileTooLarge,
    GatewayError,
    LinkExpired,
    OriginFailed,
    PreconditionFailed,
    RangeNotSatisfiable,
)
from gateway.files.byte_range import ByteRange
from gateway.files.file_info import FileInfo
from gateway.limits.stream_slots import SlotLimiter
from gateway.links.link import Link
from gateway.observability.transfer_stats import TransferStats
from gateway.sources.base import Source

SMALL_CHUNK = 16 * 1024  # where there is room at all, the visitor's kernel takes so much at once
MEDIUM_CHUNK = 96 * 1024
MEDIUM_AFTER = 32 * 1024
LARGE_CHUNK = 2**21
LARGE_AFTER = 4 * 2**20  # far more than the kernels between the origin and a visitor take for one who reads nothing
SLOW_S, FAST_S = 0.1, 0.01  # who takes longer for a chunk is given small ones; who takes less, larger ones


class Streamer:
    """Opens sources and streams them on.

    Args:
        tags: makes our entity tags.
        places: how many streams may run at once in this worker.
        max_bytes: the largest file that is passed on.
        renew: makes a new source in place of one that died in mid-stream, or raises why there is none.
        allow_markup: whether HTML and XML pass where an image is expected.
        resource_policy: the ``Cross-Origin-Resource-Policy`` of every stream (Fetch standard, section 3.7).
    """

    def __init__(
        self,
        tags: EntityTags,
        slots: SlotLimiter,
        max_bytes: int,
        renew: RenewAny,
        *,
        allow_markup: bool = False,
        resource_policy: str = "same-origin",
    ) -> None:
        self._tags = tags
        self._slots = slots
        self._max_bytes = max_bytes
        self._renew = renew
        self._allow_markup = allow_markup
        self._resource_policy = ("Cross-Origin-Resource-Policy", resource_policy)

    def check_slots(self, link: Link, request: DownloadRequest) -> None:
        """Tell whether there is a place, without taking it.

        Raises:
            GatewayBusy, TooManyStreams: there is none, or none for this visitor.
        """
        self._slots.acquire(request.visitor, link)()

    def begin(
        self, link: Link, source: Source, request: DownloadRequest, byte_range: ByteRange | None = None
    ) -> "StreamBody":
        """Take a place and open the source, so that what is wrong is known before anything is sent.

        Raises:
            GatewayBusy, TooManyStreams: no place is left, or none for this visitor.
            OriginError: the origin does not give the file.
        """
        release = self._slots.acquire(request.visitor, link)
        try:
            opened = source.open(byte_range)
        except BaseException:
            release()
            raise
        file = ResumingReader(opened, source, partial(self._renew, link.task_id, link.url))
        stream = StreamBody(file, request.connection, release, self._max_bytes)
        try:
            self.refuse_missing_image(link, source, opened.info)
            self._refuse_too_large(opened.info)
        except BaseException:
            stream.close()
            raise
        return stream

    def deliver(
        self,
        link: Link,
        source: Source,
        request: DownloadRequest,
        completed: Callable[[], None],
        begun: "StreamBody | None" = None,
    ) -> DownloadResponse:
        """Answer 200, 206 or 304; or 200 without a body for HEAD. Conditions come in the order of RFC 9110 13.2.2.

        ``completed`` is called when the visitor has taken the file's last byte; ``begun`` is the whole file, where
        it is open already.

        Raises:
            LinkExpired: the link is over, and this does not go on with a download begun before.
            PreconditionFailed: 412.
            RangeNotSatisfiable: 416.
            OriginError, GatewayBusy, TooManyStreams: the file cannot be had.
        """
        if begun is not None or request.is_unconditional:
            return self._run(link, request, begun or self.begin(link, source, request), completed)
        info = source.look()
        if link.over and not self._tags.matches(request.resumes, link, info):
            raise LinkExpired("that download is of another file")
        self.refuse_missing_image(link, source, info)
        if request.if_match is not None and not self._tags.precondition_holds(request.if_match, link, info):
            raise PreconditionFailed("If-Match names no tag of this file")
        if request.if_none_match and self._tags.any_matches(request.if_none_match, link, info):
            return DownloadResponse(
                304,
                not_modified_headers(self._tags.of(link, info), request),
                EmptyBody(),
                TransferStats("not_modified"),
            )
        if request.method == "HEAD":
            self._refuse_too_large(info)
            headers = self._file_headers(link, request, info, None)
            return DownloadResponse(200, headers, EmptyBody(), TransferStats("looked"))
        return self._run(link, request, self._begin_part(link, source, request), completed)

    def _begin_part(self, link: Link, source: Source, request: DownloadRequest) -> "StreamBody":
        """Open what the request's Range means; look anew, once, when the file is another than was thought.

        Where it is another every time, the whole file is the answer, as for a server without ranges.
        """
        for _ in range(2):
            info = source.look()
            byte_range = self._span(link, info, request)
            if byte_range is None:
                break
            try:
                stream = self.begin(link, source, request, byte_range)
            except RangeNotSatisfiable:  # the file is shorter than it was
                source.forget(info)
                continue
            if stream.byte_range is None:
                return stream
            if _same_file(info, stream.info):
                stream.info = info
                return stream
            stream.close()
            source.forget(info)
        return self.begin(link, source, request)

    def refuse_missing_image(self, link: Link, source: Source, info: FileInfo) -> None:
        """Refuse what cannot be the image that is expected.

        Raises:
            OriginEmpty, OriginNotImage: it is empty, or markup that is not allowed.
        """
        refuse_missing_image(link, source, info, allow_markup=self._allow_markup)

    def _refuse_too_large(self, info: FileInfo) -> None:
        if (info.length or 0) > self._max_bytes:
            raise FileTooLarge(f"{info.length} bytes")

    def _span(self, link: Link, info: FileInfo, request: DownloadRequest) -> ByteRange | None:
        if not info.ranges or info.length is None:
            return None
        if request.if_range and not self._tags.matches(request.if_range, link, info):
            return None
        return parse_range(request.range, info.length)

    def _run(
        self, link: Link, request: DownloadRequest, stream: "StreamBody", completed: Callable[[], None]
    ) -> DownloadResponse:
        stream.on_completed(completed)
        try:
            headers = self._headers(link, request, stream)
        except BaseException:
            stream.close()
            raise
        return DownloadResponse(206 if stream.byte_range else 200, headers, stream, stream.stats)

    def _headers(self, link: Link, request: DownloadRequest, stream: "StreamBody") -> Headers:
        if link.over and stream.byte_range is None:
            raise LinkExpired("of this file there is only the whole")
        return self._file_headers(link, request, stream.info, stream.byte_range)

    def _file_headers(
        self, link: Link, request: DownloadRequest, info: FileInfo, byte_range: ByteRange | None
    ) -> Headers:
        return [*stream_headers(link, info, byte_range, self._tags.of(link, info), request), self._resource_policy]


def _same_file(known: FileInfo, found: FileInfo) -> bool:
    return (known.validator, known.length) == (found.validator, found.length)


class StreamBody:
    """The body of a streamed response. Whoever has it closes it; until then it holds a place and a connection."""

    __slots__ = (
        "_completed",
        "_connection",
        "_file",
        "_max_bytes",
        "_release",
        "byte_range",
        "info",
        "stats",
    )

    def __init__(
        self, file: ResumingReader, connection: ClientConnection, release: Callable[[], None], max_bytes: int
    ) -> None:
        self.info, self.byte_range, self.stats = file.info, file.byte_range, file.stats
        self._file = file
        self._connection = connection
        self._release: Callable[[], None] | None = release
        self._completed: Callable[[], None] | None = None
        self._max_bytes = max_bytes

    @property
    def descriptor(self) -> int | None:
        """The descriptor of a file of our own, positioned where this stream begins."""
        return self._file.descriptor

    def passed(self, count: int) -> None:
        """Note that the kernel took so many bytes of that file.

        Raises:
            ConnectionResetError: it ended too soon.
        """
        if not count:
            self.stats.outcome, self.stats.broke_off = OriginFailed.code, True
            raise ConnectionResetError(errno.ECONNRESET, "the file is shorter than it was")
        self.stats.sent += count
        time.sleep(0)  # a fast disk and a fast visitor would keep everybody else waiting
        if self.stats.sent == (len(self.byte_range) if self.byte_range else self.info.length):
            self._finish()

    def on_completed(self, call: Callable[[], None]) -> None:
        """Have ``call`` called when the file's last byte was taken."""
        self._completed = call

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes in chunks: small ones at first and to the slow, ever larger ones to the fast.

        A chunk is read when there is room for it. Before a wait for room, and before each large one, comes an
        empty one, so that nobody down the line holds the last one for as long. No byte beyond the limit is given.

        Raises:
            ConnectionResetError: the origin failed for good. Bytes are out, so the connection is cut where it is: the
                visitor sees a broken transfer, never a short file that looks whole.
        """
        file, connection, amount = self._file, self._connection, SMALL_CHUNK
        try:
            while not file.at_end:
                before = time.monotonic()
                has_room = connection.has_room()
                if not has_room or amount > MEDIUM_CHUNK:
                    chunk = b""
                    yield chunk
                if not has_room:
                    connection.wait_for_room()
                    if time.monotonic() - before > SLOW_S:
                        amount = SMALL_CHUNK
                chunk = file.read(amount)
                if not chunk:
                    break
                if self.stats.sent + len(chunk) > self._max_bytes:
                    raise FileTooLarge("the file goes on beyond the limit")
                yield chunk
                self.stats.sent += len(chunk)
                took_s = time.monotonic() - before
                if took_s <= FAST_S:
                    amount = self._larger(amount)
                elif took_s > SLOW_S:
                    amount = SMALL_CHUNK
        except GatewayError as error:
            self.stats.outcome, self.stats.broke_off = error.code, True
            raise ConnectionResetError(errno.ECONNRESET, "the origin failed in mid-stream") from error
        self._finish()

    def close(self) -> None:
        """Give back the place and the connection; calling it again does nothing."""
        release, self._release = self._release, None
        if release is None:
            return
        if self.stats.outcome == "begun":
            self.stats.outcome = "left"  # the visitor went away
        try:
            self._file.close()
        finally:
            release()

    def _larger(self, amount: int) -> int:
        sent = self.stats.sent
        largest = LARGE_CHUNK if sent > LARGE_AFTER else MEDIUM_CHUNK if sent > MEDIUM_AFTER else 2 * SMALL_CHUNK
        return min(2 * amount, largest)

    def _finish(self) -> None:
        self.stats.outcome = "completed"
        reached_end = self.byte_range is None or self.byte_range.last + 1 == self.info.length
        if reached_end and self._completed is not None:
            self._completed()
