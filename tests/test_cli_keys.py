"""What the operator sees of keys: ``flask --app wsgi keys create|list|rotate|revoke``, and ``check``."""

from pathlib import Path

import pytest
from click.testing import Result

from gateway.keys.key import SCOPES, TOKEN, Key
from gateway.keys.key_store import StoredKey
from tests.support.factories import API_KEY, Gateway, make_settings

DOWN = "Error: DATABASE_URL: the database does not answer (OperationalError)"


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    """A gateway whose database was not even made yet."""
    return Gateway(make_settings(database_url=f"sqlite:///{tmp_path}/sub/gateway.db"))


@pytest.fixture
def broken() -> Gateway:
    """A gateway whose database is not there."""
    return Gateway(make_settings(database_url="postgres://nobody:hunter2@127.0.0.1:1/none"))


def run(gateway: Gateway, *arguments: str) -> Result:
    return gateway.app.test_cli_runner().invoke(args=["keys", *arguments])


def stored(gateway: Gateway, name: str = "shop") -> StoredKey:
    key = gateway.services.key_store.find_by_name(name)
    assert key is not None
    return key


def told(result: Result) -> str:
    """Why the command refused."""
    assert result.exit_code != 0
    assert result.stdout == ""
    return str(result.stderr.splitlines()[-1])


def listed(gateway: Gateway) -> dict[str, str]:
    """The lines of ``keys list``, by their first word."""
    result = run(gateway, "list")
    assert result.exit_code == 0, result.output
    return {line.split()[0]: line for line in result.stdout.splitlines()}


def opens(gateway: Gateway, token: str) -> bool:
    response = gateway.client.post("/api/v1/links", data=b"", headers={"Authorization": f"Bearer {token}"})
    return response.status_code != 401


def test_create_prints_a_key_that_opens_the_api_and_nothing_else(gateway: Gateway) -> None:
    result = run(gateway, "create", "shop")

    assert result.exit_code == 0
    assert TOKEN.fullmatch(result.stdout.rstrip("\n"))
    assert "not shown again" in result.stderr
    assert opens(gateway, result.stdout.strip())


def test_a_key_has_every_scope_no_limit_and_no_end_unless_it_is_said(gateway: Gateway) -> None:
    run(gateway, "create", "shop")

    assert stored(gateway).key == Key("shop", frozenset(SCOPES), 0, 0)
    assert stored(gateway).expires_at is None


def test_a_key_is_what_was_said(gateway: Gateway) -> None:
    limits = ("--per-minute", "60", "--per-day", "1000", "--expires-in", "30")

    run(gateway, "create", "shop", "--scope", "links", "--scope", "records", *limits)

    key = stored(gateway)
    assert key.key == Key("shop", frozenset({"links", "records"}), 60, 1000)
    assert key.expires_at == key.created_at + 30 * 86_400_000


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("tests",), "GATEWAY_API_KEYS has a key named tests"),
        (("taken",), "there is a key named taken already"),
        (("a b",), "1 to 64 of A-Z a-z 0-9 _ . -"),
        (("",), "1 to 64 of"),
        (("a" * 65,), "1 to 64 of"),
        (("shop", "--scope", "admin"), "'admin' is not one of 'download-url', 'links', 'records'"),
        (("shop", "--per-minute", "-1"), "-1 is not in the range"),
        (("shop", "--per-day", "9999999999"), "9999999999 is not in the range"),
        (("shop", "--expires-in", "0"), "0 is not in the range"),
        ((), "Missing argument 'NAME'"),
    ],
    ids=lambda value: " ".join(value)[:20] if isinstance(value, tuple) else "",
)
def test_create_refuses_and_says_why(gateway: Gateway, arguments: tuple[str, ...], reason: str) -> None:
    run(gateway, "create", "taken")

    assert reason in told(run(gateway, "create", *arguments))
    assert [key.key.name for key in gateway.services.key_store.all()] == ["taken"]


