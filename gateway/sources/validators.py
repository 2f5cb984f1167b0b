"""Validators of a file (RFC 9110 section 8.8): which are strong, so that equal validators mean equal bytes."""

import re
from collections.abc import Callable
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

LONGEST_VALIDATOR = 256  # thousands of these are kept in memory
_ENTITY_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')
_VERSION_ID = re.compile(r"[\x21-\x7e]{1,200}")
_SHA_256 = re.compile(r"[A-Za-z0-9+/]{43}=")
_REPR_DIGEST = re.compile(r"(?:^|,)[ \t]*sha-256=:([A-Za-z0-9+/]{43}=):[ \t]*(?=,|$)")
# No entity tag and no date begins like these.
_VERSION, _DIGEST = "version:", "sha-256:"


def validator_of(header: Callable[[str], str], url: str) -> str:
    """The best validator of a response; empty when it has none.

    In this order: a strong entity tag; the SHA-256 of the whole file (``Repr-Digest``, RFC 9530 section 3, or
    ``x-amz-checksum-sha256``); the version of an object at a presigned URL, with the object's key; a weak entity tag;
    ``Last-Modified``. An entity tag and a date are returned as received.

    Args:
        header: returns a header's value, empty when it is missing.
        url: of the response.
    """
    tag = header("ETag")
    if not _ENTITY_TAG.fullmatch(tag) or len(tag) > LONGEST_VALIDATOR:
        tag = ""
    strong = tag if tag.startswith('"') else _digest(header, url) or _version(header, url)
    return strong or tag or header("Last-Modified")[:LONGEST_VALIDATOR]


def is_strong(validator: str) -> bool:
    """Whether the same validator means the same bytes (RFC 9110 section 8.8.1), as a weak tag and a date do not."""
    return validator.startswith(('"', _DIGEST, _VERSION))


def if_range_of(validator: str) -> str:
    """What to send as ``If-Range`` (RFC 9110 section 13.1.5): a strong entity tag, or nothing."""
    return validator if validator.startswith('"') else ""


def _digest(header: Callable[[str], str], url: str) -> str:
    if match := _REPR_DIGEST.search(header("Repr-Digest")):
        return _DIGEST + match[1]
    checksum = header("x-amz-checksum-sha256")  # a multipart object has a checksum of checksums with a part count
    return _DIGEST + checksum if _SHA_256.fullmatch(checksum) and _is_presigned(url) else ""


def _version(header: Callable[[str], str], url: str) -> str:
    """A version id names one object's bytes; ``null`` is the id of an object without versions."""
    version = header("x-amz-version-id")
    if version == "null" or not _VERSION_ID.fullmatch(version) or not _is_presigned(url):
        return ""
    parts = urlsplit(url)
    key = sha256(f"{parts.netloc}{parts.path}".encode()).hexdigest()[:32]
    return f"{_VERSION}{key}:{version}"


def _is_presigned(url: str) -> bool:
    """Whether the bucket itself answers: a proxy could pass its headers on and change the bytes."""
    return "X-Amz-Signature" in parse_qs(urlsplit(url).query)
