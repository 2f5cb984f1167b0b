"""Redirect or stream: the choice, and the reason that is told with it."""

from collections.abc import Callable
from functools import partial

from gateway.delivery.exchange import DownloadRequest, DownloadResponse
from gateway.delivery.headers import disposition_and_type
from gateway.delivery.redirect import redirect
from gateway.delivery.resuming_reader import RenewAny, open_with_retries
from gateway.delivery.stream import StreamBody, Streamer
from gateway.errors import FileTooLarge, GatewayBusy, TooManyStreams
from gateway.links.ledger import Ledger
from gateway.links.link import Link, Mode
from gateway.sources.base import Source


class Deliveries:
    """Delivers sources to visitors.

    Args:
        streams: the one way to stream.
        ledger: counts completed downloads.
        default_mode: for links that sign no mode.
        renew: makes a new source in place of a dead one, or raises what it died of.
    """

    def __init__(self, streams: Streamer, ledger: Ledger, default_mode: Mode, renew: RenewAny) -> None:
        self._streams = streams
        self._ledger = ledger
        self._default_mode = default_mode
        self._renew = renew

    def check_slots(self, link: Link, request: DownloadRequest) -> None:
        """Turn away who will need a place and finds none, before anybody is asked for the source.

        Whether a link of mode ``auto`` needs one is known when its source is.

        Raises:
            GatewayBusy, TooManyStreams: no place is left, or none for this visitor.
        """
        needs_none = request.method == "HEAD" or bool(request.if_none_match)
        if self._never_redirects(link, request) and not needs_none:
            self._streams.check_slots(link, request)

    def deliver(self, link: Link, source: Source, request: DownloadRequest) -> DownloadResponse:
        """Answer a verified link with a redirect or a stream, and say in ``X-Gateway-Delivery`` which and why.

        A direct URL that has died since it was obtained is obtained anew, once; an origin that fails is asked again.

        Raises:
            LinkExpired: the link is over, and this is no download begun before.
            RangeNotSatisfiable, OriginError, GatewayBusy, TooManyStreams: nothing can be delivered.
        """
        renew = partial(self._renew, link.task_id, link.url)
        return open_with_retries(lambda source: self._choose(link, source, request), source, renew, request.asked_at)

    def direct_url(self, link: Link, source: Source) -> str:
        """The direct URL of a source, for a caller of the API."""
        return source.direct_url(*disposition_and_type(link, source.info))

    def _choose(self, link: Link, source: Source, request: DownloadRequest) -> DownloadResponse:
        if reason := self._must_stream(link, source, request):
            return _with_reason(self._stream(link, source, request), "stream", reason)
        if self._mode(link) == "redirect":
            return self._redirect(link, source, request, "mode")
        return self._look_and_choose(link, source, request)

    def _must_stream(self, link: Link, source: Source, request: DownloadRequest) -> str:
        """Why a redirect is out of the question before the source was looked at; empty when it is not."""
        named = link.filename is not None and not source.sets_filename
        filename = "filename" if named and self._mode(link) == "auto" else ""
        return self._never_redirects(link, request) or source.redirect_blocker or filename

    def _never_redirects(self, link: Link, request: DownloadRequest) -> str:
        """Why a redirect is out of the question, whatever the source; empty when it is not."""
        rules = (
            (not link.signed, "unsigned"),
            (self._mode(link) == "stream", "mode"),
            (request.method == "HEAD", "head"),  # a presigned GET answers a HEAD with 403
            (bool(request.range or request.if_range), "range"),
            (bool(request.cors_origin), "cors"),
        )
        return next((reason for holds, reason in rules if holds), "")

    def _mode(self, link: Link) -> Mode:
        return link.mode or self._default_mode

    def _look_and_choose(self, link: Link, source: Source, request: DownloadRequest) -> DownloadResponse:
        begun = self._begin(link, source, request) if source.info is None and request.is_unconditional else None
        info = source.info or source.look()
        if info.attachment:
            if begun is not None:
                begun.close()
            self._streams.refuse_missing_image(link, source, info)
            return self._redirect(link, source, request, "attachment")
        delivered = self._streams.deliver(link, source, request, self._counter(link, request), begun)
        return _with_reason(delivered, "stream", "no-attachment")

    def _begin(self, link: Link, source: Source, request: DownloadRequest) -> StreamBody | None:
        """Open the source; where that cannot be, look at it: a redirect needs no place, and has no limit."""
        try:
            return self._streams.begin(link, source, request)
        except (GatewayBusy, TooManyStreams, FileTooLarge):
            return None

    def _stream(self, link: Link, source: Source, request: DownloadRequest) -> DownloadResponse:
        return self._streams.deliver(link, source, request, self._counter(link, request))

    def _redirect(self, link: Link, source: Source, request: DownloadRequest, reason: str) -> DownloadResponse:
        delivered = redirect(self.direct_url(link, source))
        self._counter(link, request)()
        return _with_reason(delivered, "redirect", reason)

    def _counter(self, link: Link, request: DownloadRequest) -> Callable[[], None]:
        if link.id is None:
            return lambda: None
        return partial(self._ledger.count, link.id, request.visitor)


def _with_reason(delivered: DownloadResponse, way: str, reason: str) -> DownloadResponse:
    delivered.stats.way, delivered.stats.reason = way, reason
    delivered.headers.append(("X-Gateway-Delivery", f"{way}; reason={reason}"))
    return delivered
