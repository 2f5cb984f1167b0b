"""The settings: their names, types, defaults and rules."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gateway.hosts import HostPattern, origin_of

PREFIX = "GATEWAY_"
SHORTEST_SECRET = 32
SECRET_REMEDY = "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"  # noqa: S105 (a text)
KEY_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PROVIDER_HOSTS = "tempfile.aiquickdraw.com,tempfile.redpandaai.co,cdn.kie.ai,static.aiquickdraw.com"
_SURROGATE = re.compile(r"[\ud800-\udfff]")  # what stands for bytes that are not UTF-8
_HEADER_TOKEN = re.compile(r"[\x21-\x7e]+")
_BUCKET = re.compile(r"s3://([A-Za-z0-9][A-Za-z0-9._-]{2,62})(?:/([A-Za-z0-9._/-]*))?")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of a server that speaks S3, and what the names of our objects in it begin with; empty for nothing."""

    name: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"s3://{self.name}/{self.prefix}".rstrip("/")


def _comma_list(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _secrets(keys: tuple[str, ...]) -> tuple[str, ...]:
    if not keys:
        raise ValueError(f"must hold at least one key; {SECRET_REMEDY}")
    if any(_SURROGATE.search(key) for key in keys):
        raise ValueError(f"every key must be UTF-8 text; {SECRET_REMEDY}")
    if any(_byte_length(key) < SHORTEST_SECRET for key in keys):
        raise ValueError(f"every key must have at least {SHORTEST_SECRET} bytes; {SECRET_REMEDY}")
    return keys


def _api_keys(entries: tuple[str, ...]) -> tuple[str, ...]:
    for entry in entries:
        name, _, secret = entry.partition(":")
        if (
            not KEY_NAME.fullmatch(name)
            or _byte_length(secret) < SHORTEST_SECRET
            or not _HEADER_TOKEN.fullmatch(secret)
        ):
            raise ValueError(
                f"write each entry as name:secret, the secret of at least {SHORTEST_SECRET} visible ASCII "
                f"characters; {SECRET_REMEDY}"
            )
    if len({entry.partition(":")[0] for entry in entries}) < len(entries):
        raise ValueError("every key needs a name of its own")
    return entries


def _header_token(value: str) -> str:
    if value and not _HEADER_TOKEN.fullmatch(value):
        raise ValueError("must be visible ASCII characters without blanks, as a header carries it")
    return value


def _metrics_token(value: str) -> str:
    if value and _byte_length(value) < SHORTEST_SECRET:
        raise ValueError(f"must have at least {SHORTEST_SECRET} bytes; {SECRET_REMEDY}")
    return _header_token(value)


def _base_url(value: str) -> str:
    if not value:
        return value
    origin_of(value)
    if urlsplit(value).query or urlsplit(value).fragment:
        raise ValueError("must be a scheme, a host and perhaps a path; without ? and #")
    return value.rstrip("/")


def _origin(value: str) -> str:
    origin_of(value)
    if urlsplit(value).path or urlsplit(value).query:
        raise ValueError("write each origin as https://host or https://host:port, without a path")
    return value.lower()


def _host_pattern(value: object) -> object:
    return HostPattern.parse(value) if isinstance(value, str) else value


def _network(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return ip_network(value)
    except ValueError:
        raise ValueError("write each network as 10.0.0.0/8 or fd00::/8, with no bits behind the prefix") from None


def _byte_length(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _database_url(value: str) -> str:
    if not value.startswith(("sqlite:///", "postgres://", "postgresql://")):
        raise ValueError("must begin with sqlite:/// or postgres://")
    return value


def _store(value: object) -> object:
    if not isinstance(value, str) or "://" not in value:
        return value
    if not (match := _BUCKET.fullmatch(value)):
        raise ValueError("must be a folder, or s3://bucket or s3://bucket/prefix in letters, digits and . _ - /")
    return Bucket(match[1], (match[2] or "").strip("/"))


CommaList = NoDecode, BeforeValidator(_comma_list)
BaseUrl = Annotated[str, AfterValidator(_base_url)]


class Settings(BaseSettings):
    """Every setting of the gateway. The names in the environment are these in capitals, with ``GATEWAY_`` before."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",  # unknown names are told by gateway.environment, which sees them all
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    secret_keys: Annotated[tuple[str, ...], *CommaList, AfterValidator(_secrets)] = Field(
        repr=False,
        description="Secrets that sign links, oldest first: the last signs, all verify. At least 32 bytes each.",
    )
    public_url: BaseUrl = Field(
        "", description="Where visitors reach the gateway, a path prefix included. Without it, links are paths."
    )
    upstream_url: BaseUrl = Field("https://api.apikley.ru", description="Where the provider's API is.")
    upstream_api_key: Annotated[str, AfterValidator(_header_token)] = Field(
        "", repr=False, description="The provider's API key. Needed by the `upstream` resolver."
    )
    resolver: Literal["upstream", "store", "origin"] = Field(
        default_factory=lambda given: "upstream" if given.get("upstream_api_key") else "store",
        description="Who turns an image URL into a source: the provider's API, our own records, or nobody.",
    )
    origin_hosts: Annotated[
        tuple[Annotated[HostPattern, BeforeValidator(_host_pattern)], ...], *CommaList, Field(validate_default=True)
    ] = Field(
        default=_PROVIDER_HOSTS,  # type: ignore[arg-type]  # parsed as if it were given
        description="Hosts that links may name: `host`, `*.suffix`, `*` (any public one), `host:port` (a private one).",
    )
    private_networks: Annotated[
        tuple[Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)], ...], *CommaList
    ] = Field(
        (),
        description="Networks in which the `host:port` entries of `ORIGIN_HOSTS` lie. Nothing else in them is reached.",
    )
    allow_http: bool = Field(default=False, description="Also fetch from, and redirect to, plain http.")
    default_mode: Literal["auto", "redirect", "stream"] = Field(
        "auto", description="Delivery of links that sign no mode."
    )
    require_signature: bool = Field(
        default=True, description="`false` also serves unsigned requests, streamed. Not with `*`."
    )
    api_keys: Annotated[tuple[str, ...], *CommaList, AfterValidator(_api_keys)] = Field(
        (), repr=False, description="Keys that may call our API, beside the key store: `name:secret,…`."
    )
    page_link_lifetime_s: int = Field(900, ge=60, le=2_592_000, description="Life of a page link, in seconds.")
    min_life_s: int = Field(
        120, ge=0, le=1200, description="A known direct URL is reused while it lives this long, in seconds."
    )
    max_bytes: int = Field(5 * 2**30, ge=1, description="Largest file that is passed on, in bytes.")
    cors_origins: Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], *CommaList] = Field(
        (), description="Origins whose scripts may `fetch()` downloads."
    )
    downloads_per_minute: int = Field(
        120, ge=0, description="Downloads a visitor may begin in a minute; 0 for no limit."
    )
    streams_per_visitor: int = Field(
        128, ge=0, description="Streams a visitor may have running at once, in each worker; 0 for no limit."
    )
    visitor_timeout_s: int = Field(
        30, ge=1, le=600, description="A visitor who accepts nothing for so long is cut, in seconds."
    )
    trusted_proxies: int = Field(
        0, ge=0, le=5, description="Proxies in front whose `X-Forwarded-For` is believed. 1 on known platforms."
    )
    database_url: Annotated[str, AfterValidator(_database_url)] = Field(
        "sqlite:///instance/gateway.db",
        repr=False,
        validation_alias=AliasChoices("GATEWAY_DATABASE_URL", "DATABASE_URL"),
        description="Where API keys, and the records of the `store` resolver, are: SQLite, or `postgres://…`.",
    )
    store: Annotated[Path | Bucket, NoDecode, BeforeValidator(_store)] = Field(
        Path("instance/store"),
        description="Where the `store` resolver keeps images: a folder, or `s3://bucket/prefix`.",
    )
    store_max_bytes: int = Field(
        0, ge=0, description="Beyond it the least recently used images are dropped from the folder; 0 for no limit."
    )
    s3_endpoint_url: BaseUrl = Field(
        "", description="Where the bucket's server is: R2, MinIO, Swift. Without it, AWS. Keys come from `AWS_…`."
    )
    record_days: int = Field(
        14, ge=1, le=365, description="How old a record may be, in days, for its images to be downloaded."
    )
    callback_key: Annotated[str, AfterValidator(_header_token)] = Field(
        "",
        repr=False,
        description="The provider's key for signing its callbacks. Without it, our callback URL has a token.",
    )
    metrics_token: Annotated[str, AfterValidator(_metrics_token)] = Field(
        "", repr=False, description="Opens `/metrics` to `Authorization: Bearer …`. Without it, nothing is counted."
    )
    maintenance: bool = Field(default=False, description="Answer every download with a maintenance page (503).")
    port: int = Field(8000, ge=1, le=65535, validation_alias="PORT", description="Port to listen on.")
    web_concurrency: int = Field(
        1, ge=1, le=64, validation_alias="WEB_CONCURRENCY", description="Number of worker processes."
    )

    @property
    def named_api_keys(self) -> dict[str, str]:
        """API keys by name."""
        return dict(entry.split(":", 1) for entry in self.api_keys)

    def masked(self) -> dict[str, str]:
        """The effective settings by the name in the environment, ready to print: secrets are only counted."""
        return {variable(name): self._printable(name) for name in type(self).model_fields}

    def _printable(self, name: str) -> str:
        value: Any = getattr(self, name)
        if name == "database_url":
            return make_printable(value)
        if not type(self).model_fields[name].repr:
            return f"({len(value)} set)" if isinstance(value, tuple) else "(set)" if value else "(not set)"
        if isinstance(value, tuple):
            return ",".join(_entry(part) for part in value)
        return str(value).lower() if isinstance(value, bool) else str(value)


def _entry(part: object) -> str:
    if not isinstance(part, HostPattern):
        return str(part)
    host = (
        "*"
        if part.everything
        else f"*.{part.host}"
        if part.below
        else f"[{part.host}]"
        if ":" in part.host
        else part.host
    )
    return f"{host}:{part.port}" if part.port else host


def make_printable(database_url: str) -> str:
    """A database URL without what a password may be in."""
    return database_url if database_url.startswith("sqlite:") else database_url.partition("://")[0] + "://…"


def variable(field: str) -> str:
    """The name in the environment of a field of Settings; platforms' own names stand without the prefix."""
    alias = Settings.model_fields[field].validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[-1])
    return alias if isinstance(alias, str) else PREFIX + field.upper()
