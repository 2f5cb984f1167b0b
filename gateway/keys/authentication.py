"""Authentication of API calls: the ``Authorization`` header becomes a key, or an error."""

import hmac
import threading
import time
from collections.abc import Callable, Mapping

from gateway.cache import MemoryCache
from gateway.errors import DatabaseDown, KeyInvalid, KeyMissing
from gateway.keys.key import TOKEN, Key, digest_of
from gateway.keys.key_store import KeyStore, StoredKey

CACHE_TTL_S = 10
MAX_CACHED = 10_000
_SCHEME = "bearer "


class ConfiguredKeys:
    """The API keys of the settings, which have every scope and no limit.

    Args:
        secrets: secret by name; only their digests are kept.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._digests = {name: digest_of(secret) for name, secret in secrets.items()}

    def find(self, digest: str) -> Key | None:
        """The key with this token digest, or None; compares with all keys in constant time."""
        matches = [name for name, each in self._digests.items() if hmac.compare_digest(each, digest)]
        return Key(matches[0]) if matches else None


class KeyAuthenticator:
    """Finds the key of a token in the settings, then in the database.

    Caches lookups for ten seconds, so that few calls wait for the database; a revoked key can be used for that long at
    most. Unknown tokens have their own cache, so that they cannot evict valid ones.

    Args:
        clock: Unix seconds.
    """

    def __init__(self, configured: ConfiguredKeys, stored: KeyStore, clock: Callable[[], float] = time.time) -> None:
        self._configured = configured
        self._stored = stored
        self._clock = clock
        self._cached: MemoryCache[StoredKey] = MemoryCache(MAX_CACHED, clock)
        self._unknown: MemoryCache[bool] = MemoryCache(MAX_CACHED, clock)
        self._used_at: dict[str, int] = {}
        self._lock = threading.Lock()

    def authenticate(self, authorization: str) -> Key:
        """The key of ``Bearer <token>`` (RFC 6750 section 2.1); records its use.

        Raises:
            KeyMissing: there is no bearer token.
            KeyInvalid: the token is unknown, expired or revoked.
            DatabaseDown: the database does not respond.
        """
        token = _bearer_token(authorization)
        digest = digest_of(token)
        if configured := self._configured.find(digest):
            return configured
        stored = self._find(digest) if TOKEN.fullmatch(token) else None
        if stored is None:
            raise KeyInvalid("unknown key")
        now_ms = int(self._clock() * 1000)
        if (state := stored.state(now_ms)) != "active":
            raise KeyInvalid(f"the key {stored.key.name} is {state}")
        with self._lock:
            self._used_at[stored.key.name] = now_ms
        return stored.key

    def flush(self) -> None:
        """Write to the database when keys were last used; a background task calls it.

        Raises:
            DatabaseDown: nothing was written; the next call tries again.
        """
        with self._lock:
            used_at, self._used_at = self._used_at, {}
        if not used_at:
            return
        try:
            self._stored.update_last_used(used_at)
        except DatabaseDown:
            with self._lock:
                self._used_at = used_at | self._used_at
            raise

    def _find(self, digest: str) -> StoredKey | None:
        if self._unknown.get((digest,)):
            return None
        if cached := self._cached.get((digest,)):
            return cached
        expires_at = self._clock() + CACHE_TTL_S
        if found := self._stored.find(digest):
            self._cached.put((digest,), found, expires_at)
        else:
            self._unknown.put((digest,), True, expires_at)  # noqa: FBT003 (a value, not a flag)
        return found


def _bearer_token(authorization: str) -> str:
    scheme, token = authorization[: len(_SCHEME)], authorization[len(_SCHEME) :].strip()
    if scheme.lower() != _SCHEME or not token:
        raise KeyMissing("no bearer token")
    return token
