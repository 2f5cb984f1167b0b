"""Our own entity tags: the same for the same file on every worker and after every conversion."""

import hmac
import re

from gateway.links.link import Link
from gateway.links.signed import KeyRing
from gateway.resolving.source import Facts

SALT = b"gateway.etag.v1"
_MARK_LENGTH = 8
_LENGTH = 22
_SHAPE = re.compile(rf'"([A-Za-z0-9_-]{{{_MARK_LENGTH}}})[A-Za-z0-9_-]{{{_LENGTH}}}"')


class EntityTags:
    """Makes and compares entity tags. The origin's own validators never leave.

    A tag begins with a mark of the task and the URL alone, which nobody can make who was given none: so that a tag of
    somebody else's making is told without asking what the file is.

    Args:
        ring: keys derived for this purpose; a tag of an older key still matches.
    """

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def of(self, link: Link, facts: Facts) -> str:
        """The strong entity tag of a file, quoted; empty when it could not be used to resume."""
        if not facts.validator or not facts.ranges:
            return ""
        return self._of_each_key(link, facts)[-1]

    def matches(self, tag: str, link: Link, facts: Facts) -> bool:
        """Tell whether ``tag`` is this file's, by strong comparison (RFC 9110 section 8.8.3.2)."""
        return bool(self.of(link, facts)) and tag in self._of_each_key(link, facts)

    def is_ours(self, tag: str, link: Link) -> bool:
        """Tell whether ``tag`` was given to this link's file, now or when the file was another. Asks nobody."""
        shaped = _SHAPE.fullmatch(tag)
        return shaped is not None and any(hmac.compare_digest(mark, shaped[1]) for mark in self._marks(link))

    def any_matches(self, if_none_match: str, link: Link, facts: Facts) -> bool:
        """Tell whether an ``If-None-Match`` list names this file, by weak comparison (section 13.1.2)."""
        if if_none_match.strip() == "*":
            return bool(self.of(link, facts))
        tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
        return any(self.matches(tag, link, facts) for tag in tags[:20])

    def _of_each_key(self, link: Link, facts: Facts) -> list[str]:
        message = "\n".join((link.task_id, link.url, str(facts.length), facts.validator)).encode()
        rests = [signature[:_LENGTH] for signature in self._ring.signatures(message)]
        return [f'"{mark}{rest}"' for mark, rest in zip(self._marks(link), rests, strict=True)]

    def _marks(self, link: Link) -> list[str]:
        message = f"{link.task_id}\n{link.url}".encode()
        return [signature[:_MARK_LENGTH] for signature in self._ring.signatures(message)]
