"""Who calls: the ``Authorization`` header becomes a key, or an error."""

import threading
import time
from collections.abc import Callable

from gateway.cache import MemoryCache
from gateway.errors import DatabaseDown, KeyInvalid, KeyMissing
from gateway.keys.configured import ConfiguredKeys
from gateway.keys.key import TOKEN, Key, digest_of
from gateway.keys.key_store import KeyStore, StoredKey

KNOWN_FOR_S = 10
MOST_KNOWN = 10_000
_SCHEME = "bearer "


class KeyAuthenticator:
    """Matches the header against the keys of the settings, then against those of the database.

    What the database said is known for ten seconds, so that a call rarely waits for it; a revoked key opens calls
    for that long at most. Two caches, as made-up tokens must not drive good ones out.

    Args:
        configured: the keys of the settings.
        stored: the keys of the database.
        clock: Unix seconds.
    """

    def __init__(self, configured: ConfiguredKeys, stored: KeyStore, clock: Callable[[], float] = time.time) -> None:
        self._configured = configured
        self._stored = stored
        self._clock = clock
        self._known: MemoryCache[StoredKey] = MemoryCache(MOST_KNOWN, clock)
        self._unknown: MemoryCache[bool] = MemoryCache(MOST_KNOWN, clock)
        self._used_at: dict[str, int] = {}
        self._lock = threading.Lock()

    def authenticate(self, authorization: str) -> Key:
        """Match ``Bearer <token>`` (RFC 6750 section 2.1), and note that the key was used.

        Raises:
            KeyMissing: there is no bearer token.
            KeyInvalid: it is none of ours, or no longer.
            DatabaseDown: it may be one of ours, but the database does not answer.
        """
        token = _bearer(authorization)
        digest = digest_of(token)
        if configured := self._configured.find(digest):
            return configured
        stored = self._find(digest) if TOKEN.fullmatch(token) else None  # nothing else troubles the database
        if stored is None:
            raise KeyInvalid("unknown key")
        now_ms = int(self._clock() * 1000)
        if (state := stored.state(now_ms)) != "active":
            raise KeyInvalid(f"the key {stored.key.name} is {state}")
        with self._lock:
            self._used_at[stored.key.name] = now_ms
        return stored.key

    def flush(self) -> None:
        """Write down when keys were used since the last time. Call it in the background, now and then.

        Raises:
            DatabaseDown: it was not written down; the next time tries again.
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
        if known := self._known.get((digest,)):
            return known
        until = self._clock() + KNOWN_FOR_S
        if found := self._stored.find(digest):
            self._known.put((digest,), found, until)
        else:
            self._unknown.put((digest,), True, until)  # noqa: FBT003 (a value, not a flag)
        return found


def _bearer(authorization: str) -> str:
    scheme, token = authorization[: len(_SCHEME)], authorization[len(_SCHEME) :].strip()
    if scheme.lower() != _SCHEME or not token:
        raise KeyMissing("no bearer token")
    return token
