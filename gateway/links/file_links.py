"""Signed URLs of our own objects: what others get for a direct URL."""

import time
from collections.abc import Callable
from urllib.parse import quote

from gateway.errors import LinkExpired, LinkInvalid
from gateway.links.link import EXPIRES
from gateway.links.signer import KeyRing

SALT = b"gateway.file.v1"
LIFE_S = 1200


class FileLinks:
    """Mints and verifies ``/files/<digest>/<name>?expires=…&sig=…``, good for 1200 s.

    Args:
        ring: keys derived for this purpose.
        base_url: our public URL; empty makes paths.
        clock: Unix seconds.
    """

    def __init__(self, ring: KeyRing, base_url: str, clock: Callable[[], float] = time.time) -> None:
        self._ring = ring
        self._base_url = base_url
        self._clock = clock

    def mint(self, digest: str, name: str, expires: int | None = None) -> str:
        """Make the URL of an object under a file name.

        Args:
            digest: of the object.
            name: of the saved file.
            expires: Unix seconds; None for 1200 s from now.
        """
        expires = int(self._clock()) + LIFE_S if expires is None else expires
        signature = self._ring.sign(_message(digest, name, str(expires)))
        return f"{self._base_url}/files/{digest}/{quote(name, safe='')}?expires={expires}&sig={signature}"

    def is_authentic(self, digest: str, name: str, expires: str, signature: str) -> bool:
        """Whether we signed a URL with these parts, also when it has expired."""
        return bool(EXPIRES.fullmatch(expires)) and self._ring.verify(_message(digest, name, expires), signature)

    def verify(self, digest: str, name: str, expires: str, signature: str) -> None:
        """Check a URL's parts.

        Raises:
            LinkInvalid: forged or malformed.
            LinkExpired: authentic, and over.
        """
        if not self.is_authentic(digest, name, expires, signature):
            raise LinkInvalid("file link does not match")
        if int(expires) < self._clock():
            raise LinkExpired(f"expired at {expires}")


def _message(*fields: str) -> bytes:
    return "\n".join(("v1", *fields)).encode("utf-8", "replace")
