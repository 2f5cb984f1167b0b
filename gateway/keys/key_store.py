"""The API keys in the database."""

import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import bindparam, or_, select, update

from gateway.keys.key import Key, digest_of, new_token
from gateway.storage.database import Database
from gateway.storage.tables import api_keys

DAY_MS = 86_400_000
State = Literal["active", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key with its database fields, without its token. Times are Unix milliseconds."""

    key: Key
    created_at: int
    expires_at: int | None
    last_used_at: int | None
    revoked_at: int | None

    def state(self, now_ms: int) -> State:
        """Whether the key is active, expired or revoked."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now_ms else "active"


class KeyStore:
    """Stores keys by the digests of their tokens. Names are never reused, so that log entries stay unambiguous.

    Args:
        clock: Unix seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def create(self, key: Key, days: int | None = None) -> str | None:
        """Store a new key that expires after ``days``, or never.

        Returns:
            Its token, which is not stored; None if the name is taken.
        """
        token = new_token()
        row = {
            "name": key.name,
            "digest": digest_of(token),
            "scopes": " ".join(sorted(key.scopes)),
            "per_minute": key.per_minute,
            "per_day": key.per_day,
            "created_at": self.now_ms(),
            "expires_at": None if days is None else self.now_ms() + days * DAY_MS,
        }
        statement = self._database.insert(api_keys).values(row).on_conflict_do_nothing(index_elements=[api_keys.c.name])
        with self._database.write_transaction() as connection:
            created = connection.execute(statement.returning(api_keys.c.name)).first()
        return token if created else None

    def rotate(self, name: str) -> str | None:
        """Replace the token of an active key.

        Returns:
            The new token, which is not stored; None if no active key has this name.
        """
        token = new_token()
        unexpired = or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > self.now_ms())
        statement = update(api_keys).where(api_keys.c.name == name, api_keys.c.revoked_at.is_(None), unexpired)
        with self._database.write_transaction() as connection:
            rotated = connection.execute(statement.values(digest=digest_of(token))).rowcount
        return token if rotated else None

    def revoke(self, name: str) -> bool:
        """Revoke a key; returns whether there was one that was not revoked."""
        statement = update(api_keys).where(api_keys.c.name == name, api_keys.c.revoked_at.is_(None))
        with self._database.write_transaction() as connection:
            return connection.execute(statement.values(revoked_at=self.now_ms())).rowcount > 0

    def find(self, digest: str) -> StoredKey | None:
        """The key with this token digest in any state, or None."""
        with self._database.read_transaction() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.digest == digest)).one_or_none()
        # An index lookup is not constant in time.
        return _stored(row) if row is not None and hmac.compare_digest(row.digest, digest) else None

    def find_by_name(self, name: str) -> StoredKey | None:
        """The key with this name in any state, or None."""
        with self._database.read_transaction() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.name == name)).one_or_none()
        return None if row is None else _stored(row)

    def all(self) -> list[StoredKey]:
        """All keys, by name."""
        with self._database.read_transaction() as connection:
            return [_stored(row) for row in connection.execute(select(api_keys).order_by(api_keys.c.name))]

    def update_last_used(self, used_at: Mapping[str, int]) -> None:
        """Set when keys were last used, by name, in Unix milliseconds; never to an earlier time."""
        later = or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at < bindparam("at"))
        statement = update(api_keys).where(api_keys.c.name == bindparam("key"), later)
        rows = [{"key": name, "at": at} for name, at in sorted(used_at.items())]  # sorted: no deadlock
        with self._database.write_transaction() as connection:
            connection.execute(statement.values(last_used_at=bindparam("at")), rows)

    def now_ms(self) -> int:
        """The current time in Unix milliseconds."""
        return int(self._clock() * 1000)


def _stored(row: Any) -> StoredKey:  # noqa: ANN401 (rows are typed by their columns only)
    return StoredKey(
        key=Key(row.name, frozenset(row.scopes.split()), row.per_minute, row.per_day),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
