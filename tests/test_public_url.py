"""Without ``GATEWAY_PUBLIC_URL`` a platform's variable is used; without that links are relative, with a warning."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import RELATIVE_LINKS
from gateway.settings.loader import load_settings
from tests.support.factories import API_KEY, SECRET, Gateway, make_settings
from tests.support.live_gateway import live_gateway

PUBLIC_URL = "https://dl.example.com"
URL = "https://origin.example/v/cat.png"
Load = Callable[..., str]


@pytest.fixture
def public_url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Load:
    """Loads the settings in an environment of these variables alone; gives the public URL."""
    for name in os.environ:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEWAY_SECRET_KEYS", SECRET)

    def public_url(**variables: str) -> str:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return load_settings().public_url

    return public_url


def mint(gateway: Gateway) -> Any:
    body = {"taskId": "task12345", "url": URL}
    return gateway.client.post("/api/v1/links", json=body, headers={"Authorization": f"Bearer {API_KEY}"}).json


# --- the platforms' own variables


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"KOYEB_PUBLIC_DOMAIN": "x-y.koyeb.app"}, "https://x-y.koyeb.app"),
        ({"VCAP_APPLICATION": json.dumps({"application_uris": ["x.cfapps.io", "y"]})}, "https://x.cfapps.io"),
        ({"APP_URL": "https://x.ondigitalocean.app", "GATEWAY_TRUSTED_PROXIES": "1"}, "https://x.ondigitalocean.app"),
        ({"WEBSITE_HOSTNAME": "x.azurewebsites.net", "GATEWAY_TRUSTED_PROXIES": "2"}, "https://x.azurewebsites.net"),
        ({"RENDER": "true", "APP_URL": "https://x.example"}, "https://x.example"),
        ({"RENDER_EXTERNAL_URL": "https://x.onrender.com", "APP_URL": "https://y.example"}, "https://x.onrender.com"),
    ],
    ids=["koyeb", "cloud-foundry", "digitalocean", "azure", "a-platform-is-a-proxy", "the-platforms-own-first"],
)
def test_a_platforms_variable_is_the_public_url(public_url: Load, variables: dict[str, str], told: str) -> None:
    assert public_url(**variables) == told


@pytest.mark.parametrize("name", ["APP_URL", "WEBSITE_HOSTNAME"])
@pytest.mark.parametrize("trusted", [{}, {"GATEWAY_TRUSTED_PROXIES": "0"}], ids=["unset", "none"])
def test_a_variable_that_others_use_too_counts_behind_a_trusted_proxy_alone(
    public_url: Load, name: str, trusted: dict[str, str]
) -> None:
    assert public_url(**{name: "https://x.example"}, **trusted) == ""


@pytest.mark.parametrize("value", ["", "{", "[]", "{}", '{"application_uris": []}', '{"application_uris": null}'])
def test_an_application_without_a_route_has_no_public_url(public_url: Load, value: str) -> None:
    assert public_url(VCAP_APPLICATION=value) == ""


# --- who is told


def test_the_answer_to_a_minted_link_says_that_it_is_relative_and_how_to_set_the_public_url() -> None:
    data = mint(Gateway(make_settings()))["data"]

    assert data["link"].startswith("/download/")
    assert data["warnings"] == [RELATIVE_LINKS]
    assert "GATEWAY_PUBLIC_URL" in RELATIVE_LINKS


def test_the_answer_to_a_link_with_a_host_has_no_warnings() -> None:
    data = mint(Gateway(make_settings(public_url=PUBLIC_URL)))["data"]

    assert data["link"].startswith(PUBLIC_URL)
    assert "warnings" not in data


@pytest.mark.parametrize(("value", "warnings"), [("", [RELATIVE_LINKS]), (PUBLIC_URL, [])])
def test_readiness_warns_of_relative_links_and_stays_ready(value: str, warnings: list[str]) -> None:
    response: Any = Gateway(make_settings(public_url=value)).client.get("/readyz")

    assert (response.status_code, response.json["status"]) == (200, "ready")
    assert response.json["warnings"] == warnings


@pytest.mark.parametrize("command", [("links", "sign", "task12345", URL), ("check",)], ids=lambda command: command[0])
@pytest.mark.parametrize(("value", "warned"), [("", True), (PUBLIC_URL, False)])
def test_the_command_line_warns_of_relative_links(command: tuple[str, ...], value: str, *, warned: bool) -> None:
    gateway = Gateway(make_settings(public_url=value))

    result = gateway.app.test_cli_runner().invoke(args=command)

    assert (f"warning: {RELATIVE_LINKS}" in result.output.splitlines()) is warned


def test_a_signed_link_stands_alone_on_standard_output() -> None:
    result = Gateway(make_settings()).app.test_cli_runner().invoke(args=("links", "sign", "task12345", URL))

    assert result.stdout.startswith("/download/task12345/cat.png?")
    assert result.stdout.count("\n") == 1
    assert RELATIVE_LINKS in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("value", "warned"), [("", True), (PUBLIC_URL, False)])
def test_the_start_warns_of_relative_links_once(tmp_path: Path, value: str, *, warned: bool) -> None:
    with live_gateway(tmp_path, "127.0.0.1:9", public_url=value) as gateway:
        remedies = [line["remedy"] for line in gateway.logged("settings_warning")]

    assert remedies == [RELATIVE_LINKS] * warned
