"""Load the settings from the environment and ``.env``, and report all errors together."""

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

# First path segments of the routes; the path of PUBLIC_URL must not begin with one of them.
_ROUTE_SEGMENTS = frozenset(
    "api d docs download favicon.ico files healthz llms.txt metrics"  # noqa: SIM905
    " openapi.json problems readyz robots.txt static".split()
)
_MAX_BUCKET_BYTES = 5 * 2**30  # the limit of one S3 PUT request


def load_settings() -> Settings:
    """Load the environment and ``.env`` of the working directory.

    Raises:
        ConfigError: lists every invalid setting by name, with a remedy and without its value.
    """
    faults: list[str] = []
    invalid_fields: set[str] = set()
    defaults = _platform_defaults()  # reads .env first, which may raise
    try:
        settings = Settings(**defaults)
    except ValidationError as invalid:
        faults, invalid_fields = _format_error(invalid)
        replacements = {field: _PLACEHOLDERS.get(field, _default(field)) for field in invalid_fields}
        settings = Settings(**defaults | replacements)
    faults += [text for fields, text in _conflicts(settings) if not invalid_fields & fields]
    if faults := faults + _unknown_names():
        raise ConfigError(faults)
    if isinstance(settings.store, Bucket):
        _export_aws_variables()
    return settings


def settings_on_ephemeral_disk(settings: Settings) -> list[str]:
    """The settings that store data on a platform's disk, which is empty after each deploy."""
    if not is_platform(_raw_names()):
        return []
    on_disk = {
        "DATABASE_URL": settings.database_url.startswith("sqlite:"),
        PREFIX + "STORE": settings.resolver == "store" and isinstance(settings.store, Path),
    }
    return [name for name, is_on_disk in on_disk.items() if is_on_disk]


def _export_aws_variables() -> None:
    """Copy the ``AWS_`` variables of ``.env`` to the environment for boto3; the environment has precedence."""
    for name, value in read_dotenv().items():
        if name.startswith("AWS_") and value:
            os.environ.setdefault(name, value)


_PLACEHOLDERS: dict[str, Any] = {"secret_keys": ["-" * MIN_SECRET_BYTES], "upstream_api_key": "-", "resolver": "origin"}


def _default(field: str) -> object:
    return Settings.model_fields[field].default


def _format_error(invalid: ValidationError) -> tuple[list[str], set[str]]:
    faults: dict[str, str] = {}
    for error in invalid.errors(include_url=False, include_input=False, include_context=False):
        if (
            error["type"] == "default_factory_not_called"
        ):  # its default depends on an invalid field, which is reported itself
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


def _unknown_names() -> list[str]:
    names = {variable(name) for name in Settings.model_fields} | {PREFIX + "DATABASE_URL"}
    raw = {name for name in (*os.environ, *read_dotenv()) if name.upper().startswith(PREFIX)}
    unknown = sorted(name for name in raw if name.upper() not in names)
    return [f"{name}: no setting has this name; see docs/settings.md" for name in unknown]


def read_dotenv() -> dict[str, str | None]:
    """The variables in ``.env`` of the working directory.

    Raises:
        ConfigError: it is not UTF-8.
    """
    try:
        return dotenv_values(".env")
    except UnicodeDecodeError:
        raise ConfigError([".env: is not UTF-8; save it as UTF-8"]) from None


def _platform_defaults() -> dict[str, Any]:
    """Defaults that the hosting platform provides, for settings that are not set."""
    raw = _raw_names()
    defaults: dict[str, Any] = {}
    if PREFIX + "TRUSTED_PROXIES" not in raw and is_platform(raw):
        defaults["trusted_proxies"] = 1
    behind_proxy = raw.get(PREFIX + "TRUSTED_PROXIES", str(defaults.get("trusted_proxies", 0))).strip() != "0"
    if PREFIX + "PUBLIC_URL" not in raw and (url := platform_url(raw, behind_proxy=behind_proxy)):
        defaults["public_url"] = url
    return defaults


def _raw_names() -> dict[str, str]:
    """All variables that are not empty; the environment has precedence over ``.env``."""
    return {name: value for name, value in (*read_dotenv().items(), *os.environ.items()) if value}


def _conflicts(settings: Settings) -> list[tuple[set[str], str]]:
    """Conflicts between settings: the fields, and the message."""
    endpoint, in_bucket = settings.s3_endpoint_url, isinstance(settings.store, Bucket)
    path = urlsplit(settings.public_url).path.removeprefix("/")
    checks = (
        (
            "resolver upstream_api_key",
            settings.resolver == "upstream" and not settings.upstream_api_key,
            "UPSTREAM_API_KEY: is not set; without a provider use GATEWAY_RESOLVER=store",
        ),
        (
            "require_signature origin_hosts",
            not settings.require_signature and any(pattern.covers_all_hosts for pattern in settings.origin_hosts),
            "REQUIRE_SIGNATURE: false with GATEWAY_ORIGIN_HOSTS=* is an open proxy; list the hosts",
        ),
        (
            "public_url",
            path.partition("/")[0] in _ROUTE_SEGMENTS,
            "PUBLIC_URL: its path begins with a path of the gateway; choose another prefix",
        ),
        *(("origin_hosts private_networks allow_http", True, fault) for fault in _port_faults(settings)),
        (
            "upstream_url allow_http",
            _is_exposed(settings.upstream_url, settings),
            "UPSTREAM_URL: is plain http, which exposes the API key; use https",
        ),
        (
            "store s3_endpoint_url",
            endpoint and not in_bucket,
            "S3_ENDPOINT_URL: is set, but the store is a folder; set GATEWAY_STORE=s3://bucket or unset this",
        ),
        (
            "s3_endpoint_url allow_http",
            endpoint and _is_exposed(endpoint, settings),
            "S3_ENDPOINT_URL: is plain http, which exposes the images; use https",
        ),
        (
            "store store_max_bytes",
            in_bucket and settings.store_max_bytes > 0,
            "STORE_MAX_BYTES: applies to a folder only; for a bucket unset it and use a lifecycle rule",
        ),
        (
            "store max_bytes",
            in_bucket and settings.max_bytes > _MAX_BUCKET_BYTES,
            f"MAX_BYTES: a bucket accepts at most {_MAX_BUCKET_BYTES} bytes",
        ),
    )
    return [(set(fields.split()), PREFIX + text) for fields, conflicts, text in checks if conflicts]


def _port_faults(settings: Settings) -> list[str]:
    public_ports = {443, 80} if settings.allow_http else {443}
    faults = []
    for pattern in settings.origin_hosts:
        if pattern.port is None or pattern.port in public_ports:
            continue
        if pattern.is_wildcard:
            faults.append(f"ORIGIN_HOSTS: an entry with '*' cannot have port {pattern.port}; list the hosts themselves")
        elif not settings.private_networks:
            faults.append(
                f"ORIGIN_HOSTS: an entry has port {pattern.port}, which only private hosts may have; set "
                "GATEWAY_PRIVATE_NETWORKS to their networks"
            )
    return faults


def _is_exposed(url: str, settings: Settings) -> bool:
    """Whether a URL is plain http to a host that is not local, and plain http is not allowed."""
    origin = parse_origin(url)
    return origin.scheme == "http" and not settings.allow_http and not _is_local(origin.host)


def _is_local(host: str) -> bool:
    """Whether a host is a private address, or a name of one label, as containers have."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host
