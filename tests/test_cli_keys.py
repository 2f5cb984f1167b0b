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
    """A gateway whose database does not exist yet."""
    return Gateway(make_settings(database_url=f"sqlite:///{tmp_path}/sub/gateway.db"))


@pytest.fixture
def broken() -> Gateway:
    """A gateway whose database cannot be reached."""
    return Gateway(make_settings(database_url="postgres://nobody:hunter2@127.0.0.1:1/none"))


def run(gateway: Gateway, *arguments: str) -> Result:
    return gateway.app.test_cli_runner().invoke(args=["keys", *arguments])


def refusal(result: Result) -> str:
    """Why the command refused."""
    assert result.exit_code != 0
    assert result.stdout == ""
    return str(result.stderr.splitlines()[-1])


def listed(gateway: Gateway) -> dict[str, str]:
    """The lines of ``keys list``, by their first word."""
    result = run(gateway, "list")
    assert result.exit_code == 0, result.output
    return {line.split()[0]: line for line in result.stdout.splitlines()}


def is_accepted(gateway: Gateway, token: str) -> bool:
    response = gateway.client.post("/api/v1/links", data=b"", headers={"Authorization": f"Bearer {token}"})
    return response.status_code != 401


def test_create_prints_a_key_that_the_api_accepts_and_nothing_else(gateway: Gateway) -> None:
    result = run(gateway, "create", "shop")

    assert result.exit_code == 0
    assert TOKEN.fullmatch(result.stdout.rstrip("\n"))
    assert "not shown again" in result.stderr
    assert is_accepted(gateway, result.stdout.strip())


def test_a_key_has_every_scope_and_no_limit_unless_options_say_otherwise(gateway: Gateway) -> None:
    def created(name: str, *options: str) -> StoredKey:
        run(gateway, "create", name, *options)
        key = gateway.services.key_store.find_by_name(name)
        assert key is not None
        return key

    shop = created("shop")
    limits = ("--per-minute", "60", "--per-day", "1000", "--expires-in", "30")
    mail = created("mail", "--scope", "links", "--scope", "records", *limits)

    assert (shop.key, shop.expires_at) == (Key("shop", frozenset(SCOPES), 0, 0), None)
    assert mail.key == Key("mail", frozenset({"links", "records"}), 60, 1000)
    assert mail.expires_at == mail.created_at + 30 * 86_400_000


def test_create_refuses_bad_arguments_and_says_why(gateway: Gateway) -> None:
    run(gateway, "create", "taken")

    for arguments, reason in [
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
    ]:
        assert reason in refusal(run(gateway, "create", *arguments)), arguments
    assert [key.key.name for key in gateway.services.key_store.all()] == ["taken"]


def test_list_shows_everything_except_secrets(gateway: Gateway) -> None:
    token = run(gateway, "create", "shop", "--scope", "links", "--per-day", "1000", "--expires-in", "1").stdout.strip()
    gateway.clock.now = 1_700_000_000
    gateway.services.key_store.update_last_used({"shop": 1_700_000_000_000})

    lines = listed(gateway)

    assert list(lines) == ["NAME", "tests", "shop"]
    assert lines["tests"].split()[1:5] == ["configured", *SCOPES]
    assert lines["shop"].split()[1:5] == ["active", "links", "-", "1000"]
    assert "2023-11-14T22:13:20Z" in lines["shop"]
    assert [secret for secret in (token, API_KEY) if secret in "".join(lines.values())] == []


def test_rotate_prints_a_new_key_and_the_old_one_is_invalid(gateway: Gateway) -> None:
    old = run(gateway, "create", "shop").stdout.strip()

    new = run(gateway, "rotate", "shop").stdout.strip()

    assert TOKEN.fullmatch(new)
    assert [is_accepted(gateway, token) for token in (old, new)] == [False, True]


def test_revoked_and_expired_keys_are_listed_and_counted_as_such_and_cannot_be_changed(gateway: Gateway) -> None:
    for name, days in (("active", "2"), ("expired", "1"), ("revoked", "2")):
        token = run(gateway, "create", name, "--expires-in", days).stdout.strip()
    result = run(gateway, "revoke", "revoked")
    assert (result.exit_code, result.stdout) == (0, "revoked is revoked.\n")
    assert not is_accepted(gateway, token)
    gateway.clock.now += 86_400

    lines = listed(gateway)
    checked = gateway.app.test_cli_runner().invoke(args=["check"])

    assert [lines[name].split()[1] for name in ("active", "expired", "revoked")] == ["active", "expired", "revoked"]
    assert checked.exit_code == 0
    assert "keys: 1 in GATEWAY_API_KEYS, 1 active in the database" in checked.stdout.splitlines()
    for command, name, reason in [
        ("rotate", "nobody", "there is no key named nobody"),
        ("revoke", "nobody", "there is no key named nobody"),
        ("rotate", "tests", "tests is set by GATEWAY_API_KEYS; change it there"),
        ("revoke", "tests", "tests is set by GATEWAY_API_KEYS; change it there"),
        ("rotate", "revoked", "revoked is revoked; create another key"),
        ("revoke", "revoked", "revoked is revoked"),
        ("rotate", "expired", "expired is expired; create another key"),
    ]:
        assert reason in refusal(run(gateway, command, name)), (command, name)


def test_without_a_database_every_command_fails_with_one_line(gateway: Gateway, broken: Gateway) -> None:
    for arguments in (("create", "shop"), ("list",), ("rotate", "shop"), ("revoke", "shop")):
        result = run(broken, *arguments)
        assert refusal(result) == DOWN
        assert "hunter2" not in result.output

    invoke = broken.app.test_cli_runner().invoke
    checked, failed = invoke(args=["check"]), invoke(args=["db", "upgrade"])
    assert (checked.exit_code, checked.stderr.splitlines()) == (1, [DOWN])
    assert "provider: not used by this resolver\n" in checked.stdout
    assert (failed.exit_code, failed.stderr.splitlines()) == (1, [DOWN])

    upgraded = gateway.app.test_cli_runner().invoke(args=["db", "upgrade"])
    assert (upgraded.exit_code, gateway.services.database.is_current()) == (0, True)
