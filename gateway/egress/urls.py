"""Conversion of URLs for requests: only characters that a URI cannot contain are percent-encoded."""

import re
from functools import lru_cache
from urllib.parse import quote, urlsplit

from gateway.origins.allowlist import parse_origin

_NOT_IN_A_URI = re.compile(r"[^\x21-\x7e]+")
_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:)(//[^/?#]*)([^?#]*)(\?[^#]*)?", re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_PATH = re.compile(r"[^?#]*")


@lru_cache(maxsize=256)
def to_uri(url: str) -> str:
    """Convert a URL to the URI that is requested (RFC 3987 section 3.1).

    Spaces and characters outside ASCII are percent-encoded as UTF-8, an international host becomes A-labels, and spaces
    around the URL are removed, as browsers do. Nothing else changes: some origins sign or compare URLs literally.

    Raises:
        ValueError: not an absolute http or https URL; with a short reason that does not repeat the URL.
    """
    origin = parse_origin(url)
    url = url.strip(" ")
    if not _NOT_IN_A_URI.search(url):
        return url
    scheme, slashes, rest = url.partition("//")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    rest = rest[len(authority) :]
    if not authority.isascii():
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        port = urlsplit(url).port
        authority = host if port is None else f"{host}:{port}"
    return scheme + slashes + authority + _NOT_IN_A_URI.sub(lambda found: quote(found[0], safe=""), rest)


def request_target(uri: str) -> str:
    """The path and query of a URI, for the request line (RFC 9112 section 3.2.1)."""
    path, query = _parts(uri)[2:]
    return (path or "/") + query


def resolve_reference(base: str, reference: str) -> str:
    """Resolve a ``Location`` against the request's URL (RFC 3986 section 5.2) without normalising it.

    Dot segments are removed only from references without a host.

    Raises:
        ValueError: the result cannot be parsed as a URL.
    """
    resolved = _resolved(base, reference)
    urlsplit(resolved)
    return resolved


def _resolved(base: str, reference: str) -> str:
    if _SCHEME.match(reference):
        return reference
    scheme, authority, path, query = _parts(base)
    if reference.startswith("//"):
        return scheme + reference
    root = scheme + authority
    if reference.startswith("?"):
        return root + path + reference
    target = _PATH.match(reference)[0]  # type: ignore[index]  # it matches anything
    if not target:
        return root + path + query + reference
    merged = target if target.startswith("/") else path[: path.rfind("/") + 1] + target
    return root + _remove_dot_segments(merged) + reference[len(target) :]


def _parts(url: str) -> tuple[str, str, str, str]:
    """Scheme with colon, authority with slashes, path, and query with question mark."""
    if not (match := _ABSOLUTE.match(url)):
        raise ValueError("is not an absolute URL")
    return match[1], match[2], match[3], match[4] or ""


def _remove_dot_segments(path: str) -> str:
    """RFC 3986 section 5.2.4."""
    output: list[str] = []
    segments = path.removeprefix("/").split("/")
    for segment in segments:
        if segment == "..":
            del output[-1:]
        elif segment != ".":
            output.append(segment)
    if segments[-1] in {".", ".."}:
        output.append("")
    return "/" + "/".join(output)
