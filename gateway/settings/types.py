"""The types of the settings: parsing and validation."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

from gateway.origins.allowlist import HostPattern, parse_origin

MigrationPolicy = Literal["empty", "auto", "never"]
MIN_SECRET_BYTES = 32
SECRET_REMEDY = "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"  # noqa: S105 (a text)
KEY_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_SURROGATE = re.compile(r"[\ud800-\udfff]")  # stands for a byte that is not UTF-8
_HEADER_TOKEN = re.compile(r"[\x21-\x7e]+")
# A host-source of CSP 3 (section 2.3.1), with a scheme and without a path.
_FRAME_ANCESTOR = re.compile(r"(?P<scheme>https?://)(?:\*\.)?(?P<host>[a-z0-9.-]+(?::[0-9]{1,5})?)")
_BUCKET = re.compile(r"s3://([A-Za-z0-9][A-Za-z0-9._-]{2,62})(?:/([A-Za-z0-9._/-]*))?")


@dataclass(frozen=True, slots=True)
class Bucket:
    """An S3 bucket, and the prefix of the gateway's keys in it."""

    name: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"s3://{self.name}/{self.prefix}".rstrip("/")


def _comma_list(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _secrets(keys: tuple[str, ...]) -> tuple[str, ...]:
    if not keys:
        raise ValueError(f"must contain at least one key; {SECRET_REMEDY}")
    if any(_SURROGATE.search(key) for key in keys):
        raise ValueError(f"every key must be UTF-8 text; {SECRET_REMEDY}")
    if any(_byte_length(key) < MIN_SECRET_BYTES for key in keys):
        raise ValueError(f"every key must have at least {MIN_SECRET_BYTES} bytes; {SECRET_REMEDY}")
    return keys


def _api_keys(entries: tuple[str, ...]) -> tuple[str, ...]:
    for entry in entries:
        name, _, secret = entry.partition(":")
        if (
            not KEY_NAME.fullmatch(name)
            or _byte_length(secret) < MIN_SECRET_BYTES
            or not _HEADER_TOKEN.fullmatch(secret)
        ):
            raise ValueError(
                f"write each entry as name:secret, the secret of at least {MIN_SECRET_BYTES} visible ASCII "
                f"characters; {SECRET_REMEDY}"
            )
    if len({entry.partition(":")[0] for entry in entries}) < len(entries):
        raise ValueError("every key needs a different name")
    return entries


def _header_token(value: str) -> str:
    if value and not _HEADER_TOKEN.fullmatch(value):
        raise ValueError("must be visible ASCII characters without spaces")
    return value


def _metrics_token(value: str) -> str:
    if value and _byte_length(value) < MIN_SECRET_BYTES:
        raise ValueError(f"must have at least {MIN_SECRET_BYTES} bytes; {SECRET_REMEDY}")
    return _header_token(value)


def _base_url(value: str) -> str:
    if not value:
        return value
    parse_origin(value)
    if urlsplit(value).query or urlsplit(value).fragment:
        raise ValueError("must be a scheme, a host and an optional path, without ? and #")
    return value.rstrip("/")


def _origin(value: str) -> str:
    parse_origin(value)
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
        raise ValueError("write each network as 10.0.0.0/8 or fd00::/8, with no bits set after the prefix") from None


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


def _frame_ancestor(value: str) -> str:
    if value in {"self", "'self'"}:
        return "'self'"
    match = _FRAME_ANCESTOR.fullmatch(value.lower())
    if not match:
        raise ValueError("write each as https://host, https://*.host or https://host:port, without a path, or as self")
    parse_origin(match["scheme"] + match["host"])
    return value.lower()


CommaList = NoDecode, BeforeValidator(_comma_list)
SecretKeys = Annotated[tuple[str, ...], *CommaList, AfterValidator(_secrets)]
ApiKeys = Annotated[tuple[str, ...], *CommaList, AfterValidator(_api_keys)]
HeaderToken = Annotated[str, AfterValidator(_header_token)]
MetricsToken = Annotated[str, AfterValidator(_metrics_token)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], *CommaList]
FrameAncestors = Annotated[tuple[Annotated[str, AfterValidator(_frame_ancestor)], ...], *CommaList]
HostPatterns = Annotated[tuple[Annotated[HostPattern, BeforeValidator(_host_pattern)], ...], *CommaList]
Networks = Annotated[tuple[Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)], ...], *CommaList]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
StoreLocation = Annotated[Path | Bucket, NoDecode, BeforeValidator(_store)]
