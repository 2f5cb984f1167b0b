"""Read the environment and ``.env`` into the settings, and tell every fault by name and remedy."""

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import ValidationError

from gateway.errors import ConfigError
from gateway.origins.allowlist import parse_origin
from gateway.settings import PREFIX, Bucket, Settings, variable
from gateway.settings.platforms import is_platform, platform_url
from gateway.settings.types import MIN_SECRET_BYTES, SECRET_REMEDY

# A prefix that begins like a route could not be told from it.
_OWN_PATHS = frozenset(
    "api d docs download favicon.ico files healthz llms.txt metrics"  # noqa: SIM905
    " openapi.json problems readyz robots.txt static".split()
)
_MOST_BUCKET_BYTES = 5 * 2**30  # the most that S3 takes in one request


def load_settings() -> Settings:
    """Read the environment and ``.env`` of the working directory.

    Raises:
        ConfigError: every fault at once, by name and remedy; never a value.
    """
    faults: list[str] = []
    bad: set[str] = set()
    known_by_platform = _platform_defaults()  # reads .env first, and says so when it cannot
    try:
        settings = Settings(**known_by_platform)
    except ValidationError as invalid:
        faults, bad = _format_error(invalid)
        settings = Settings(**known_by_platform | {field: _STAND_INS.get(field, _default(field)) for field in bad})
    faults += [text for fields, text in _contradictions(settings) if not bad & fields]
    if faults := faults + _unknown():
        raise ConfigError(faults)
    if isinstance(settings.store, Bucket):
        _hand_on_keys()
    return settings


def settings_on_ephemeral_disk(settings: Settings) -> list[str]:
    """The settings that keep something on the disk of a platform that gives an empty one to each deploy."""
    if not is_platform(_raw_names()):
        return []
    on_disk = {
        "DATABASE_URL": settings.database_url.startswith("sqlite:"),
        PREFIX + "STORE": settings.resolver == "store" and isinstance(settings.store, Path),
    }
    return [name for name, is_there in on_disk.items() if is_there]


def _hand_on_keys() -> None:
    """Put what ``.env`` says for boto3 where boto3 looks; the environment wins."""
    for name, value in read_dotenv().items():
        if name.startswith("AWS_") and value:
            os.environ.setdefault(name, value)


_STAND_INS: dict[str, Any] = {"secret_keys": ["-" * MIN_SECRET_BYTES], "upstream_api_key": "-", "resolver": "origin"}


def _default(field: str) -> object:
    return Settings.model_fields[field].default


def _format_error(invalid: ValidationError) -> tuple[list[str], set[str]]:
    faults: dict[str, str] = {}
    for error in invalid.errors(include_url=False, include_input=False, include_context=False):
        if error["type"] == "default_factory_not_called":  # its default depends on a field that is told already
            continue
        field = _field_of(str(error["loc"][0]))
        missing = error["type"] == "missing"
        reason = (
            f"is not set; {SECRET_REMEDY}"
            if missing
            else error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
        )
        faults.setdefault(field, f"{variable(field)}: {reason}")
    return list(faults.values()), set(faults)


def _field_of(loc: str) -> str:
    return loc.lower().removeprefix(PREFIX.lower())


def _unknown() -> list[str]:
    known = {variable(name) for name in Settings.model_fields} | {PREFIX + "DATABASE_URL"}
    raw = {name for name in (*os.environ, *read_dotenv()) if name.upper().startswith(PREFIX)}
    unknown = sorted(name for name in raw if name.upper() not in known)
    return [f"{name}: no setting has this name; see docs/settings.md" for name in unknown]


def read_dotenv() -> dict[str, str | None]:
    """What ``.env`` of the working directory says.

    Raises:
        ConfigError: it is not UTF-8.
    """
    try:
        return dotenv_values(".env")
    except UnicodeDecodeError:
        raise ConfigError([".env: is not UTF-8; save it as UTF-8"]) from None


def _platform_defaults() -> dict[str, Any]:
    """What the platform tells about itself, where the operator set nothing."""
    raw = _raw_names()
    defaults: dict[str, Any] = {}
    if PREFIX + "TRUSTED_PROXIES" not in raw and is_platform(raw):
        defaults["trusted_proxies"] = 1
    behind_proxy = raw.get(PREFIX + "TRUSTED_PROXIES", str(defaults.get("trusted_proxies", 0))).strip() != "0"
    if PREFIX + "PUBLIC_URL" not in raw and (url := platform_url(raw, behind_proxy=behind_proxy)):
        defaults["public_url"] = url
    return defaults


