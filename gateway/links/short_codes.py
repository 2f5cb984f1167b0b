"""The codes of short links: ``<id>.<signature>``."""

import re
import secrets
from html import unescape

from gateway.errors import LinkInvalid
from gateway.links.damage import strip_punctuation
from gateway.links.signer import KeyRing

SALT = b"gateway.short.v1"
ID_LENGTH = 12
# No upper case and no digit that looks like a letter, for people who type an id (RFC 4648 section 6).
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_ID = re.compile(rf"[{ALPHABET}]{{{ID_LENGTH}}}")


class ShortCodes:
    """Makes and verifies the codes of ``/d/<code>``, without the database.

    Args:
        ring: keys derived for this purpose.
        base_url: the gateway's public URL; empty makes paths.
    """

    def __init__(self, ring: KeyRing, base_url: str) -> None:
        self._ring = ring
        self._base_url = base_url.rstrip("/")

    def new_id(self) -> str:
        """A random id whose code ends with a letter or a digit: mail programs cut other characters off a URL's end."""
        while True:
            link_id = "".join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH))
            if self._sign(link_id)[-1].isalnum():
                return link_id

    def href(self, link_id: str) -> str:
        """The short link of a stored link."""
        return f"{self._base_url}/d/{link_id}.{self._sign(link_id)}"

    def verify(self, code: str) -> str:
        """The id in an authentic code. Punctuation that a mail program added to the end is ignored.

        Raises:
            LinkInvalid: the code is malformed or forged.
        """
        link_id, _, signature = unescape(code).partition(".")
        if not _ID.fullmatch(link_id) or not self._ring.verify(_message(link_id), strip_punctuation(signature)):
            raise LinkInvalid("short code does not match")
        return link_id

    def _sign(self, link_id: str) -> str:
        return self._ring.sign(_message(link_id))


def _message(link_id: str) -> bytes:
    return f"v1\n{link_id}".encode()
