"""The keys in the database: made once, found by their tokens, and ended."""

from collections.abc import Callable

import pytest

from gateway.keys.key import TOKEN, Key, digest_of
from gateway.keys.key_store import DAY_MS, KeyStore, StoredKey
from gateway.storage.database import Database
from gateway.storage.tables import api_keys
from tests.support.factories import Clock

SHOP = Key("shop", frozenset({"links"}), per_minute=60, per_day=1000)


@pytest.fixture
def keys(database: Database, clock: Clock) -> KeyStore:
    return KeyStore(database, clock)


def made(keys: KeyStore, key: Key = SHOP, days: int | None = None) -> str:
    token = keys.create(key, days)
    assert token is not None
    return token


def found(keys: KeyStore, token: str) -> StoredKey | None:
    return keys.find(digest_of(token))


def test_a_key_is_found_by_its_token_with_all_fields(keys: KeyStore) -> None:
    token = made(keys, days=30)

    stored = found(keys, token)

    assert stored == StoredKey(SHOP, keys.now_ms(), keys.now_ms() + 30 * DAY_MS, None, None)
    assert stored == keys.find_by_name("shop")


def test_a_token_has_a_prefix_and_256_random_bits(keys: KeyStore) -> None:
    tokens = {made(keys, Key(f"k{number}")) for number in range(20)}

    assert len(tokens) == 20
    assert [token for token in tokens if not TOKEN.fullmatch(token)] == []


def test_only_the_hash_of_a_token_is_stored(keys: KeyStore, database: Database) -> None:
    token = made(keys)

    with database.read_transaction() as connection:
        row = connection.execute(api_keys.select()).one()

    assert row.digest == digest_of(token)
    assert token not in repr(row)


def test_a_name_is_used_once_even_when_its_key_was_revoked(keys: KeyStore) -> None:
    token = made(keys)

    assert keys.create(SHOP) is None
    keys.revoke("shop")
    assert keys.create(SHOP) is None
    assert found(keys, token) is not None


def test_rotation_replaces_only_the_token(keys: KeyStore) -> None:
    old = made(keys, days=30)
    before = keys.find_by_name("shop")

    new = keys.rotate("shop")

    assert new is not None
    assert found(keys, old) is None
    assert found(keys, new) == before


def test_a_key_that_is_not_active_cannot_be_rotated(keys: KeyStore, clock: Clock) -> None:
    expiring, revoked = made(keys, Key("expiring"), days=1), made(keys, Key("revoked"))
    keys.revoke("revoked")
    clock.now += 86_400

    assert [keys.rotate(name) for name in ("expiring", "revoked", "nobody")] == [None, None, None]
    assert found(keys, expiring) is not None
    assert found(keys, revoked) is not None


def test_a_key_is_revoked_once_and_stays_revoked(keys: KeyStore) -> None:
    token = made(keys)

    assert [keys.revoke("shop"), keys.revoke("shop"), keys.revoke("nobody")] == [True, False, False]

    stored = found(keys, token)
    assert stored is not None
    assert stored.state(keys.now_ms()) == "revoked"


def test_a_key_expires_to_the_second(keys: KeyStore, clock: Clock) -> None:
    clock.now = begun = int(clock.now)
    token = made(keys, days=1)

    for after_s, state in {0: "active", 86_399: "active", 86_400: "expired"}.items():
        clock.now = begun + after_s
        stored = found(keys, token)
        assert stored is not None
        assert stored.state(keys.now_ms()) == state


def test_every_key_is_listed_by_name(keys: KeyStore) -> None:
    for name in ("b", "c", "a"):
        made(keys, Key(name))
    keys.revoke("c")

    assert [stored.key.name for stored in keys.all()] == ["a", "b", "c"]


def test_the_last_use_is_the_latest_of_all_workers(
    keys: KeyStore, open_again: Callable[[], Database], clock: Clock
) -> None:
    made(keys, Key("a"))
    made(keys, Key("b"))

    keys.update_last_used({"b": 2000, "a": 1000, "nobody": 1})
    KeyStore(open_again(), clock).update_last_used({"a": 3000, "b": 1000})

    assert {stored.key.name: stored.last_used_at for stored in keys.all()} == {"a": 3000, "b": 2000}
