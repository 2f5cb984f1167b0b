"""The settings: names, types, defaults and constraints."""

from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.origins.allowlist import HostPattern
from gateway.settings.types import (
    ApiKeys,
    BaseUrl,
    Bucket,
    DatabaseUrl,
    FrameAncestors,
    HeaderToken,
    HostPatterns,
    MetricsToken,
    MigrationPolicy,
    Networks,
    Origins,
    SecretKeys,
    StoreLocation,
)

__all__ = ["PREFIX", "RELATIVE_LINKS", "Bucket", "Settings", "make_printable", "variable"]

PREFIX = "GATEWAY_"
PROVIDER_DAYS = 14  # how long the provider keeps records, by its contract
RELATIVE_LINKS = (
    "GATEWAY_PUBLIC_URL is not set, so links are paths without a host; set it to the address at which visitors reach "
    "the gateway, for example https://dl.example.com"
)
_PROVIDER_HOSTS = "tempfile.aiquickdraw.com,tempfile.redpandaai.co,cdn.kie.ai,static.aiquickdraw.com"


class Settings(BaseSettings):
    """All settings. Environment variables are the upper-case field names with the prefix ``GATEWAY_``."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",  # gateway.settings.loader reports unknown names
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    secret_keys: SecretKeys = Field(
        repr=False,
        description="Secrets that sign links, comma-separated, oldest first: the last one signs, all "
        "verify. At least 32 bytes each.",
    )
    public_url: BaseUrl = Field(
        "",
        description="The address at which visitors reach the gateway, including a path prefix. Without "
        "it, links are paths.",
    )
    upstream_url: BaseUrl = Field("https://api.apikley.ru", description="Base URL of the provider's API.")
    upstream_api_key: HeaderToken = Field(
        "", repr=False, description="API key of the provider. Required by the `upstream` resolver."
    )
    resolver: Literal["upstream", "store", "origin"] = Field(
        default_factory=lambda raw: "upstream" if raw.get("upstream_api_key") else "store",
        description="How an image URL becomes a file: `upstream` (the provider's API), `store` (own "
        "records) or `origin` (the URL).",
    )
    origin_hosts: HostPatterns = Field(
        default=_PROVIDER_HOSTS,  # parsed like a value of the environment
        validate_default=True,
        description="Hosts that links may name: `host`, `*.suffix`, `*` (any public host), `host:port` (a "
        "private server).",
    )
    private_networks: Networks = Field(
        (),
        description="Networks that contain the `host:port` entries of `GATEWAY_ORIGIN_HOSTS`. Nothing "
        "else in them is accessed.",
    )
    allow_http: bool = Field(default=False, description="Also fetch from, and redirect to, plain http.")
    default_mode: Literal["auto", "redirect", "stream"] = Field(
        "auto", description="Delivery mode of links without a signed mode."
    )
    require_signature: bool = Field(
        default=True,
        description="`false` also serves unsigned requests, always streamed. Not permitted together with `*`.",
    )
    api_keys: ApiKeys = Field(
        (), repr=False, description="API keys in addition to those in the database: `name:secret,…`."
    )
    page_link_lifetime_s: int = Field(
        900, ge=60, le=2_592_000, description="Lifetime of a page link when its creator gives none, in seconds."
    )
    email_link_lifetime_s: int = Field(
        1_209_600,
        ge=60,
        le=2_592_000,
        description="Lifetime of an e-mail link when its creator gives none, in seconds.",
    )
    min_life_s: int = Field(
        120,
        ge=0,
        le=1200,
        description="A cached direct URL is used only while at least this many seconds of its life remain.",
    )
    max_bytes: int = Field(5 * 2**30, ge=1, description="Largest file that is streamed or stored, in bytes.")
    allow_markup_as_image: bool = Field(
        default=False, description="Also deliver HTML and XML where the link or the content type announces an image."
    )
    cors_origins: Origins = Field((), description="Origins whose scripts may `fetch()` downloads.")
    frame_ancestors: FrameAncestors = Field((), description="Origins whose pages may show error pages in a frame.")
    cross_origin_resource_policy: Literal["same-origin", "same-site", "cross-origin"] = Field(
        "same-origin", description="Which pages may embed streamed files."
    )
    downloads_per_minute: int = Field(
        120, ge=0, description="Downloads that one visitor may start per minute; 0 for no limit."
    )
    streams_per_visitor: int = Field(
        128, ge=0, description="Concurrent streams of one visitor in each worker; 0 for no limit."
    )
    visitor_timeout_s: int = Field(
        30, ge=1, le=600, description="A stream ends when the visitor accepts no byte for this long, in seconds."
    )
    trusted_proxies: int = Field(
        0,
        ge=0,
        le=5,
        description="Number of proxies in front of the gateway whose `X-Forwarded-For` is trusted. 1 on "
        "known platforms.",
    )
    database_url: DatabaseUrl = Field(
        "sqlite:///instance/gateway.db",
        repr=False,
        validation_alias=AliasChoices("GATEWAY_DATABASE_URL", "DATABASE_URL"),
        description="The database for API keys and records: SQLite or `postgres://…`.",
    )
    migrate: MigrationPolicy = Field(
        "empty",
        description="When the gateway migrates PostgreSQL at its start: `empty` (only an empty database), "
        "`auto` or `never`.",
    )
    store: StoreLocation = Field(
        Path("instance/store"),
        description="Where the `store` resolver keeps files: a folder, or a bucket, `s3://bucket/prefix`.",
    )
    store_max_bytes: int = Field(
        0, ge=0, description="Size of the folder above which the least recently used files are deleted; 0 for no limit."
    )
    s3_endpoint_url: BaseUrl = Field(
        "",
        description="Address of the bucket's server: R2, MinIO, Swift. Unset for AWS. Credentials come from `AWS_…`.",
    )
    record_days: int = Field(
        14, ge=1, le=365, description="Age in days after which a record and its files are deleted."
    )
    callback_key: HeaderToken = Field(
        "",
        repr=False,
        description="Key with which the provider signs its callbacks. Without it, the callback URL contains a token.",
    )
    metrics_token: MetricsToken = Field(
        "", repr=False, description="Bearer token for `/metrics`. Without it, metrics are off."
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

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about settings that are valid but probably mistaken, each with a remedy."""
        return () if self.public_url else (RELATIVE_LINKS,)

    def lifetime_warnings(self, life_s: int) -> tuple[str, ...]:
        """Warnings about a link lifetime in seconds, which may exceed that of the record."""
        days = {"store": self.record_days, "upstream": PROVIDER_DAYS}.get(self.resolver)
        if days is None or life_s <= days * 86_400:
            return ()
        return (f"the link outlives its record, which is kept for {days} days after the task; make expiresIn shorter",)

    def masked(self) -> dict[str, str]:
        """The effective settings by environment variable, for printing, without secrets."""
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
        if part.covers_all_hosts
        else f"*.{part.host}"
        if part.is_wildcard
        else f"[{part.host}]"
        if ":" in part.host
        else part.host
    )
    return f"{host}:{part.port}" if part.port else host


def make_printable(database_url: str) -> str:
    """A database URL without the part that may contain a password."""
    return database_url if database_url.startswith("sqlite:") else database_url.partition("://")[0] + "://…"


def variable(field: str) -> str:
    """The environment variable of a field of Settings."""
    alias = Settings.model_fields[field].validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[-1])
    return alias if isinstance(alias, str) else PREFIX + field.upper()