def _raw_names() -> dict[str, str]:
    """Every variable that is not empty; the environment wins over ``.env``."""
    return {name: value for name, value in (*read_dotenv().items(), *os.environ.items()) if value}


def _contradictions(settings: Settings) -> list[tuple[set[str], str]]:
    """Faults that only several settings together have: the fields concerned, and what to say."""
    found: list[tuple[set[str], str]] = []
    if settings.resolver == "upstream" and not settings.upstream_api_key:
        found.append(
            (
                {"resolver", "upstream_api_key"},
                "GATEWAY_UPSTREAM_API_KEY: is not set; without a provider use GATEWAY_RESOLVER=store",
            )
        )
    if not settings.require_signature and any(pattern.covers_all_hosts for pattern in settings.origin_hosts):
        found.append(
            (
                {"require_signature", "origin_hosts"},
                "GATEWAY_REQUIRE_SIGNATURE: false with GATEWAY_ORIGIN_HOSTS=* is an open proxy; list the hosts",
            )
        )
    if settings.public_url and urlsplit(settings.public_url).path.partition("/")[2].partition("/")[0] in _OWN_PATHS:
        text = "GATEWAY_PUBLIC_URL: its path begins like one of the gateway's own; choose another prefix"
        found.append(({"public_url"}, text))
    found += [({"origin_hosts", "private_networks", "allow_http"}, text) for text in _port_faults(settings)]
    if _is_exposed(settings.upstream_url, settings):
        found.append(
            (
                {"upstream_url", "allow_http"},
                "GATEWAY_UPSTREAM_URL: is plain http, which would show the key to the network; use https",
            )
        )
    return found + _bucket_faults(settings)


def _bucket_faults(settings: Settings) -> list[tuple[set[str], str]]:
    endpoint, in_bucket = settings.s3_endpoint_url, isinstance(settings.store, Bucket)
    faults = (
        (
            endpoint and not in_bucket,
            {"store", "s3_endpoint_url"},
            "GATEWAY_S3_ENDPOINT_URL: is set for a store in a folder; set GATEWAY_STORE=s3://bucket or leave this out",
        ),
        (
            endpoint and _is_exposed(endpoint, settings),
            {"s3_endpoint_url", "allow_http"},
            "GATEWAY_S3_ENDPOINT_URL: is plain http, which would show the images to the network; use https",
        ),
        (
            in_bucket and settings.store_max_bytes > 0,
            {"store", "store_max_bytes"},
            "GATEWAY_STORE_MAX_BYTES: bounds a folder only; for a bucket leave this out and use a lifecycle rule",
        ),
        (
            in_bucket and settings.max_bytes > _MOST_BUCKET_BYTES,
            {"store", "max_bytes"},
            f"GATEWAY_MAX_BYTES: a bucket takes an image in one piece, of at most {_MOST_BUCKET_BYTES} bytes",
        ),
    )
    return [(fields, text) for holds, fields, text in faults if holds]


def _port_faults(settings: Settings) -> list[str]:
    public_ports = {443, 80} if settings.allow_http else {443}
    faults = []
    for pattern in settings.origin_hosts:
        if pattern.port is None or pattern.port in public_ports:
            continue
        if pattern.is_wildcard:
            faults.append(
                f"GATEWAY_ORIGIN_HOSTS: an entry with '*' cannot have port {pattern.port}; list the hosts themselves"
            )
        elif not settings.private_networks:
            faults.append(
                f"GATEWAY_ORIGIN_HOSTS: an entry has port {pattern.port}, which only private hosts may have; set "
                "GATEWAY_PRIVATE_NETWORKS to the networks they lie in"
            )
    return faults


def _is_exposed(url: str, settings: Settings) -> bool:
    """Whether anybody on the way could read what is sent there, and the operator did not say that this is all right."""
    origin = parse_origin(url)
    return origin.scheme == "http" and not settings.allow_http and not _inside(origin.host)


def _inside(host: str) -> bool:
    """Whether a host is near: a private address, or a name of one label, as containers have."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host
