"""Redirect or stream: the choice, and the reason that is told with it."""

from collections.abc import Callable
from functools import partial

from gateway.delivery.ask import Ask, Delivered
from gateway.delivery.headers import disposition_and_type
from gateway.delivery.heal import RenewAny, begin_patiently
from gateway.delivery.redirect import redirect
from gateway.delivery.stream import Stream, Streams
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

    def __init__(self, streams: Streams, ledger: Ledger, default_mode: Mode, renew: RenewAny) -> None:
        self._streams = streams
        self._ledger = ledger
        self._default_mode = default_mode
        self._renew = renew

    def admit(self, link: Link, ask: Ask) -> None:
        """Turn away who will need a place and finds none, before anybody is asked for the source.

        Whether a link of mode ``auto`` needs one is known when its source is.

        Raises:
            GatewayBusy, TooManyStreams: no place is left, or none for this visitor.
        """
        needs_none = ask.method == "HEAD" or bool(ask.if_none_match)
        if self._never_redirects(link, ask) and not needs_none:
            self._streams.admit(link, ask)

    def deliver(self, link: Link, source: Source, ask: Ask) -> Delivered:
        """Answer a verified link with a redirect or a stream, and say in ``X-Gateway-Delivery`` which and why.

        A direct URL that has died since it was obtained is obtained anew, once; an origin that fails is asked again.

        Raises:
            LinkExpired: the link is over, and this is no download begun before.
            RangeNotSatisfiable, OriginError, GatewayBusy, TooManyStreams: nothing can be delivered.
        """
        renew = partial(self._renew, link.task_id, link.url)
        return begin_patiently(lambda source: self._choose(link, source, ask), source, renew, ask.asked_at)

    def direct_url(self, link: Link, source: Source) -> str:
        """The direct URL of a source, for a caller of the API."""
        return source.direct_url(*disposition_and_type(link, source.info))

    def _choose(self, link: Link, source: Source, ask: Ask) -> Delivered:
        if reason := self._must_stream(link, source, ask):
            return _told(self._stream(link, source, ask), "stream", reason)
        if self._mode(link) == "redirect":
            return self._redirect(link, source, ask, "mode")
        return self._look_and_choose(link, source, ask)

    def _must_stream(self, link: Link, source: Source, ask: Ask) -> str:
        """Why a redirect is out of the question before the source was looked at; empty when it is not."""
        named = link.filename is not None and not source.sets_filename
        filename = "filename" if named and self._mode(link) == "auto" else ""
        return self._never_redirects(link, ask) or source.redirect_blocker or filename

    def _never_redirects(self, link: Link, ask: Ask) -> str:
        """Why a redirect is out of the question, whatever the source; empty when it is not."""
        rules = (
            (not link.signed, "unsigned"),
            (self._mode(link) == "stream", "mode"),
            (ask.method == "HEAD", "head"),  # a presigned GET answers a HEAD with 403
            (bool(ask.range or ask.if_range), "range"),
            (bool(ask.cors_origin), "cors"),
        )
        return next((reason for holds, reason in rules if holds), "")

    def _mode(self, link: Link) -> Mode:
        return link.mode or self._default_mode

    def _look_and_choose(self, link: Link, source: Source, ask: Ask) -> Delivered:
        begun = self._begin(link, source, ask) if source.info is None and ask.is_unconditional else None
        info = source.info or source.look()
        if info.attachment:
            if begun is not None:
                begun.close()
            self._streams.refuse_missing_image(link, source, info)
            return self._redirect(link, source, ask, "attachment")
        delivered = self._streams.deliver(link, source, ask, self._counter(link, ask), begun)
        return _told(delivered, "stream", "no-attachment")

    def _begin(self, link: Link, source: Source, ask: Ask) -> Stream | None:
        """Open the source; where that cannot be, look at it: a redirect needs no place, and has no limit."""
        try:
            return self._streams.begin(link, source, ask)
        except (GatewayBusy, TooManyStreams, FileTooLarge):
            return None

    def _stream(self, link: Link, source: Source, ask: Ask) -> Delivered:
        return self._streams.deliver(link, source, ask, self._counter(link, ask))

    def _redirect(self, link: Link, source: Source, ask: Ask, reason: str) -> Delivered:
        delivered = redirect(self.direct_url(link, source))
        self._counter(link, ask)()
        return _told(delivered, "redirect", reason)

    def _counter(self, link: Link, ask: Ask) -> Callable[[], None]:
        if link.id is None:
            return lambda: None
        return partial(self._ledger.count, link.id, ask.visitor)


def _told(delivered: Delivered, way: str, reason: str) -> Delivered:
    delivered.progress.way, delivered.progress.reason = way, reason
    delivered.headers.append(("X-Gateway-Delivery", f"{way}; reason={reason}"))
    return delivered
