"""Our entity tags: equal for the same file in every worker and at every direct URL."""

import hmac
import re
from functools import lru_cache

from gateway.files.file_info import FileInfo
from gateway.links.link import Link
from gateway.links.signer import KeyRing
from gateway.sources.validators import is_strong

SALT = b"gateway.etag.v1"
MOST_KNOWN = 1024
MOST_TAGS = 200  # more of our tags than a header line can hold
_MARK_LENGTH = 8
_LENGTH = 22
_SHAPE = re.compile(rf'"([A-Za-z0-9_-]{{{_MARK_LENGTH}}})[A-Za-z0-9_-]{{{_LENGTH}}}"')


class EntityTags:
    """Makes and compares entity tags. The origin's validators are not sent to clients.

    A tag begins with a signature of the task and the URL alone, so that a forged tag is recognized without the file's
    metadata.

    Args:
        ring: keys derived for this purpose; a tag of an older key still matches.
    """

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._known = lru_cache(MOST_KNOWN)(self._of_all_keys)  # most downloads are of a few files

    def of(self, link: Link, info: FileInfo) -> str:
        """The strong entity tag of a file, quoted; empty without a strong validator or ranges (RFC 9110 8.8.1)."""
        if not info.ranges or not is_strong(info.validator):
            return ""
        return self._known(link.task_id, link.url, info.length, info.validator)[-1]

    def matches(self, tag: str, link: Link, info: FileInfo) -> bool:
        """Whether ``tag`` is this file's, by strong comparison (RFC 9110 section 8.8.3.2)."""
        return bool(self.of(link, info)) and tag in self._known(link.task_id, link.url, info.length, info.validator)

    def is_ours(self, tag: str, link: Link) -> bool:
        """Whether ``tag`` was made for this task and URL, for this file or an earlier one."""
        shaped = _SHAPE.fullmatch(tag)
        return shaped is not None and any(
            hmac.compare_digest(mark, shaped[1]) for mark in self._marks(link.task_id, link.url)
        )

    def any_matches(self, if_none_match: str, link: Link, info: FileInfo) -> bool:
        """Whether an ``If-None-Match`` list names this file, by weak comparison (section 13.1.2)."""
        if if_none_match.strip() == "*":
            return bool(self.of(link, info))
        tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
        return any(self.matches(tag, link, info) for tag in tags[:MOST_TAGS])

    def precondition_holds(self, if_match: str, link: Link, info: FileInfo) -> bool:
        """Whether an ``If-Match`` list names this file, by strong comparison (section 13.1.1); ``*`` always does."""
        if if_match.strip() == "*":
            return True
        return any(self.matches(tag.strip(), link, info) for tag in if_match.split(",")[:MOST_TAGS])

    def _of_all_keys(self, task_id: str, url: str, length: int | None, validator: str) -> list[str]:
        message = "\n".join((task_id, url, str(length), validator)).encode()
        digests = [signature[:_LENGTH] for signature in self._ring.signatures(message)]
        return [f'"{mark}{digest}"' for mark, digest in zip(self._marks(task_id, url), digests, strict=True)]

    def _marks(self, task_id: str, url: str) -> list[str]:
        message = f"{task_id}\n{url}".encode()
        return [signature[:_MARK_LENGTH] for signature in self._ring.signatures(message)]
