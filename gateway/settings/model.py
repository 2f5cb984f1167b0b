"""The settings: their names, types, defaults and rules."""

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
PROVIDER_DAYS = 14  # so long the provider keeps the record of a task (its contract)
RELATIVE_LINKS = (
    "GATEWAY_PUBLIC_URL is not set, so links are paths without a host; set it to the address at which visitors reach "
    "the gateway, for example https://dl.example.com"
)
_PROVIDER_HOSTS = "tempfile.aiquickdraw.com,tempfile.redpandaai.co,cdn.kie.ai,static.aiquickdraw.com"


class Settings(BaseSettings):
    """Every setting of the gateway. The names in the environment are these in capitals, with ``GATEWAY_`` before."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",  # unknown names are told by gateway.settings.loader, which sees them all
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    secret_keys: SecretKeys = Field(
        repr=False,
        description="Secrets that sign links, oldest first: the last signs, all verify. At least 32 bytes each.",
    )
    public_url: BaseUrl = Field(
        "", description="Where visitors reach the gateway, a path prefix included. Without it, links are paths."
    )
    upstream_url: BaseUrl = Field("https://api.apikley.ru", description="Where the provider's API is.")
    upstream_api_key: HeaderToken = Field(
        "", repr=False, description="The provider's API key. Needed by the `upstream` resolver."
    )
    resolver: Literal["upstream", "store", "origin"] = Field(
        default_factory=lambda raw: "upstream" if raw.get("upstream_api_key") else "store",
        description="Who turns an image URL into a source: the provider's API, our own records, or nobody.",
    )
    origin_hosts: HostPatterns = Field(
        default=_PROVIDER_HOSTS,  # parsed as if it were given
        validate_default=True,
        description="Hosts that links may name: `host`, `*.suffix`, `*` (any public one), `host:port` (a private one).",
    )
    private_networks: Networks = Field(
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
    api_keys: ApiKeys = Field(
        (), repr=False, description="Keys that may call our API, beside the key store: `name:secret,…`."
    )
    page_link_lifetime_s: int = Field(900, ge=60, le=2_592_000, description="Life of a page link, in seconds.")
    min_life_s: int = Field(
        120, ge=0, le=1200, description="A known direct URL is reused while it lives this long, in seconds."
    )
    max_bytes: int = Field(5 * 2**30, ge=1, description="Largest file that is passed on, in bytes.")
    allow_markup_as_image: bool = Field(
        default=False, description="Also pass on HTML and XML where the link or the type says that it is an image."
    )
    cors_origins: Origins = Field((), description="Origins whose scripts may `fetch()` downloads.")
    frame_ancestors: FrameAncestors = Field((), description="Origins whose pages may show our error pages in a frame.")
    cross_origin_resource_policy: Literal["same-origin", "same-site", "cross-origin"] = Field(
        "same-origin", description="Whose pages may embed streamed files, for example in `<img>`."
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
    database_url: DatabaseUrl = Field(
        "sqlite:///instance/gateway.db",
        repr=False,
        validation_alias=AliasChoices("GATEWAY_DATABASE_URL", "DATABASE_URL"),
        description="Where API keys, and the records of the `store` resolver, are: SQLite, or `postgres://…`.",
    )
    migrate: MigrationPolicy = Field(
        "empty", description="When a start migrates PostgreSQL: while it is `empty`, always (`auto`), or `never`."
    )
    store: StoreLocation = Field(
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
    callback_key: HeaderToken = Field(
        "",
        repr=False,
        description="The provider's key for signing its callbacks. Without it, our callback URL has a token.",
    )
    metrics_token: MetricsToken = Field(
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

    @property
    def warnings(self) -> tuple[str, ...]:
        """What these settings allow but rarely mean; each text names the setting and the remedy."""
        return () if self.public_url else (RELATIVE_LINKS,)

    def lifetime_warnings(self, life_s: int) -> tuple[str, ...]:
        """What is wrong with a link of this life, in seconds: it may outlive the record that it needs."""
        days = {"store": self.record_days, "upstream": PROVIDER_DAYS}.get(self.resolver)
        if days is None or life_s <= days * 86_400:
            return ()
        return (f"the link outlives its record, which is kept for {days} days after the task; make expiresIn shorter",)

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
        if part.covers_all_hosts
        else f"*.{part.host}"
        if part.is_wildcard
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
