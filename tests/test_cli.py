"""What the operator sees: ``flask --app wsgi …``."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from click.testing import Result

from gateway.links import LinkSigner
from gateway.provider.client import DOWNLOAD_URL
from tests.support.databases import migrated_sqlite
from tests.support.factories import API_KEY, PNG, PROVIDER_KEY, SECRET, Gateway, make_settings, store_gateway
from tests.support.live_gateway import environment_for, free_port, live_gateway
from tests.support.servers import ScriptedServer, answer, envelope

URL = "https://origin.example/v/cat.png"
ANOTHER_SECRET = "another-secret-that-is-32-bytes-long"


@pytest.fixture
def gateway() -> Gateway:
    """A gateway that nothing is fetched from: it only signs and explains."""
    return Gateway(make_settings())


def run(gateway: Gateway, *arguments: str) -> Result:
    """Run one command in this process."""
    return gateway.app.test_cli_runner().invoke(args=arguments)


def last_line(text: str) -> str:
    return text.splitlines()[-1]


def run_process(folder: Path, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run one command as an operator does."""
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
        env=environment_for("origin.example", **settings),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


# --- links sign


def test_sign_prints_a_link_that_downloads_the_file(origin: ScriptedServer) -> None:
    gateway = Gateway(make_settings(origin.address))
    url = origin.serve("/v/cat.png", PNG)

    result = run(gateway, "links", "sign", "task12345", url)

    assert result.exit_code == 0
    assert result.stdout.startswith("/download/task12345/cat.png?url=http%3A%2F%2F127.0.0.1%3A")
    assert result.stdout.count("\n") == 1
    assert gateway.client.get(result.stdout.strip()).data == PNG


def test_the_options_of_sign_and_the_public_url_are_in_the_link() -> None:
    gateway = Gateway(make_settings(public_url="https://files.example/get"))
    options = ("--mode", "redirect", "--filename", "Рыжий кот.png", "--expires-in", "3600")

    result = run(gateway, "links", "sign", "task12345", URL, *options)

    assert result.stdout.startswith("https://files.example/get/download/task12345/")
    fields = dict(parse_qsl(urlsplit(result.stdout.strip()).query))
    assert (fields["mode"], fields["filename"]) == ("redirect", "Рыжий кот.png")
    assert 3590 <= int(fields["expires"]) - gateway.clock.now <= 3601


def test_email_prints_a_stored_link_as_html_and_as_text(tmp_path: Path) -> None:
    settings = make_settings(database_url=migrated_sqlite(tmp_path), public_url="https://dl.example.com")
    gateway = Gateway(settings)

    printed = run(gateway, "links", "email", "task12345", URL, "--max-downloads", "3").stdout

    (stored,) = gateway.services.stored_links.of_task("task12345", 2)
    href = gateway.services.short_codes.href(stored.id)
    assert printed.startswith(f"{href}\n")
    assert f'<a href="{href}"' in printed
    assert printed.endswith(f"Download your file:\n{href}\n")
    assert stored.max_downloads == 3


def test_email_refuses_without_a_public_url_and_for_an_origin_that_is_not_listed(gateway: Gateway) -> None:
    assert "GATEWAY_PUBLIC_URL" in run(gateway, "links", "email", "task12345", URL).output
    public = Gateway(make_settings(public_url="https://dl.example.com"))
    assert "url: " in run(public, "links", "email", "task12345", "https://elsewhere.example/cat.png").output


