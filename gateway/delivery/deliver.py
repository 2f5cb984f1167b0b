"""Carry out a plan: redirect, or open the file and stream it."""

from collections.abc import Callable
from functools import partial

from gateway.delivery.exchange import DownloadRequest, DownloadResponse, EmptyBody
from gateway.delivery.headers import (
    Headers,
    disposition_and_type,
    not_modified_headers,
    redirect_headers,
    stream_headers,
)
from gateway.delivery.opening import OpeningRetries
from gateway.delivery.plan import Head, Inspect, NotModified, Plan, Planner, Redirect, Stream
from gateway.delivery.resuming_reader import ResumingReader
from gateway.delivery.stream import StreamBody
from gateway.errors import GatewayBusy, GatewayError, OriginEmpty, OriginNotImage, RangeNotSatisfiable, TooManyStreams
from gateway.files.byte_range import ByteRange
from gateway.files.file_info import FileInfo
from gateway.limits.stream_slots import SlotLimiter
from gateway.links.ledger import Ledger
from gateway.links.link import Link
from gateway.sources.base import Source

MOST_RANGE_ATTEMPTS = 2  # then the whole file is sent, as by a server without ranges

# Arguments: task id, URL, the expired source, its error, and the seconds that remain. Returns a new source.
RenewAny = Callable[[str, str, Source, GatewayError, float], Source]


class _FileChanged(Exception):
    """The file at the origin changed after the range was planned."""


