"""Mint and verify signed links. ``docs/links.md`` specifies the format and has it in five languages."""

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from itsdangerous import Signer
from itsdangerous.encoding import base64_encode

from gateway.links.link import LONGEST_FILENAME, FieldFault, Link, Mode

SALT = b"gateway.link.v1"
PAGE_LINK_LIFETIME_S = 900
LONGEST_PATH = 8000  # gunicorn accepts request lines of 8190 bytes, with the method and a path prefix
_SIGNATURE = re.compile(r"[A-Za-z0-9_-]{43}")
_URL_PATH = re.compile(r"(?:[^:/?#]+:)?(?://[^/?#]*)?([^?#]*)")  # RFC 3986 appendix B


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Keys derived for one purpose: the newest signs, all verify."""

    _signer: Signer
    _derived: tuple[bytes, ...]

    @classmethod
    def derive(cls, secrets: Sequence[str], salt: bytes) -> "KeyRing":
        """Derive one key from each secret, oldest first; ``salt`` names the purpose.

        Raises:
            ValueError: ``secrets`` is empty.
        """
        if not secrets:
            raise ValueError("at least one secret key is needed")
        signer = Signer(list(secrets), salt=salt, key_derivation="hmac", digest_method=hashlib.sha256)
        return cls(signer, tuple(signer.derive_key(secret) for secret in secrets))

    def sign(self, message: bytes) -> str:
        """Sign with the newest key; returns 43 characters of base64url."""
        return self._sign_with(self._derived[-1], message)

    def verify(self, message: bytes, signature: str) -> bool:
        """Whether any key made this signature.

        The encoded strings are compared, in constant time: base64 has several encodings of one signature.
        """
        if not _SIGNATURE.fullmatch(signature):  # compare_digest refuses text that is not ASCII
            return False
        return sum(hmac.compare_digest(expected, signature) for expected in self.signatures(message)) > 0

    def signatures(self, message: bytes) -> list[str]:
        """Sign with every key, oldest first."""
        return [self._sign_with(key, message) for key in self._derived]

    def _sign_with(self, key: bytes, message: bytes) -> str:
        return base64_encode(self._signer.algorithm.get_signature(key, message)).decode("ascii")


class LinkSigner:
    """Mints page links and checks their signatures.

    Args:
        secret_keys: the value of ``GATEWAY_SECRET_KEYS``, or its keys as a list, oldest first.
        base_url: the gateway's public URL, with its path prefix; empty for links that are paths.
        lifetime_s: the default lifetime of a link, in seconds.
        clock: Unix seconds.
    """

    def __init__(
        self,
        secret_keys: str | Sequence[str],
        base_url: str = "",
        *,
        lifetime_s: int = PAGE_LINK_LIFETIME_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if isinstance(secret_keys, str):
            secret_keys = [key.strip() for key in secret_keys.split(",") if key.strip()]
        self._ring = KeyRing.derive(secret_keys, SALT)
        self._base_url = base_url.rstrip("/")
        self._lifetime_s = lifetime_s
        self._clock = clock

    def mint(
        self,
        task_id: str,
        url: str,
        *,
        lifetime_s: int | None = None,
        mode: Mode | None = None,
        filename: str | None = None,
        link_id: str | None = None,
    ) -> str:
        """Make a signed link to one image of one task.

        Args:
            task_id: the provider's id of the task.
            url: the image's origin URL.
            lifetime_s: seconds until the link expires; None for the default.
            mode: ``auto``, ``redirect`` or ``stream``; None for the gateway's default.
            filename: the name of the saved file; None for the name in the URL.
            link_id: identifies the link for revocation and download counts.

        Returns:
            The link, escaped for use as a URL.

        Raises:
            FieldFault: a field breaks a rule; the message names both.
        """
        return self.href(Link(task_id, url, self.expiry(lifetime_s), mode, filename, link_id))

    def expiry(self, lifetime_s: int | None = None) -> int:
        """The expiry of a link made now, in Unix seconds."""
        return int(self._clock()) + (self._lifetime_s if lifetime_s is None else lifetime_s)

    def href(self, link: Link) -> str:
        """Serialise and sign a link.

        The last segment of the path is the file's name, for clients that save under it; it is not signed.

        Raises:
            FieldFault: the URL is longer than servers accept, or the file name longer than file systems accept.
        """
        if len((link.filename or "").encode()) > LONGEST_FILENAME:
            raise FieldFault("filename", f"must not be longer than {LONGEST_FILENAME} bytes of UTF-8")
        fields = {"url": link.url, "expires": link.expires, "mode": link.mode, "filename": link.filename, "id": link.id}
        query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in fields.items() if value is not None)
        path, signed = f"/download/{quote(link.task_id, safe='')}", f"?{query}&sig={self._ring.sign(link.message)}"
        name = quote(path_name(link), safe="")
        if name and len(path) + 1 + len(name) + len(signed) <= LONGEST_PATH:
            path += f"/{name}"
        if len(path) + len(signed) > LONGEST_PATH:
            raise FieldFault("url", f"makes a link of more than {LONGEST_PATH} characters; servers refuse those")
        return self._base_url + path + signed

    def is_authentic(self, link: Link, signature: str) -> bool:
        """Whether one of the keys signed exactly these fields."""
        return self._ring.verify(link.message, signature)


def path_name(link: Link) -> str:
    """The file's name in the path of a link: the last segment of the signed name, else of the URL's decoded path.

    Returns:
        Empty when there is none, when it consists of dots (clients remove such segments, RFC 3986 section 5.2.4), or
        when it is too long for a file system.
    """
    whole = link.filename or unquote(_URL_PATH.match(link.url)[1])  # type: ignore[index]  # matches any text
    name = whole.rpartition("/")[2]
    return name if name.strip(".") and len(name.encode()) <= LONGEST_FILENAME else ""
