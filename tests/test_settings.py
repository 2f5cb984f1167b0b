"""Settings are read from the environment, and every fault is told at once, by name and remedy, without its value."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.settings import Bucket, Settings, variable
from gateway.settings.loader import load_settings
from tests.support.factories import make_settings

SECRET = "a-secret-of-at-least-32-bytes-for-these-tests"
MARK = "zq7marker"  # stands in every bad value, and must stand in no message
SETTINGS_PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
Set = Callable[..., None]

BAD = {
    "GATEWAY_SECRET_KEYS": f"{SECRET},{MARK}",
    "GATEWAY_PUBLIC_URL": f"https://user:{MARK}@files.example",
    "GATEWAY_RESOLVER": MARK,
    "GATEWAY_UPSTREAM_URL": f"ftp://{MARK}.example",
    "GATEWAY_UPSTREAM_API_KEY": f"{MARK} with blanks",
    "GATEWAY_ORIGIN_HOSTS": f"https://{MARK}.example/",
    "GATEWAY_PRIVATE_NETWORKS": f"{MARK}/8",
    "GATEWAY_ALLOW_HTTP": MARK,
    "GATEWAY_ALLOW_MARKUP_AS_IMAGE": MARK,
    "GATEWAY_DEFAULT_MODE": MARK,
    "GATEWAY_REQUIRE_SIGNATURE": MARK,
    "GATEWAY_API_KEYS": f"{MARK}:short",
    "GATEWAY_PAGE_LINK_LIFETIME_S": f"900{MARK}",
    "GATEWAY_EMAIL_LINK_LIFETIME_S": f"900{MARK}",
    "GATEWAY_MIN_LIFE_S": MARK,
    "GATEWAY_MAX_BYTES": f"5{MARK}",
    "GATEWAY_CORS_ORIGINS": f"https://{MARK}.example/path",
    "GATEWAY_FRAME_ANCESTORS": f"https://{MARK}.example/path",
    "GATEWAY_CROSS_ORIGIN_RESOURCE_POLICY": MARK,
    "GATEWAY_DOWNLOADS_PER_MINUTE": MARK,
    "GATEWAY_STREAMS_PER_VISITOR": MARK,
    "GATEWAY_VISITOR_TIMEOUT_S": MARK,
    "GATEWAY_TRUSTED_PROXIES": MARK,
    "DATABASE_URL": f"mysql://{MARK}",
    "GATEWAY_STORE": f"gs://{MARK}",
    "GATEWAY_MIGRATE": MARK,
    "GATEWAY_STORE_MAX_BYTES": MARK,
    "GATEWAY_S3_ENDPOINT_URL": f"{MARK}.example",
    "GATEWAY_RECORD_DAYS": MARK,
    "GATEWAY_CALLBACK_KEY": f"{MARK} with blanks",
    "GATEWAY_METRICS_TOKEN": f"{MARK}",
    "GATEWAY_MAINTENANCE": MARK,
    "PORT": MARK,
    "WEB_CONCURRENCY": MARK,
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Set:
    """Sets variables in an empty environment, in a folder without ``.env``."""
    for name in os.environ:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def set_all(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_all


@pytest.fixture
def enough(environment: Set) -> Set:
    """The same, with what the gateway cannot do without."""
    environment(GATEWAY_SECRET_KEYS=SECRET, GATEWAY_UPSTREAM_API_KEY="a-provider-key")
    return environment


def faults() -> list[str]:
    """What is wrong with the environment; fails when nothing is."""
    with pytest.raises(ConfigError) as refused:
        load_settings()
    return refused.value.faults


def names(told: list[str]) -> list[str]:
    return [fault.partition(":")[0] for fault in told]


# --- what is read


def test_a_secret_and_the_providers_key_are_enough(enough: Set) -> None:
    enough()

    settings = load_settings()

    assert settings.secret_keys == (SECRET,)
    assert settings.resolver == "upstream"
    assert settings.require_signature
    assert not settings.allow_http


@pytest.mark.parametrize(
    ("key", "resolver"), [("a-provider-key", "upstream"), ("", "store")], ids=["with-a-provider", "without"]
)
def test_the_providers_key_decides_who_resolves(enough: Set, key: str, resolver: str) -> None:
    enough(GATEWAY_UPSTREAM_API_KEY=key)

    assert load_settings().resolver == resolver


def test_lists_are_separated_by_commas_and_blanks_are_cut(enough: Set) -> None:
    enough(
        GATEWAY_SECRET_KEYS=f" {SECRET}-1 ,, {SECRET}-2,",
        GATEWAY_CORS_ORIGINS="https://A.example, https://b.example:8443",
        GATEWAY_PRIVATE_NETWORKS="10.0.0.0/8, fd00::/8",
        GATEWAY_API_KEYS=f"shop:{SECRET}, mail:{SECRET}:with-a-colon",
    )

    settings = load_settings()

    assert settings.secret_keys == (f"{SECRET}-1", f"{SECRET}-2")
    assert settings.cors_origins == ("https://a.example", "https://b.example:8443")
    assert [str(network) for network in settings.private_networks] == ["10.0.0.0/8", "fd00::/8"]
    assert settings.named_api_keys == {"shop": SECRET, "mail": f"{SECRET}:with-a-colon"}


def test_the_keys_to_a_bucket_may_be_in_the_env_file_and_the_environment_wins(
    enough: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    enough(GATEWAY_STORE="s3://images", AWS_DEFAULT_REGION="auto", AWS_ACCESS_KEY_ID="to be restored")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    Path(".env").write_text("AWS_ACCESS_KEY_ID=from-the-file\nAWS_DEFAULT_REGION=eu-west-1\n")

    load_settings()

    assert (os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_DEFAULT_REGION"]) == ("from-the-file", "auto")


@pytest.mark.parametrize(
    ("written", "store", "shown"),
    [
        ("s3://images", Bucket("images"), "s3://images"),
        ("s3://images/", Bucket("images"), "s3://images"),
        ("s3://my.images-1/kept/here/", Bucket("my.images-1", "kept/here"), "s3://my.images-1/kept/here"),
        ("/var/lib/images", Path("/var/lib/images"), "/var/lib/images"),
    ],
)
def test_the_store_is_a_folder_or_a_bucket(enough: Set, written: str, store: Path | Bucket, shown: str) -> None:
    enough(GATEWAY_STORE=written)

    settings = load_settings()

    assert settings.store == store
    assert settings.masked()["GATEWAY_STORE"] == shown


def test_a_public_url_loses_its_last_slash(enough: Set) -> None:
    enough(GATEWAY_PUBLIC_URL="https://files.example/get/")

    assert load_settings().public_url == "https://files.example/get"


def test_the_port_and_the_workers_have_the_platforms_names(enough: Set) -> None:
    enough(PORT="5000", WEB_CONCURRENCY="3")

    settings = load_settings()

    assert (settings.port, settings.web_concurrency) == (5000, 3)


def test_an_empty_variable_is_one_that_is_not_set(enough: Set) -> None:
    enough(GATEWAY_MAX_BYTES="", GATEWAY_PUBLIC_URL="", GATEWAY_ALLOW_HTTP="", PORT="")

    settings = load_settings()

    assert (settings.max_bytes, settings.public_url, settings.allow_http, settings.port) == (5 * 2**30, "", False, 8000)


def test_variables_of_others_are_none_of_our_business(enough: Set) -> None:
    enough(SECRET_KEYS="short", MAX_BYTES="x", GATEWAYS_X="1")

    assert load_settings().max_bytes == 5 * 2**30


def test_settings_are_read_from_the_env_file(environment: Set) -> None:
    environment()
    Path(".env").write_text(f"# ours\nGATEWAY_SECRET_KEYS={SECRET}\nGATEWAY_RESOLVER='origin'\nPORT=9000\nOTHER=1\n")

    settings = load_settings()

    assert (settings.secret_keys, settings.resolver, settings.port) == ((SECRET,), "origin", 9000)


def test_the_environment_beats_the_env_file(enough: Set) -> None:
    enough(GATEWAY_MAX_BYTES="2000", PORT="9001")
    Path(".env").write_text("GATEWAY_MAX_BYTES=1000\nPORT=9000\nGATEWAY_MIN_LIFE_S=7\n")

    settings = load_settings()

    assert (settings.max_bytes, settings.port, settings.min_life_s) == (2000, 9001, 7)


# --- faults, one by one


def test_every_setting_has_a_bad_value_in_these_tests() -> None:
    assert set(BAD) == {variable(field) for field in Settings.model_fields}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_value_is_told_by_name_and_never_shown(enough: Set, name: str) -> None:
    enough(**{name: BAD[name]})

    with pytest.raises(ConfigError) as refused:
        load_settings()

    assert names(refused.value.faults) == [name]
    assert MARK not in str(refused.value).lower()
    assert MARK not in repr(refused.value).lower()
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


def test_all_bad_values_are_told_at_once_and_none_is_shown(enough: Set) -> None:
    enough(**BAD, GATEWAY_NO_SUCH_THING=MARK)

    with pytest.raises(ConfigError) as refused:
        load_settings()

    assert sorted(names(refused.value.faults)) == sorted([*BAD, "GATEWAY_NO_SUCH_THING"])
    assert MARK not in str(refused.value).lower()
    assert SECRET not in str(refused.value)


def test_the_message_has_one_line_for_each_fault(enough: Set) -> None:
    enough(GATEWAY_MAX_BYTES="x", GATEWAY_RESOLVER="y")

    with pytest.raises(ConfigError) as refused:
        load_settings()

    first, *lines = str(refused.value).splitlines()
    assert first == "The gateway cannot start with these settings:"
    assert lines == [f"  - {fault}" for fault in refused.value.faults]
    assert len(lines) == 2


@pytest.mark.parametrize("name", BAD)
def test_a_fault_speaks_to_an_operator_and_not_to_a_programmer(enough: Set, name: str) -> None:
    enough(**{name: BAD[name]})

    (told,) = faults()

    assert not re.search(r"Input|Value error|pydantic|type=|codec", told)


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("GATEWAY_SECRET_KEYS", "short", "at least 32 bytes; make one with: python3 -c"),
        ("GATEWAY_SECRET_KEYS", ",", "at least one key; make one with: python3 -c"),
        ("GATEWAY_SECRET_KEYS", f"{SECRET},short", "every key must have at least 32 bytes"),
        ("GATEWAY_SECRET_KEYS", "ж" * 15, "at least 32 bytes"),
        ("GATEWAY_RESOLVER", "magic", "'upstream', 'store' or 'origin'"),
        ("GATEWAY_DEFAULT_MODE", "zip", "'auto', 'redirect' or 'stream'"),
        ("GATEWAY_PUBLIC_URL", "files.example", "https:// or http://"),
        ("GATEWAY_PUBLIC_URL", "https://files.example/?a=b", "without ? and #"),
        ("GATEWAY_PUBLIC_URL", "https://files.example/#a", "without ? and #"),
        ("GATEWAY_PUBLIC_URL", "https://127.1/", "unusual way"),
        ("GATEWAY_ORIGIN_HOSTS", "https://a.example", "host, host:port, *.suffix or *"),
        ("GATEWAY_ORIGIN_HOSTS", "a.example:0", "host, host:port, *.suffix or *"),
        ("GATEWAY_ORIGIN_HOSTS", "*.127.0.0.1", "list the address itself"),
        ("GATEWAY_PRIVATE_NETWORKS", "10.0.0.1/8", "network"),
        ("GATEWAY_API_KEYS", SECRET, "name:secret"),
        ("GATEWAY_API_KEYS", "shop:short", "at least 32 visible ASCII characters"),
        ("GATEWAY_API_KEYS", f"shop 1:{SECRET}", "name:secret"),
        ("GATEWAY_API_KEYS", f"shop:{SECRET}ж", "visible ASCII"),
        ("GATEWAY_UPSTREAM_API_KEY", "two words", "without spaces"),
        ("GATEWAY_UPSTREAM_API_KEY", "a\nb", "without spaces"),
        ("GATEWAY_CORS_ORIGINS", "https://a.example/", "without a path"),
        ("GATEWAY_CORS_ORIGINS", "*", "https:// or http://"),
        ("GATEWAY_FRAME_ANCESTORS", "https://a.example; script-src *", "https://*.host"),
        ("GATEWAY_FRAME_ANCESTORS", "a.example", "https://*.host"),
        ("GATEWAY_CROSS_ORIGIN_RESOURCE_POLICY", "none", "'same-origin', 'same-site' or 'cross-origin'"),
        ("GATEWAY_PAGE_LINK_LIFETIME_S", "59", "greater than or equal to 60"),
        ("GATEWAY_EMAIL_LINK_LIFETIME_S", "59", "greater than or equal to 60"),
        ("GATEWAY_PAGE_LINK_LIFETIME_S", "2592001", "less than or equal to 2592000"),
        ("GATEWAY_MIN_LIFE_S", "1201", "less than or equal to 1200"),
        ("GATEWAY_MAX_BYTES", "0", "greater than or equal to 1"),
        ("GATEWAY_MAX_BYTES", "5GiB", "integer"),
        ("GATEWAY_DOWNLOADS_PER_MINUTE", "-1", "greater than or equal to 0"),
        ("GATEWAY_TRUSTED_PROXIES", "6", "less than or equal to 5"),
        ("GATEWAY_STORE", "gs://bucket", "a folder, or s3://bucket"),
        ("GATEWAY_STORE", "s3://", "s3://bucket/prefix"),
        ("GATEWAY_STORE", "s3://b", "s3://bucket/prefix"),
        ("GATEWAY_STORE", "s3://bucket/a b", "s3://bucket/prefix"),
        ("GATEWAY_STORE", "s3://key:secret@bucket", "s3://bucket/prefix"),
        ("GATEWAY_S3_ENDPOINT_URL", "minio:9000", "https:// or http://"),
        ("GATEWAY_MAINTENANCE", "maybe", "boolean"),
        ("PORT", "0", "greater than or equal to 1"),
        ("PORT", "65536", "less than or equal to 65535"),
        ("WEB_CONCURRENCY", "0", "greater than or equal to 1"),
    ],
)
def test_a_fault_says_what_to_write_instead(enough: Set, name: str, value: str, remedy: str) -> None:
    enough(**{name: value})

    (told,) = faults()

    assert told.startswith(f"{name}: ")
    assert remedy in told


def test_a_missing_secret_is_told_with_the_command_that_makes_one(environment: Set) -> None:
    environment(GATEWAY_RESOLVER="origin")

    (told,) = faults()

    assert told.startswith("GATEWAY_SECRET_KEYS: is not set; make one with: python3 -c")


def test_a_list_of_secrets_is_refused_whichever_of_them_is_short(enough: Set) -> None:
    enough(GATEWAY_SECRET_KEYS=f"{MARK},{SECRET}")

    assert names(faults()) == ["GATEWAY_SECRET_KEYS"]


def test_names_that_no_setting_has_are_faults(enough: Set) -> None:
    enough(GATEWAY_SECRET_KEY=SECRET, GATEWAY_PORT="8000", GATEWAY_ORIGIN_HOST=MARK)

    told = faults()

    assert names(told) == ["GATEWAY_ORIGIN_HOST", "GATEWAY_PORT", "GATEWAY_SECRET_KEY"]
    assert all("docs/settings.md" in fault for fault in told)
    assert not any(MARK in fault or SECRET in fault for fault in told)


def test_names_in_the_env_file_that_no_setting_has_are_faults(enough: Set) -> None:
    enough()
    Path(".env").write_text(f"GATEWAY_MAXBYTES={MARK}\nGATEWAY_MAX_BYTES=1000\n")

    assert names(faults()) == ["GATEWAY_MAXBYTES"]


# --- faults that only several settings together have


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"GATEWAY_UPSTREAM_API_KEY": "", "GATEWAY_RESOLVER": "upstream"}, "GATEWAY_UPSTREAM_API_KEY: is not set"),
        (
            {"GATEWAY_REQUIRE_SIGNATURE": "false", "GATEWAY_ORIGIN_HOSTS": "a.example,*"},
            "GATEWAY_REQUIRE_SIGNATURE: false with GATEWAY_ORIGIN_HOSTS=* is an open proxy",
        ),
        ({"GATEWAY_ORIGIN_HOSTS": "files.internal:8080"}, "GATEWAY_ORIGIN_HOSTS: an entry has port 8080"),
        ({"GATEWAY_ORIGIN_HOSTS": "a.example:80"}, "GATEWAY_ORIGIN_HOSTS: an entry has port 80,"),
        (
            {"GATEWAY_ORIGIN_HOSTS": "*.internal:8080", "GATEWAY_PRIVATE_NETWORKS": "10.0.0.0/8"},
            "GATEWAY_ORIGIN_HOSTS: an entry with '*' cannot have port 8080",
        ),
        ({"GATEWAY_UPSTREAM_URL": "http://api.example"}, "GATEWAY_UPSTREAM_URL: is plain http"),
        ({"GATEWAY_UPSTREAM_URL": "http://8.8.8.8"}, "GATEWAY_UPSTREAM_URL: is plain http"),
        (
            {"GATEWAY_S3_ENDPOINT_URL": "https://s3.example"},
            "GATEWAY_S3_ENDPOINT_URL: is set, but the store is a folder",
        ),
        (
            {"GATEWAY_STORE": "s3://images", "GATEWAY_S3_ENDPOINT_URL": "http://s3.example"},
            "GATEWAY_S3_ENDPOINT_URL: is plain http",
        ),
        (
            {"GATEWAY_STORE": "s3://images", "GATEWAY_STORE_MAX_BYTES": "1"},
            "GATEWAY_STORE_MAX_BYTES: applies to a folder only; for a bucket unset it and use a lifecycle rule",
        ),
        (
            {"GATEWAY_STORE": "s3://images", "GATEWAY_MAX_BYTES": "5368709121"},
            "GATEWAY_MAX_BYTES: a bucket accepts at most 5368709120 bytes",
        ),
    ],
    ids=[
        "no-key",
        "open-proxy",
        "private-port",
        "port-80",
        "wildcard-port",
        "plain-http",
        "plain-http-to-an-address",
        "endpoint-without-bucket",
        "plain-http-to-a-bucket",
        "bounded-bucket",
        "more-than-a-bucket-takes",
    ],
)
def test_settings_that_contradict_each_other_are_a_fault(enough: Set, values: dict[str, str], told: str) -> None:
    enough(**values)

    (fault,) = faults()

    assert fault.startswith(told)


@pytest.mark.parametrize(
    "values",
    [
        {"GATEWAY_UPSTREAM_API_KEY": "", "GATEWAY_RESOLVER": "origin"},
        {"GATEWAY_REQUIRE_SIGNATURE": "false", "GATEWAY_ORIGIN_HOSTS": "*.example"},
        {"GATEWAY_ORIGIN_HOSTS": "*"},
        {"GATEWAY_ORIGIN_HOSTS": "files.internal:8080", "GATEWAY_PRIVATE_NETWORKS": "10.0.0.0/8"},
        {"GATEWAY_ORIGIN_HOSTS": "a.example:443,*.b.example:443"},
        {"GATEWAY_ORIGIN_HOSTS": "a.example:80", "GATEWAY_ALLOW_HTTP": "true"},
        {"GATEWAY_UPSTREAM_URL": "http://api.example", "GATEWAY_ALLOW_HTTP": "true"},
        {"GATEWAY_UPSTREAM_URL": "http://127.0.0.1:8002"},
        {"GATEWAY_UPSTREAM_URL": "http://[::1]:8002/api"},
        {"GATEWAY_STORE": "s3://images"},
        {"GATEWAY_STORE": "s3://images", "GATEWAY_S3_ENDPOINT_URL": "https://id.r2.cloudflarestorage.com"},
        {"GATEWAY_STORE": "s3://images/kept", "GATEWAY_S3_ENDPOINT_URL": "http://minio:9000"},
        {
            "GATEWAY_STORE": "s3://images",
            "GATEWAY_S3_ENDPOINT_URL": "http://s3.example",
            "GATEWAY_ALLOW_HTTP": "true",
        },
        {"GATEWAY_MAX_BYTES": "5368709121"},
    ],
    ids=[
        "no-key-needed",
        "unsigned-for-listed-hosts",
        "signed-for-all-hosts",
        "private-port-in-a-network",
        "own-port-of-https",
        "own-port-of-http",
        "http-allowed",
        "http-on-loopback",
        "http-on-ipv6-loopback",
        "bucket-at-aws",
        "bucket-elsewhere",
        "bucket-in-a-container",
        "http-to-a-bucket-allowed",
        "large-images-in-a-folder",
    ],
)
def test_settings_that_agree_are_taken(enough: Set, values: dict[str, str]) -> None:
    enough(**values)

    assert load_settings()


def test_contradictions_are_told_together_with_bad_values(enough: Set) -> None:
    enough(GATEWAY_UPSTREAM_API_KEY="", GATEWAY_RESOLVER="upstream", GATEWAY_MAX_BYTES=MARK, GATEWAY_NOPE="1")

    assert names(faults()) == ["GATEWAY_MAX_BYTES", "GATEWAY_UPSTREAM_API_KEY", "GATEWAY_NOPE"]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"GATEWAY_RESOLVER": MARK, "GATEWAY_UPSTREAM_API_KEY": ""}, "GATEWAY_RESOLVER"),
        ({"GATEWAY_ALLOW_HTTP": MARK, "GATEWAY_UPSTREAM_URL": "http://api.example"}, "GATEWAY_ALLOW_HTTP"),
        ({"GATEWAY_ALLOW_HTTP": MARK, "GATEWAY_ORIGIN_HOSTS": "a.example:80"}, "GATEWAY_ALLOW_HTTP"),
        ({"GATEWAY_PRIVATE_NETWORKS": MARK, "GATEWAY_ORIGIN_HOSTS": "a.internal:8080"}, "GATEWAY_PRIVATE_NETWORKS"),
        ({"GATEWAY_UPSTREAM_API_KEY": "two words"}, "GATEWAY_UPSTREAM_API_KEY"),
    ],
    ids=["resolver", "http-to-the-provider", "http-to-an-origin", "networks", "key"],
)
def test_a_bad_value_is_not_also_told_as_a_contradiction(enough: Set, values: dict[str, str], told: str) -> None:
    enough(**values)

    assert names(faults()) == [told]


# --- what is shown


@pytest.mark.parametrize("shown", [repr, str, lambda settings: str(settings.masked())], ids=["repr", "str", "masked"])
def test_secrets_are_never_shown(shown: Callable[[Settings], str]) -> None:
    settings = make_settings(
        secret_keys=f"{MARK}-{SECRET},{SECRET}-{MARK}",
        api_keys=f"shop:{MARK}-{SECRET}",
        upstream_api_key=f"{MARK}-key",
    )

    text = shown(settings)

    assert MARK not in text
    assert SECRET not in text


def test_masked_settings_say_how_many_secrets_there_are() -> None:
    settings = make_settings(secret_keys=f"{SECRET},{SECRET}-2", api_keys="", upstream_api_key="")

    masked = settings.masked()

    assert masked["GATEWAY_SECRET_KEYS"] == "(2 set)"
    assert masked["GATEWAY_API_KEYS"] == "(0 set)"
    assert masked["GATEWAY_UPSTREAM_API_KEY"] == "(not set)"


def test_masked_settings_can_be_given_again(enough: Set) -> None:
    given = {
        "GATEWAY_ORIGIN_HOSTS": "a.example,*.b.example,[2001:db8::1]:8443,10.1.2.3:8080,*",
        "GATEWAY_PRIVATE_NETWORKS": "10.0.0.0/8,2001:db8::/32",
        "GATEWAY_ALLOW_HTTP": "true",
        "GATEWAY_CORS_ORIGINS": "https://a.example,https://b.example:8443",
        "GATEWAY_FRAME_ANCESTORS": "'self',https://a.example,https://*.b.example:8443",
        "GATEWAY_MAX_BYTES": "1000",
        "PORT": "5000",
    }
    enough(**given)

    masked = load_settings().masked()

    assert {name: masked[name] for name in given} == given


def test_settings_cannot_be_changed_while_running() -> None:
    settings = make_settings()

    with pytest.raises(ValueError, match="frozen"):
        settings.allow_http = False  # type: ignore[misc]


def test_the_documentation_lists_every_setting_with_its_default(environment: Set) -> None:
    environment(GATEWAY_SECRET_KEYS=SECRET)

    assert documented_table() == expected_table(Settings(_env_file=None))


def documented_table() -> dict[str, str]:
    """Name and default of every row of the table of settings, without backticks."""
    tables = re.findall(
        r"^\| setting \| default \| meaning \|\n\|[-| :]+\|\n((?:\|.*\|\n)+)",
        SETTINGS_PAGE.read_text("utf-8"),
        re.MULTILINE,
    )
    rows = [line.strip("|").split("|") for table in tables for line in table.splitlines()]
    return {row[0].strip().strip("`"): row[1].strip().strip("`") for row in rows}


def expected_table(defaults: Settings) -> dict[str, str]:
    nothing = {"", "(not set)", "(0 set)"}
    table = {name: "none" if value in nothing else value for name, value in defaults.masked().items()}
    return table | {"GATEWAY_SECRET_KEYS": "required"}
