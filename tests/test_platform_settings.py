"""Hosting platforms set variables of their own; the operator's settings take precedence."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.settings.loader import load_settings, settings_on_ephemeral_disk

SECRET = "a-secret-of-at-least-32-bytes-for-these-tests"
MARK = "zq7marker"
PLATFORMS = ("DYNO", "RENDER", "FLY_APP_NAME", "RAILWAY_ENVIRONMENT_NAME", "K_SERVICE", "CF_INSTANCE_GUID")
Set = Callable[..., None]


@pytest.fixture
def enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Set:
    """Sets variables beside the required ones, in an environment that has no other, in a folder without ``.env``."""
    for name in os.environ:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def set_all(**values: str) -> None:
        required = {"GATEWAY_SECRET_KEYS": SECRET, "GATEWAY_UPSTREAM_API_KEY": "a-provider-key"}
        for name, value in (required | values).items():
            monkeypatch.setenv(name, value)

    return set_all


def faults() -> list[str]:
    """The faults of the environment; fails when there are none."""
    with pytest.raises(ConfigError) as refused:
        load_settings()
    return refused.value.faults


@pytest.mark.parametrize("mark", PLATFORMS)
def test_a_known_platform_has_one_proxy_in_front(enough: Set, mark: str) -> None:
    enough(**{mark: "something"})

    assert load_settings().trusted_proxies == 1


def test_elsewhere_no_proxy_is_believed(enough: Set) -> None:
    enough()

    assert load_settings().trusted_proxies == 0


@pytest.mark.parametrize(
    ("told", "public_url"),
    [
        ({"RENDER_EXTERNAL_URL": "https://x.onrender.com"}, "https://x.onrender.com"),
        ({"RAILWAY_PUBLIC_DOMAIN": "x.up.railway.app"}, "https://x.up.railway.app"),
        ({"HEROKU_APP_DEFAULT_DOMAIN_NAME": "x.herokuapp.com"}, "https://x.herokuapp.com"),
        ({"FLY_APP_NAME": "x"}, "https://x.fly.dev"),
        ({"RENDER_EXTERNAL_URL": ""}, ""),
        ({}, ""),
    ],
    ids=["render", "railway", "heroku", "fly", "empty", "none"],
)
def test_a_platform_tells_the_public_url(enough: Set, told: dict[str, str], public_url: str) -> None:
    enough(**told)

    assert load_settings().public_url == public_url


def test_the_operator_beats_the_platform(enough: Set) -> None:
    enough(
        FLY_APP_NAME="x",
        GATEWAY_PUBLIC_URL="https://files.example",
        GATEWAY_TRUSTED_PROXIES="0",
    )

    settings = load_settings()

    assert (settings.public_url, settings.trusted_proxies) == ("https://files.example", 0)


@pytest.mark.parametrize(
    "in_environment",
    [{}, {"GATEWAY_PUBLIC_URL": "", "GATEWAY_TRUSTED_PROXIES": ""}],
    ids=["nothing-in-the-environment", "empty-in-the-environment"],
)
def test_the_operators_env_file_beats_the_platform(enough: Set, in_environment: dict[str, str]) -> None:
    enough(FLY_APP_NAME="x", **in_environment)
    Path(".env").write_text("GATEWAY_PUBLIC_URL=https://files.example\nGATEWAY_TRUSTED_PROXIES=2\n")

    settings = load_settings()

    assert (settings.public_url, settings.trusted_proxies) == ("https://files.example", 2)


def test_a_platforms_bad_url_is_told_by_the_name_of_the_setting(enough: Set) -> None:
    enough(RENDER_EXTERNAL_URL=f"{MARK}://x")

    told = faults()

    assert [fault.partition(":")[0] for fault in told] == ["GATEWAY_PUBLIC_URL"]
    assert MARK not in told[0]


@pytest.mark.parametrize("mark", PLATFORMS)
def test_on_a_platform_the_operator_is_told_what_each_deploy_loses(enough: Set, mark: str) -> None:
    enough(GATEWAY_RESOLVER="store", **{mark: "something"})

    assert settings_on_ephemeral_disk(load_settings()) == ["DATABASE_URL", "GATEWAY_STORE"]


@pytest.mark.parametrize(
    ("values", "lost"),
    [
        ({"RENDER": "true", "DATABASE_URL": "postgres://db/x"}, ["GATEWAY_STORE"]),
        ({"RENDER": "true", "GATEWAY_STORE": "s3://images"}, ["DATABASE_URL"]),
        ({"RENDER": "true", "DATABASE_URL": "postgres://db/x", "GATEWAY_STORE": "s3://images"}, []),
        ({"RENDER": "true", "GATEWAY_RESOLVER": "upstream"}, ["DATABASE_URL"]),
        ({"RENDER": ""}, []),
    ],
    ids=["postgresql", "bucket", "both", "keys-alone", "no-platform"],
)
def test_what_outlives_a_deploy_is_not_told_as_lost(enough: Set, values: dict[str, str], lost: list[str]) -> None:
    enough(**{"GATEWAY_RESOLVER": "store"} | values)

    assert settings_on_ephemeral_disk(load_settings()) == lost