def test_list_tells_everything_but_secrets(gateway: Gateway) -> None:
    token = run(gateway, "create", "shop", "--scope", "links", "--per-day", "1000", "--expires-in", "1").stdout.strip()
    gateway.clock.now = 1_700_000_000
    gateway.services.key_store.update_last_used({"shop": 1_700_000_000_000})

    lines = listed(gateway)

    assert list(lines) == ["NAME", "tests", "shop"]
    assert lines["tests"].split()[1:5] == ["configured", *SCOPES]
    assert lines["shop"].split()[1:5] == ["active", "links", "-", "1000"]
    assert "2023-11-14T22:13:20Z" in lines["shop"]
    assert [secret for secret in (token, API_KEY) if secret in "".join(lines.values())] == []


def test_list_says_which_keys_have_ended_and_how(gateway: Gateway) -> None:
    for name in ("active", "expired", "revoked"):
        run(gateway, "create", name, "--expires-in", "1" if name == "expired" else "2")
    run(gateway, "revoke", "revoked")
    gateway.clock.now += 86_400

    lines = listed(gateway)

    assert {name: lines[name].split()[1] for name in ("active", "expired", "revoked")} == {
        name: name for name in ("active", "expired", "revoked")
    }


def test_rotate_prints_a_new_key_and_the_old_one_ends(gateway: Gateway) -> None:
    old = run(gateway, "create", "shop").stdout.strip()

    new = run(gateway, "rotate", "shop").stdout.strip()

    assert TOKEN.fullmatch(new)
    assert [opens(gateway, token) for token in (old, new)] == [False, True]


def test_revoke_ends_a_key(gateway: Gateway) -> None:
    token = run(gateway, "create", "shop").stdout.strip()

    result = run(gateway, "revoke", "shop")

    assert (result.exit_code, result.stdout) == (0, "shop is revoked.\n")
    assert not opens(gateway, token)


@pytest.mark.parametrize(
    ("command", "name", "reason"),
    [
        ("rotate", "nobody", "there is no key named nobody"),
        ("revoke", "nobody", "there is no key named nobody"),
        ("rotate", "tests", "tests is set by GATEWAY_API_KEYS; change it there"),
        ("revoke", "tests", "tests is set by GATEWAY_API_KEYS; change it there"),
        ("rotate", "revoked", "revoked is revoked; create another key"),
        ("revoke", "revoked", "revoked is revoked"),
        ("rotate", "expired", "expired is expired; create another key"),
    ],
)
def test_what_cannot_be_changed_is_said_with_its_reason(gateway: Gateway, command: str, name: str, reason: str) -> None:
    run(gateway, "create", "revoked")
    run(gateway, "revoke", "revoked")
    run(gateway, "create", "expired", "--expires-in", "1")
    gateway.clock.now += 86_400

    assert reason in told(run(gateway, command, name))


@pytest.mark.parametrize("arguments", [("create", "shop"), ("list",), ("rotate", "shop"), ("revoke", "shop")])
def test_without_a_database_every_command_says_so_in_one_line(broken: Gateway, arguments: tuple[str, ...]) -> None:
    result = run(broken, *arguments)

    assert told(result) == DOWN
    assert "hunter2" not in result.output


def test_check_counts_the_keys(gateway: Gateway) -> None:
    for name in ("a", "b", "c"):
        run(gateway, "create", name)
    run(gateway, "revoke", "c")

    result = gateway.app.test_cli_runner().invoke(args=["check"])

    assert result.exit_code == 0
    assert "keys: 1 in GATEWAY_API_KEYS, 2 active in the database" in result.stdout.splitlines()


def test_check_tries_the_provider_also_when_the_database_is_not_there(broken: Gateway) -> None:
    result = broken.app.test_cli_runner().invoke(args=["check"])

    assert result.exit_code == 1
    assert "provider: not used by this resolver\n" in result.stdout
    assert result.stderr.splitlines() == [DOWN]


def test_db_upgrade_makes_the_database_whatever_the_resolver(gateway: Gateway, broken: Gateway) -> None:
    upgraded = gateway.app.test_cli_runner().invoke(args=["db", "upgrade"])
    failed = broken.app.test_cli_runner().invoke(args=["db", "upgrade"])

    assert (upgraded.exit_code, gateway.services.database.is_current()) == (0, True)
    assert (failed.exit_code, failed.stderr.splitlines()) == (1, [DOWN])
