"""From a request to a link: shape, signature, expiry, revocation, downloads left, and the list of origins."""

import re
from collections.abc import Callable
from dataclasses import replace

from gateway.cache import MemoryCache
from gateway.errors import BadParameter, LinkDamaged, LinkExpired, LinkInvalid, LinkRevoked, LinkUsedUp
from gateway.links.damage import looks_damaged, without_punctuation
from gateway.links.ledger import Ledger
from gateway.links.link import EXPIRES, FieldFault, Link
from gateway.links.query import parse_query
from gateway.links.signer import LinkSigner

RESUMED_WITHIN_S = 3600
MOST_KNOWN = 10_000
LONGEST_KNOWN = 1024  # bytes of a query: a link may be dressed up in many, and long, parameters that nobody reads
_LINK_BYTES = 2048  # an upper bound: its fields come out of such a query
_BEARS_SIGNATURE = re.compile(rb"(?:^|&)(?:amp;)*sig(?:=|&|$)")


class Links:
    """Verifies what visitors bring.

    Args:
        signer: tells authentic links.
        ledger: knows revoked and used-up ones.
        admit: lets pass the URLs that links may name, else raises.
        clock: Unix seconds.
        is_our_tag: tells whether an entity tag may be one that we gave to a link's file.
        require_signature: False also takes requests without ``sig``.
    """

    def __init__(
        self,
        signer: LinkSigner,
        ledger: Ledger,
        admit: Callable[[str], None],
        clock: Callable[[], float],
        *,
        is_our_tag: Callable[[str, Link], bool] = lambda _tag, _link: False,
        require_signature: bool = True,
    ) -> None:
        self._signer = signer
        self._ledger = ledger
        self._admit = admit
        self._clock = clock
        self._is_our_tag = is_our_tag
        self._require_signature = require_signature
        self._known: MemoryCache[Link] = MemoryCache(MOST_KNOWN, clock)

    def verify(self, task_id: str, query: bytes, visitor: str = "", resumes: str = "") -> Link:
        """Turn a request's path and query into the link it bears.

        A ``visitor`` whose download was counted may come back for it. A download that was begun before its link expired
        may be gone on with for an hour: ``resumes`` is the entity tag that it shows, and delivery compares it with the
        file's.

        Raises:
            LinkInvalid: malformed or forged; LinkDamaged where it shows how it was altered on the way.
            LinkExpired, LinkRevoked, LinkUsedUp: authentic, and over.
            OriginNotAllowed: authentic, and its url is not served from here.
            BadParameter: malformed, where unsigned requests are taken and this is one.
        """
        known = self._known.get((task_id, query))
        link = self._in_time(known or self._authentic(task_id, query), resumes)
        if link.id is not None and self._ledger.is_revoked(link.id):
            raise LinkRevoked(link.id)
        if link.id is not None and self._ledger.is_used_up(link.id, visitor):
            raise LinkUsedUp(link.id)
        if known is None:
            self._admit(link.url)
            self._remember(query, link)
        return link

    def _remember(self, query: bytes, link: Link) -> None:
        """Spare the next request the reading, the signature and the list of origins; never the clock or the ledger."""
        if link.expires is not None and not link.over and len(query) <= LONGEST_KNOWN:
            self._known.put((link.task_id, query), link, link.expires + RESUMED_WITHIN_S, _LINK_BYTES)

    def _in_time(self, link: Link, resumes: str) -> Link:
        if link.expires is None or self._clock() <= link.expires:
            return link
        if self._clock() > link.expires + RESUMED_WITHIN_S or not self._is_our_tag(resumes, link):
            raise LinkExpired(f"expired at {link.expires}")
        return replace(link, over=True)

    def _authentic(self, task_id: str, query: bytes) -> Link:
        signed = self._require_signature or bool(_BEARS_SIGNATURE.search(query))
        try:
            parsed = parse_query(query)
            if not self._require_signature and "sig" not in parsed:
                return Link(task_id, _get(parsed, "url"), signed=False)
            link = _signed_link(task_id, parsed)
            signature = without_punctuation(_get(parsed, "sig"))
        except FieldFault as fault:
            if signed:
                raise _not_authentic(str(fault), task_id, query) from None
            raise BadParameter(fault.field, fault.remedy) from None
        if not self._signer.is_authentic(link, signature):
            raise _not_authentic("sig: does not match", task_id, query)
        return link


def _not_authentic(reason: str, task_id: str, query: bytes) -> LinkInvalid:
    return LinkDamaged(reason) if looks_damaged(task_id, query) else LinkInvalid(reason)


def _signed_link(task_id: str, parsed: dict[str, str]) -> Link:
    expires = _get(parsed, "expires")
    if not EXPIRES.fullmatch(expires):
        raise FieldFault("expires", "must be Unix seconds")
    mode, filename, link_id = parsed.get("mode"), parsed.get("filename"), parsed.get("id")
    return Link(task_id, _get(parsed, "url"), int(expires), mode, filename, link_id)  # type: ignore[arg-type]  # Link checks it


def _get(parsed: dict[str, str], name: str) -> str:
    if name not in parsed:
        raise FieldFault(name, "is missing")
    return parsed[name]
