"""Verify the link of a request: format, signature, expiry, revocation, downloads left, and allow-list."""

import re
from collections.abc import Callable
from dataclasses import replace

from gateway.cache import MemoryCache
from gateway.errors import BadParameter, LinkDamaged, LinkExpired, LinkInvalid, LinkRevoked, LinkUsedUp
from gateway.links.damage import looks_damaged, strip_punctuation
from gateway.links.ledger import Ledger
from gateway.links.link import EXPIRES, FieldFault, Link
from gateway.links.query import parse_query
from gateway.links.signer import LinkSigner

RESUME_GRACE_S = 3600
MAX_CACHED = 10_000
MAX_CACHED_QUERY_BYTES = 1024  # a query may hold any number of ignored parameters
_LINK_BYTES = 2048  # upper bound of the memory of a link that was parsed from such a query
_HAS_SIGNATURE = re.compile(rb"(?:^|&)(?:amp;)*sig(?:=|&|$)")


class LinkVerifier:
    """Verifies the links of requests.

    Args:
        signer: checks signatures.
        ledger: revocations and download counts.
        check_url: raises ``OriginNotAllowed`` for a URL that the allow-list does not cover.
        clock: Unix seconds.
        is_our_tag: whether the gateway may have sent this entity tag for the link's file.
        require_signature: False also accepts requests without ``sig``.
    """

    def __init__(
        self,
        signer: LinkSigner,
        ledger: Ledger,
        check_url: Callable[[str], None],
        clock: Callable[[], float],
        *,
        is_our_tag: Callable[[str, Link], bool] = lambda _tag, _link: False,
        require_signature: bool = True,
    ) -> None:
        self._signer = signer
        self._ledger = ledger
        self._check_url = check_url
        self._clock = clock
        self._is_our_tag = is_our_tag
        self._require_signature = require_signature
        self._verified: MemoryCache[Link] = MemoryCache(MAX_CACHED, clock)

    def verify(self, task_id: str, query: bytes, visitor: str = "", resume_tag: str = "") -> Link:
        """Parse and verify a link.

        A download begun before its link expired may be resumed for an hour; the delivery compares ``resume_tag`` with
        the file's entity tag.

        Args:
            task_id: from the path.
            query: the raw query string.
            visitor: the visitor's address; a visitor whose download was counted may repeat it.
            resume_tag: the entity tag in ``If-Range``; empty for none.

        Raises:
            LinkInvalid: malformed or forged; LinkDamaged when it shows signs of damage in transit.
            LinkExpired, LinkRevoked, LinkUsedUp: authentic, and no longer valid.
            OriginNotAllowed: authentic, and the allow-list does not cover its URL.
            BadParameter: an unsigned request is malformed, where those are accepted.
        """
        cached = self._verified.get((task_id, query))
        link = self._check_expiry(cached or self._authenticate(task_id, query), resume_tag)
        if link.id is not None and self._ledger.is_revoked(link.id):
            raise LinkRevoked(link.id)
        if link.id is not None and self._ledger.is_used_up(link.id, visitor):
            raise LinkUsedUp(link.id)
        if cached is None:
            self._check_url(link.url)
            self._cache(query, link)
        return link

    def _cache(self, query: bytes, link: Link) -> None:
        """Cache the parsed link, its signature and the allow-list's verdict; never expiry and revocation."""
        if link.expires is not None and not link.resume_only and len(query) <= MAX_CACHED_QUERY_BYTES:
            self._verified.put((link.task_id, query), link, link.expires + RESUME_GRACE_S, _LINK_BYTES)

    def _check_expiry(self, link: Link, resume_tag: str) -> Link:
        if link.expires is None or self._clock() <= link.expires:
            return link
        if self._clock() > link.expires + RESUME_GRACE_S or not self._is_our_tag(resume_tag, link):
            raise LinkExpired(f"expired at {link.expires}")
        return replace(link, resume_only=True)

    def _authenticate(self, task_id: str, query: bytes) -> Link:
        signed = self._require_signature or bool(_HAS_SIGNATURE.search(query))
        try:
            parsed = parse_query(query)
            if not self._require_signature and "sig" not in parsed:
                return Link(task_id, _get(parsed, "url"), signed=False)
            link = _signed_link(task_id, parsed)
            signature = strip_punctuation(_get(parsed, "sig"))
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
