"""Requests and responses that the download tests share."""

from contextlib import suppress
from typing import Any

from werkzeug.test import TestResponse

from tests.support.factories import PNG, Gateway
from tests.support.servers import ScriptedServer, envelope

PROVIDER_CALL = "/api/v1/gpt4o-image/download-url"
ATTACHMENT = 'attachment; filename="origin.png"'
DATE = "Mon, 23 Nov 2026 10:00:00 GMT"
SCRIPT = "https://app.example"
ALICE, BOB, CAROL = "198.51.100.1", "198.51.100.2", "198.51.100.3"
CHUNKED = ("Transfer-Encoding", "chunked")
PRIVATE_HEADERS = {
    "cache-control",
    "referrer-policy",
    "x-content-type-options",
    "x-gateway-delivery",
    "x-request-id",
    "x-robots-tag",
}
REDIRECT_HEADERS = PRIVATE_HEADERS | {"location", "content-length"}
STREAM_HEADERS = PRIVATE_HEADERS | {
    "accept-ranges",
    "content-disposition",
    "content-length",
    "content-security-policy",
    "content-type",
    "cross-origin-resource-policy",
    "etag",
    "x-frame-options",
}


def convert(provider: ScriptedServer, direct_url: str) -> str:
    """Make the provider return this direct URL; returns an origin URL to make a link of."""
    provider.route(PROVIDER_CALL, envelope(data=direct_url))
    host, _, _ = direct_url.removeprefix("http://").partition("/")
    return f"http://{host}/published/cat.png"


def direct(provider: ScriptedServer, origin: ScriptedServer, **headers: str) -> str:
    """Make the provider return a direct URL where the origin serves an image; returns an origin URL."""
    named: dict[str, Any] = {"ETag": '"v1"', **headers}
    return convert(provider, origin.serve("/direct/cat.png", PNG, **named))


def names(response: TestResponse) -> set[str]:
    """The names of a response's headers, in lower case."""
    return {name.lower() for name, _ in response.headers}


def summary(response: TestResponse) -> tuple[int, str]:
    """Status and ``X-Gateway-Delivery`` of a response."""
    return response.status_code, response.headers.get("X-Gateway-Delivery", "")


def take(gateway: Gateway, link: str, address: str = ALICE, **headers: str) -> int:
    """Follow a link as the visitor at an address and read the body; returns the status."""
    response = gateway.client.get(
        link,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        environ_overrides={"REMOTE_ADDR": address},
    )
    with suppress(ConnectionResetError):
        _ = response.data
    response.close()
    return response.status_code


def read_until_cut(response: TestResponse) -> tuple[int, bool]:
    """How many bytes of the body arrived, and whether it was complete."""
    received = 0
    try:
        for part in response.iter_encoded():
            received += len(part)
    except ConnectionResetError:
        return received, False
    finally:
        response.close()
    return received, True


def raw(*headers: tuple[str, str], body: bytes = b"", status: int = 200) -> bytes:
    """An HTTP response with exactly these headers, in this order."""
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def chunked(*parts: bytes, last: bytes = b"0\r\n\r\n") -> bytes:
    """A chunked body."""
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + last