def test_sign_refuses_bad_arguments_and_says_why(gateway: Gateway) -> None:
    for arguments, fault in [
        (("task12345", "https://elsewhere.example/cat.png"), "url: names a host that is not on the list of origins"),
        (("task12345", "https://127.1/cat.png"), "url: spells an address in an unusual way"),
        (("task12345", "ftp://origin.example/cat.png"), "url: must begin with https:// or http://"),
        (("task12345", "https://u:p@origin.example/"), "url: must not hold a user name or a password"),
        (("task12345", ""), "url: must not be empty"),
        (("task12345", URL + "\n"), "url: must not hold a control character"),
        (("task12345", URL + "a" * 2048), "url: must not be longer than 2048 characters"),
        (("a b", URL), "task_id: 1 to 128 of"),
        (("task12345", URL, "--filename", ""), "filename: must not be empty"),
        (("task12345", URL, "--filename", "a\tb"), "filename: must not hold a control character"),
        (("task12345", URL, "--mode", "zip"), "'zip' is not one of 'auto', 'redirect', 'stream'"),
        (("task12345", URL, "--expires-in", "0"), "0 is not in the range"),
        (("task12345", URL, "--expires-in", "9" * 11), "is not in the range 60<=x<=2592000"),
        (("task12345",), "Missing argument 'URL'"),
    ]:
        result = run(gateway, "links", "sign", *arguments)
        assert (result.exit_code, result.stdout) == (2, ""), arguments
        assert fault in last_line(result.stderr), arguments


# --- links verify


def test_verify_says_what_a_good_link_permits(gateway: Gateway) -> None:
    link = gateway.link(URL, mode="stream", filename="cat.png", link_id="a-1", lifetime_s=60)

    result = run(gateway, "links", "verify", link)

    assert result.exit_code == 0
    assert [line.split() for line in result.output.splitlines()] == [
        ["The", "link", "is", "valid."],
        ["task_id", "task12345"],
        ["url", URL],
        ["expires", str(int(gateway.clock.now) + 60)],
        ["mode", "stream"],
        ["filename", "cat.png"],
        ["id", "a-1"],
    ]


def test_verify_takes_a_link_as_it_was_found(gateway: Gateway) -> None:
    link = gateway.link(URL)
    for found in (
        link,
        f"https://files.example{link}",
        f"http://another.example:8000{link}",
        f"https://files.example/get{link}",
        f"{link}&utm_source=mail",
        f"{link}#top",
        link.replace("task12345", "%74ask12345"),
    ):
        result = run(gateway, "links", "verify", found)
        assert result.exit_code == 0, result.output
        shown = [line.split() for line in result.output.splitlines()]
        assert shown[-3:] == [["mode", "-"], ["filename", "-"], ["id", "-"]]


def test_verify_says_why_a_link_is_refused(gateway: Gateway) -> None:
    link = gateway.link(URL)
    gateway.revoke("a-1")
    for refused, fault in [
        (link.replace("cat.png", "dog.png"), "403 link_invalid: sig: does not match"),
        (LinkSigner([ANOTHER_SECRET]).mint("task12345", URL), "403 link_invalid: sig: does not match"),
        (link[:-1], "403 link_invalid: sig: does not match"),
        (link.partition("&sig=")[0], "403 link_invalid: sig: is missing"),
        (link + "&url=x", "403 link_invalid: url: must not be given twice"),
        ("hello", "403 link_invalid: expires: is missing"),
        (gateway.link(URL, lifetime_s=-1), "410 link_expired: expired at "),
        (gateway.link(URL, link_id="a-1"), "410 link_revoked: a-1"),
        (
            gateway.link("https://elsewhere.example/cat.png"),
            "403 origin_not_allowed: names a host that is not on the list of origins",
        ),
    ]:
        result = run(gateway, "links", "verify", refused)
        assert (result.exit_code, result.stdout) == (1, ""), fault
        assert last_line(result.stderr).startswith(f"Error: {fault}")


def test_verify_explains_text_that_is_no_link_without_a_traceback(gateway: Gateway) -> None:
    for text in ("https://[broken/download/task12345?url=a", "/download/task12345?url=\udcff", "", "?", "/download/"):
        result = run(gateway, "links", "verify", text)
        assert isinstance(result.exception, SystemExit), text
        assert result.exit_code != 0
        assert last_line(result.stderr).startswith("Error: ")


# --- check


