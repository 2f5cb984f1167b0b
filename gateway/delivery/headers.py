"""The headers of redirects, streams and 304 responses. No header of the origin is copied."""

from gateway.delivery.exchange import DownloadRequest
from gateway.delivery.filename import content_disposition, file_name
from gateway.files.byte_range import ByteRange
from gateway.files.file_info import FileInfo
from gateway.files.media_types import UNKNOWN, detect_media_type
from gateway.links.link import Link

# Response headers that a script of an allowed origin can read.
EXPOSED = "Content-Disposition, Content-Length, Content-Range, ETag, Retry-After, X-Gateway-Delivery, X-Request-Id"
# The response is not cached, not indexed, and does not send the link on as a referrer.
PRIVATE = (
    ("Cache-Control", "private, no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Robots-Tag", "noindex, nofollow"),
    ("X-Content-Type-Options", "nosniff"),
)
# The bytes are untrusted: no script and no frame. A setting says who may embed them: Cross-Origin-Resource-Policy.
SANDBOXED = (
    ("Content-Security-Policy", "default-src 'none'; sandbox"),
    ("X-Frame-Options", "DENY"),
)

Headers = list[tuple[str, str]]


def stream_headers(
    link: Link, info: FileInfo, byte_range: ByteRange | None, etag: str, request: DownloadRequest
) -> Headers:
    """Headers of a streamed 200 or 206, or of the response to the same HEAD."""
    disposition, content_type = disposition_and_type(link, info)
    headers: Headers = [
        ("Content-Disposition", disposition),
        ("Content-Type", content_type),
        *PRIVATE,
        *SANDBOXED,
        *cors_headers(request.cors_origin),
    ]
    length = len(byte_range) if byte_range else info.length
    if length is not None:
        headers.append(("Content-Length", str(length)))
    if byte_range:
        headers.append(("Content-Range", f"bytes {byte_range.first}-{byte_range.last}/{info.length}"))
    if info.ranges:
        headers.append(("Accept-Ranges", "bytes"))
    if etag:
        headers.append(("ETag", etag))
    return headers


def disposition_and_type(link: Link, info: FileInfo | None) -> tuple[str, str]:
    """The ``Content-Disposition`` and ``Content-Type`` of a file; without metadata, of an unknown type."""
    media = UNKNOWN if info is None else detect_media_type(info.head)
    name = file_name(link.filename, link.url, link.task_id, media)
    return content_disposition(name), media.content_type


def not_modified_headers(etag: str, request: DownloadRequest) -> Headers:
    """Headers of a 304 (RFC 9110 section 15.4.5)."""
    return [("ETag", etag), *PRIVATE, *cors_headers(request.cors_origin)]


def redirect_headers(target: str) -> Headers:
    """Headers of a 302. The target is not changed, as that would break the signature of a presigned URL."""
    return [("Location", target), ("Content-Length", "0"), *PRIVATE]


def cors_headers(origin: str) -> Headers:
    """Headers that let a script of an allowed origin read the response (Fetch standard, CORS protocol)."""
    if not origin:
        return []
    return [("Access-Control-Allow-Origin", origin), ("Access-Control-Expose-Headers", EXPOSED), ("Vary", "Origin")]
