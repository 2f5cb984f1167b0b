"""Signed direct URLs of objects in the store's folder."""

import time
from collections.abc import Callable
from urllib.parse import quote

from gateway.errors import LinkExpired, LinkInvalid
from gateway.links.link import EXPIRES
from gateway.links.signer import KeyRing

SALT = b"gateway.file.v1"
LIFETIME_S = 1200


class FileLinks:
    """Mints and verifies ``/files/<digest>/<name>?expires=…&sig=…``.

    Args:
        ring: keys derived with ``SALT``.
        base_url: the gateway's public URL; empty for URLs that are paths.
        clock: Unix seconds.
    """

    def __init__(self, ring: KeyRing, base_url: str, clock: Callable[[], float] = time.time) -> None:
        self._ring = ring
        self._base_url = base_url
        self._clock = clock

    def mint(self, digest: str, name: str, expires: int | None = None) -> str:
        """Make a signed URL.

        Args:
            digest: of the object.
            name: the name of the saved file.
            expires: Unix seconds; None for 1200 s from now.
        """
        expires = int(self._clock()) + LIFETIME_S if expires is None else expires
        signature = self._ring.sign(_message(digest, name, str(expires)))
        return f"{self._base_url}/files/{digest}/{quote(name, safe='')}?expires={expires}&sig={signature}"

    def is_authentic(self, digest: str, name: str, expires: str, signature: str) -> bool:
        """Whether one of the keys signed these parts; expiry is not checked."""
        return bool(EXPIRES.fullmatch(expires)) and self._ring.verify(_message(digest, name, expires), signature)

    def verify(self, digest: str, name: str, expires: str, signature: str) -> None:
        """Check the parts of a URL.

        Raises:
            LinkInvalid: forged or malformed.
            LinkExpired: authentic and expired.
        """
        if not self.is_authentic(digest, name, expires, signature):
            raise LinkInvalid("file link does not match")
        if int(expires) < self._clock():
            raise LinkExpired(f"expired at {expires}")


def _message(*fields: str) -> bytes:
    return "\n".join(("v1", *fields)).encode("utf-8", "replace")
