"""The API keys that the operator put into the settings."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import KeyInvalid, KeyMissing

_SCHEME = "bearer "


@dataclass(frozen=True, slots=True)
class Key:
    """A credential that was matched; only its name is kept."""

    name: str


class ConfiguredKeys:
    """Matches the ``Authorization`` header against the configured keys.

    Args:
        secrets: secret by name. Only digests of them are held.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._digests = {name: _digest(secret) for name, secret in secrets.items()}

    def authenticate(self, authorization: str) -> Key:
        """Match ``Bearer <key>`` (RFC 6750 section 2.1), in constant time over all keys.

        Raises:
            KeyMissing: there is no bearer token.
            KeyInvalid: it is none of ours.
        """
        scheme, token = authorization[: len(_SCHEME)], authorization[len(_SCHEME) :].strip()
        if scheme.lower() != _SCHEME or not token:
            raise KeyMissing("no bearer token")
        digest = _digest(token)
        matches = [name for name, known in self._digests.items() if hmac.compare_digest(known, digest)]
        if not matches:
            raise KeyInvalid("unknown key")
        return Key(matches[0])


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