def checking(provider_url: str, **changes: str) -> Gateway:
    return Gateway(make_settings(resolver="upstream", upstream_url=provider_url, **changes))


def test_check_prints_the_settings_and_no_secret(provider: ScriptedServer) -> None:
    provider.route(DOWNLOAD_URL, envelope(422, "record is null"))
    gateway = checking(provider.url(""), secret_keys=f"{SECRET},{ANOTHER_SECRET}", max_bytes="1000")

    result = run(gateway, "check")

    lines = result.output.splitlines()
    assert result.exit_code == 0
    assert {"GATEWAY_SECRET_KEYS=(2 set)", "GATEWAY_UPSTREAM_API_KEY=(set)", "GATEWAY_API_KEYS=(1 set)"} <= set(lines)
    assert {"GATEWAY_MAX_BYTES=1000", "GATEWAY_RESOLVER=upstream", "GATEWAY_ALLOW_HTTP=true"} <= set(lines)
    assert [secret for secret in (SECRET, ANOTHER_SECRET, API_KEY, PROVIDER_KEY) if secret in result.output] == []


def test_check_accepts_a_provider_that_takes_the_key(provider: ScriptedServer) -> None:
    gateway = checking(provider.url(""))
    for response in (
        envelope(422, "record is null"),
        envelope(422, "recordInfo is null"),
        envelope(422, "The request parameters failed validation checks"),
        envelope(404, "not found"),
        envelope(200, "success", "https://origin.example/direct"),
    ):
        provider.route(DOWNLOAD_URL, response)
        result = run(gateway, "check")
        assert result.exit_code == 0, response
        assert "provider: responds, and accepts the key\n" in result.output
    assert {request.headers["authorization"] for request in provider.seen} == {f"Bearer {PROVIDER_KEY}"}
    assert len(provider.seen) == 5


def test_check_fails_when_the_provider_refuses_or_fails(provider: ScriptedServer) -> None:
    for response, code in [
        (envelope(401, "You do not have access permissions"), "provider_unauthorized"),
        (envelope(401, "You do not have access permissions", status=401), "provider_unauthorized"),
        (answer(401, b""), "provider_unauthorized"),
        (envelope(500, "Server Error"), "provider_failed"),
        (answer(502, b"<html>bad gateway</html>"), "provider_failed"),
        (envelope(455, "Maintenance"), "provider_maintenance"),
        (answer(200, b"<html>a page</html>"), "provider_garbled"),
        (answer(301, b"", {"Location": "https://elsewhere.example/"}), "provider_garbled"),
    ]:
        provider.route(DOWNLOAD_URL, response)
        provider.seen.clear()
        result = run(checking(provider.url("")), "check")
        assert result.exit_code == 1, response
        assert last_line(result.stderr).startswith(f"Error: provider: {code}")
        assert PROVIDER_KEY not in result.output
        assert len(provider.seen) == 1


def test_check_fails_when_the_provider_cannot_be_reached() -> None:
    result = run(checking(f"http://127.0.0.1:{free_port()}"), "check")

    assert result.exit_code == 1
    assert last_line(result.stderr).startswith("Error: provider: provider_unreachable: ")
    assert "GATEWAY_RESOLVER=upstream" in result.stdout.splitlines()


def test_check_asks_nobody_where_no_provider_is_used(gateway: Gateway) -> None:
    result = run(gateway, "check")

    assert result.exit_code == 0
    assert result.output.endswith("provider: not used by this resolver\nstore: not used by this resolver\n")


# --- as a process of its own


@pytest.mark.slow
def test_the_command_of_the_documentation_signs_and_verifies(tmp_path: Path) -> None:
    signed = run_process(tmp_path, "links", "sign", "task12345", URL, "--filename", "cat.png")
    verified = run_process(tmp_path, "links", "verify", signed.stdout.strip())

    assert (signed.returncode, signed.stdout.count("\n")) == (0, 1)
    assert signed.stdout.startswith("/download/task12345/cat.png?url=")
    assert (verified.returncode, verified.stderr) == (0, "")
    assert verified.stdout.startswith("The link is valid.\n")


