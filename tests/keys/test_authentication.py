"""Whose token it is: of the settings, of the database, of nobody, or of nobody any more."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.errors import DatabaseDown, KeyInvalid, KeyMissing
from gateway.keys.authentication import CACHE_TTL_S, ConfiguredKeys, KeyAuthenticator
from gateway.keys.key import SCOPES, Key, new_token
from gateway.keys.key_store import KeyStore
from gateway.storage.database import Database
from tests.support.databases import statements
from tests.support.factories import API_KEY, Clock


@pytest.fixture
def stored(database: Database, clock: Clock) -> KeyStore:
    return KeyStore(database, clock)


@pytest.fixture
def keys(stored: KeyStore, clock: Clock) -> KeyAuthenticator:
    return KeyAuthenticator(ConfiguredKeys({"tests": API_KEY}), stored, clock)


def made(stored: KeyStore, key: Key | None = None, days: int | None = None) -> str:
    token = stored.create(key or Key("shop"), days)
    assert token is not None
    return f"Bearer {token}"


def last_used(stored: KeyStore) -> int | None:
    (key,) = stored.all()
    return key.last_used_at


def test_a_configured_key_has_every_scope_and_no_limit(keys: KeyAuthenticator, database: Database) -> None:
    with statements(database) as sent:
        key = keys.authenticate(f"Bearer {API_KEY}")

    assert key == Key("tests", frozenset(SCOPES), 0, 0)
    assert sent == []


def test_a_stored_key_is_read_back_unchanged(keys: KeyAuthenticator, stored: KeyStore) -> None:
    shop = Key("shop", frozenset({"links"}), 60, 1000)

    assert keys.authenticate(made(stored, shop)) == shop


def test_without_a_token_a_key_is_missing_and_an_altered_token_is_unknown(
    keys: KeyAuthenticator, stored: KeyStore
) -> None:
    for header in ("", "Bearer", "Bearer  ", "Basic abc", "gw_" + "a" * 43):
        with pytest.raises(KeyMissing):
            keys.authenticate(header)

    token = made(stored).removeprefix("Bearer ")
    for altered in (
        *(token[:-1], token + "A", token.swapcase(), token.replace("gw_", ""), token + "="),
        *(new_token(), "\udcff"),
    ):
        with pytest.raises(KeyInvalid, match="unknown key"):
            keys.authenticate(f"Bearer {altered}")


def test_a_malformed_token_is_not_looked_up_in_the_database(keys: KeyAuthenticator, database: Database) -> None:
    with statements(database) as sent, pytest.raises(KeyInvalid):
        keys.authenticate("Bearer an-api-key-of-somebody-else")

    assert sent == []


def test_a_cached_key_expires_to_the_second(keys: KeyAuthenticator, stored: KeyStore, clock: Clock) -> None:
    clock.now = int(clock.now)
    header = made(stored, days=1)
    clock.now += 86_399
    keys.authenticate(header)

    clock.now += 1

    with pytest.raises(KeyInvalid, match="the key shop is expired"):
        keys.authenticate(header)


def test_a_cached_key_is_not_looked_up_again_for_ten_seconds(
    keys: KeyAuthenticator, stored: KeyStore, database: Database, clock: Clock
) -> None:
    header = made(stored)
    keys.authenticate(header)

    with statements(database) as sent:
        clock.now += CACHE_TTL_S - 0.1
        keys.authenticate(header)
        within = [*sent]
        clock.now += 0.1
        keys.authenticate(header)

    assert within == []
    assert [statement for statement in sent if "api_keys" in statement] != []


def test_an_unknown_token_is_not_looked_up_again_for_ten_seconds(keys: KeyAuthenticator, database: Database) -> None:
    token = new_token()

    with statements(database) as sent:
        for _ in range(5):
            with pytest.raises(KeyInvalid):
                keys.authenticate(f"Bearer {token}")

    assert len([statement for statement in sent if "api_keys" in statement]) == 1


@pytest.mark.parametrize(
    ("end", "said"), [(KeyStore.revoke, "the key shop is revoked"), (KeyStore.rotate, "unknown key")]
)
def test_a_key_revoked_by_another_process_is_invalid_within_ten_seconds(
    keys: KeyAuthenticator,
    stored: KeyStore,
    open_again: Callable[[], Database],
    clock: Clock,
    end: Callable[[KeyStore, str], object],
    said: str,
) -> None:
    header = made(stored)
    keys.authenticate(header)

    end(KeyStore(open_again(), clock), "shop")

    keys.authenticate(header)
    clock.now += CACHE_TTL_S
    with pytest.raises(KeyInvalid, match=said):
        keys.authenticate(header)


def test_the_last_use_is_written_at_the_flush(keys: KeyAuthenticator, stored: KeyStore, clock: Clock) -> None:
    header = made(stored)
    keys.authenticate(header)
    clock.now += 5
    keys.authenticate(header)

    assert last_used(stored) is None
    keys.flush()
    assert last_used(stored) == stored.now_ms()


def test_a_rejected_call_is_not_recorded_as_use(keys: KeyAuthenticator, stored: KeyStore) -> None:
    header = made(stored)
    stored.revoke("shop")

    with pytest.raises(KeyInvalid):
        keys.authenticate(header)
    keys.flush()

    assert last_used(stored) is None


def test_unused_keys_cause_no_write(keys: KeyAuthenticator, stored: KeyStore, database: Database) -> None:
    keys.authenticate(made(stored))
    keys.authenticate(f"Bearer {API_KEY}")
    keys.flush()

    with statements(database) as sent:
        keys.flush()

    assert sent == []


def test_without_the_database_configured_and_cached_keys_are_valid_and_no_use_is_lost(
    tmp_path: Path, clock: Clock
) -> None:
    file = tmp_path / "gateway.db"
    database = Database(f"sqlite:///{file}")
    database.migrate()
    stored = KeyStore(database, clock)
    keys = KeyAuthenticator(ConfiguredKeys({"tests": API_KEY}), stored, clock)
    header = made(stored)
    keys.authenticate(header)
    used_at = stored.now_ms()

    database.engine.dispose()
    file.rename(tmp_path / "away")
    assert keys.authenticate(f"Bearer {API_KEY}").name == "tests"
    assert keys.authenticate(header).name == "shop"
    clock.now += CACHE_TTL_S
    for use in (lambda: keys.authenticate(header), keys.flush):
        with pytest.raises(DatabaseDown):
            use()

    database.engine.dispose()
    (tmp_path / "away").rename(file)
    keys.flush()
    assert last_used(stored) == used_at