class Deliverer:
    """Delivers sources to clients.

    Args:
        planner: decides how.
        slots: how many streams may run at once in this worker.
        ledger: counts completed downloads.
        renew: replaces an expired source, or raises the reason why it cannot.
        resource_policy: the ``Cross-Origin-Resource-Policy`` of every stream (Fetch standard, section 3.7).
    """

    def __init__(
        self,
        planner: Planner,
        slots: SlotLimiter,
        ledger: Ledger,
        renew: RenewAny,
        *,
        resource_policy: str = "same-origin",
    ) -> None:
        self._planner = planner
        self._slots = slots
        self._ledger = ledger
        self._renew = renew
        self._resource_policy = ("Cross-Origin-Resource-Policy", resource_policy)

    def check_slots(self, link: Link, request: DownloadRequest) -> None:
        """Refuse a request that will need a stream slot when none is free, before the source is resolved.

        Whether a link of mode ``auto`` needs one is not known yet.

        Raises:
            GatewayBusy, TooManyStreams: no slot is free, in all or for this client.
        """
        has_no_body = request.method == "HEAD" or bool(request.if_none_match)
        if not has_no_body and self._planner.stream_reason(link, request):
            self._slots.check(request.visitor, link)

    def deliver(self, link: Link, source: Source, request: DownloadRequest) -> DownloadResponse:
        """Answer a verified link by a redirect or a stream; ``X-Gateway-Delivery`` says which, and why.

        Before the first byte, a failing origin is retried, and a dead direct URL is renewed once.

        Raises:
            LinkExpired: the link has expired, and the request does not resume an earlier download.
            PreconditionFailed, RangeNotSatisfiable, OriginError, GatewayBusy, TooManyStreams: nothing is delivered.
        """
        retries = OpeningRetries(source, partial(self._renew, link.task_id, link.url), request.received_at)
        ranges_tried = 0
        while True:
            try:
                return self._attempt(link, retries.source, request, ignore_range=ranges_tried == MOST_RANGE_ATTEMPTS)
            except _FileChanged:
                ranges_tried += 1
            except GatewayError as failure:
                if isinstance(failure, OriginEmpty | OriginNotImage):
                    retries.source.forget(retries.source.info)
                retries.recover(failure)

    def direct_url(self, link: Link, source: Source) -> str:
        """The direct URL of a source, for a caller of the API."""
        return source.direct_url(*disposition_and_type(link, source.info))

    def _attempt(self, link: Link, source: Source, request: DownloadRequest, *, ignore_range: bool) -> DownloadResponse:
        # The headers of a whole file do not always announce ranges, so a conditional request needs a probe.
        info = source.info if request.is_unconditional else None
        plan = self._plan(link, source, request, info, ignore_range=ignore_range)
        body: StreamBody | None = None
        if isinstance(plan, Inspect):
            if plan.by_opening:
                body = self._open_if_slot(link, source, request)
            try:
                info = body.info if body else source.probe()
                plan = self._plan(link, source, request, info, ignore_range=ignore_range)
            except BaseException:
                if body is not None:
                    body.close()
                raise
        if not isinstance(plan, Stream):
            if body is not None:
                body.close()
            return self._respond_without_body(plan, link, source, request, info)
        if body is None:
            body = self._open(link, source, request, info, plan.byte_range)
        return self._respond_with_stream(plan, link, request, body)

    def _plan(
        self, link: Link, source: Source, request: DownloadRequest, info: FileInfo | None, *, ignore_range: bool
    ) -> Plan:
        return self._planner.plan(
            link,
            request,
            info,
            redirect_blocker=source.redirect_blocker,
            sets_filename=source.sets_filename,
            ignore_range=ignore_range,
        )

    def _open_if_slot(self, link: Link, source: Source, request: DownloadRequest) -> StreamBody | None:
        """Open the whole file; None when there is no slot, as a redirect would not need one."""
        try:
            return self._open_file(link, source, request, None)
        except (GatewayBusy, TooManyStreams):
            return None

    def _open(
        self,
        link: Link,
        source: Source,
        request: DownloadRequest,
        info: FileInfo | None,
        byte_range: ByteRange | None,
    ) -> StreamBody:
        """Open what was planned.

        Raises:
            _FileChanged: the range was planned for another file.
        """
        try:
            body = self._open_file(link, source, request, byte_range)
        except RangeNotSatisfiable:
            if byte_range is None:
                raise
            source.forget(info)
            raise _FileChanged from None
        if info is not None and body.byte_range is not None:
            if (info.validator, info.length) != (body.info.validator, body.info.length):
                body.close()
                source.forget(info)
                raise _FileChanged
            body.info = info
        return body

    def _open_file(
        self, link: Link, source: Source, request: DownloadRequest, byte_range: ByteRange | None
    ) -> StreamBody:
        release = self._slots.acquire(request.visitor, link)
        try:
            file = source.open(byte_range)
        except BaseException:
            release()
            raise
        reader = ResumingReader(file, source, partial(self._renew, link.task_id, link.url), request.stats)
        return StreamBody(reader, request.connection, release, self._planner.max_bytes, request.stats)

    def _respond_with_stream(
        self, plan: Stream, link: Link, request: DownloadRequest, body: StreamBody
    ) -> DownloadResponse:
        try:
            self._planner.check_open_file(link, body.info, body.byte_range)
            headers = self._file_headers(link, request, body.info, body.byte_range)
        except BaseException:
            body.close()
            raise
        if link.id is not None:
            self._ledger.begin(link.id)
            body.on_completed(partial(self._ledger.count, link.id, request.visitor))
            body.on_closed(partial(self._ledger.end, link.id))
        return _response(206 if body.byte_range else 200, headers, body, request, "stream", plan.reason)

    def _respond_without_body(
        self, plan: Plan, link: Link, source: Source, request: DownloadRequest, info: FileInfo | None
    ) -> DownloadResponse:
        if isinstance(plan, Redirect):
            headers = redirect_headers(self.direct_url(link, source))
            if link.id is not None:
                self._ledger.count(link.id, request.visitor)
            request.stats.outcome = "redirected"
            return _response(302, headers, EmptyBody(), request, "redirect", plan.reason)
        if info is None or not isinstance(plan, Head | NotModified):
            raise AssertionError("planned without the file's metadata")
        if isinstance(plan, NotModified):
            request.stats.outcome = "not_modified"
            headers = not_modified_headers(self._planner.tags.of(link, info), request)
            return _response(304, headers, EmptyBody(), request, "stream", plan.reason)
        request.stats.outcome = "looked"
        return _response(
            200, self._file_headers(link, request, info, None), EmptyBody(), request, "stream", plan.reason
        )

    def _file_headers(
        self, link: Link, request: DownloadRequest, info: FileInfo, byte_range: ByteRange | None
    ) -> Headers:
        etag = self._planner.tags.of(link, info)
        return [*stream_headers(link, info, byte_range, etag, request), self._resource_policy]


def _response(
    status: int, headers: Headers, body: StreamBody | EmptyBody, request: DownloadRequest, delivery: str, reason: str
) -> DownloadResponse:
    request.stats.delivery, request.stats.reason = delivery, reason
    headers.append(("X-Gateway-Delivery", f"{delivery}; reason={reason}"))
    return DownloadResponse(status, headers, body, request.stats)