def test_the_command_says_which_settings_are_wrong(tmp_path: Path) -> None:
    result = run_process(tmp_path, "check", secret_keys="short", max_bytes="x")

    assert result.returncode != 0
    for name in ("GATEWAY_SECRET_KEYS", "GATEWAY_MAX_BYTES"):
        assert f"  - {name}: " in result.stderr
    assert "Traceback" not in result.stderr


# --- records add


@pytest.mark.slow
def test_files_are_put_in_before_the_gateway_ever_ran_and_downloaded_by_the_urls_printed(tmp_path: Path) -> None:
    for name, content in (("cat.png", PNG), ("la tête.png", PNG + b"!")):
        (tmp_path / name).write_bytes(content)

    added = run_process(
        tmp_path, "records", "add", "pets", "cat.png", "la tête.png", resolver="store", upstream_api_key=""
    )

    assert (added.returncode, added.stderr) == (0, "")
    assert added.stdout.splitlines() == ["gateway:cat.png", "gateway:la%20t%C3%AAte.png"]
    with live_gateway(tmp_path, resolver="store", upstream_api_key="") as gateway, gateway.visit() as visitor:
        visitor.request("GET", gateway.path("gateway:cat.png", "pets"))
        assert visitor.getresponse().read() == PNG
        visitor.request("GET", gateway.path("gateway:la%20t%C3%AAte.png", "pets"))
        response = visitor.getresponse()
        assert response.read() == PNG + b"!"
        assert "filename*=UTF-8''la%20t%C3%AAte.png" in str(response.headers["Content-Disposition"])


def test_add_refuses_bad_files_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    gateway = store_gateway(tmp_path)
    for name, content in (("cat.png", PNG), ("page.png", b"<html>"), ("a\\b.png", PNG)):
        (tmp_path / name).write_bytes(content)

    for arguments, fault in [
        (("-x", "cat.png"), "No such option"),
        (("../x", "cat.png"), "TASK: 1 to 128 of"),
        (("pets",), "Missing argument"),
        (("pets", "missing.png"), "does not exist"),
        (("pets", "page.png"), "page.png: the body: its first bytes are not those of an image; send PNG"),
        (("pets", "a\\b.png"), "its name must be 1 to 255 bytes"),
    ]:
        result = run(gateway, "records", "add", *arguments)
        assert result.exit_code != 0, arguments
        assert fault in result.output


def test_add_needs_a_store(gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(PNG)

    result = run(gateway, "records", "add", "pets", str(tmp_path / "cat.png"))

    assert result.exit_code == 1
    assert "GATEWAY_RESOLVER=store" in result.output


# --- callback-url


def test_the_callback_url_that_is_printed_is_the_one_that_works(tmp_path: Path) -> None:
    gateway = store_gateway(tmp_path, public_url="https://dl.example.com")

    url = run(gateway, "callback-url").output.strip()

    body = {"code": 200, "msg": "success", "data": {"taskId": "task12345", "info": {"result_urls": [URL]}}}
    assert url.startswith("https://dl.example.com/api/v1/gpt4o-image/callback?token=")
    assert gateway.client.post(url.removeprefix("https://dl.example.com"), json=body).status_code == 200


def test_with_the_providers_key_the_callback_url_holds_no_secret(tmp_path: Path) -> None:
    gateway = store_gateway(tmp_path, public_url="https://dl.example.com", callback_key="a-key")

    assert run(gateway, "callback-url").output == "https://dl.example.com/api/v1/gpt4o-image/callback\n"


def test_without_a_public_url_there_is_no_callback_url(tmp_path: Path) -> None:
    result = run(store_gateway(tmp_path), "callback-url")

    assert result.exit_code == 1
    assert "set GATEWAY_PUBLIC_URL" in result.output
