"""Our own entity tags: the same for the same file on every worker and after every conversion."""

from gateway.links.link import Link
from gateway.links.signed import KeyRing
from gateway.resolving.source import Facts

SALT = b"gateway.etag.v1"
_LENGTH = 22


class EntityTags:
    """Makes and compares entity tags. The origin's own validators never leave.

    Args:
        ring: keys derived for this purpose; a tag of an older key still matches.
    """

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def of(self, link: Link, facts: Facts) -> str:
        """The strong entity tag of a file, quoted; empty when it could not be used to resume."""
        if not facts.validator or not facts.ranges:
            return ""
        return f'"{self._ring.sign(_message(link, facts))[:_LENGTH]}"'

    def matches(self, tag: str, link: Link, facts: Facts) -> bool:
        """Tell whether ``tag`` is this file's, by strong comparison (RFC 9110 section 8.8.3.2)."""
        if not self.of(link, facts):
            return False
        return tag in {f'"{signature[:_LENGTH]}"' for signature in self._ring.signatures(_message(link, facts))}

    def any_matches(self, if_none_match: str, link: Link, facts: Facts) -> bool:
        """Tell whether an ``If-None-Match`` list names this file, by weak comparison (section 13.1.2)."""
        if if_none_match.strip() == "*":
            return bool(self.of(link, facts))
        tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
        return any(self.matches(tag, link, facts) for tag in tags[:20])


def _message(link: Link, facts: Facts) -> bytes:
    return "\n".join((link.task_id, link.url, str(facts.length), facts.validator)).encode()
