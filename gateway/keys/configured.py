"""The API keys that the operator put into the settings."""

import hmac
from collections.abc import Mapping

from gateway.keys.key import Key, digest_of


class ConfiguredKeys:
    """Finds keys that have every scope and no limit.

    Args:
        secrets: secret by name. Only digests of them are held.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._digests = {name: digest_of(secret) for name, secret in secrets.items()}

    def find(self, digest: str) -> Key | None:
        """The key whose token has this digest, compared in constant time with all; None when none has."""
        matches = [name for name, known in self._digests.items() if hmac.compare_digest(known, digest)]
        return Key(matches[0]) if matches else None
