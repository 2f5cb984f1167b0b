"""An origin whose answers break off as a test says, and what a visitor gets of its file."""

import random
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from gateway.delivery.exchange import DownloadRequest, DownloadResponse
from gateway.sources.base import Source
from tests.support.factories import Gateway, make_link
from tests.support.servers import Request, ScriptedServer, envelope, file_answer

PROVIDER_CALL = "/api/v1/gpt4o-image/download-url"
BIG = b"\x89PNG\r\n\x1a\n" + random.Random(4).randbytes(6 * 2**20)
DATE = "Mon, 23 Nov 2026 10:00:00 GMT"
STRONG = {"ETag": '"v1"'}


# What an origin does with an answer that is ready to be sent.
Spoil = Callable[[Request, bytes], bytes | None]


def whole(_request: Request, sent: bytes) -> bytes:
    """Nothing is spoiled."""
    return sent


def closed(after: int) -> Spoil:
    """Close the connection after so many bytes of the body."""
    return lambda _request, sent: beginning(sent, after)


def reset(after: int) -> Spoil:
    """Reset it."""

    def spoil(request: Request, sent: bytes) -> None:
        request.connection.sendall(beginning(sent, after))
        request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return spoil


def stalled(after: int) -> Spoil:
    """Say nothing more until the client goes away."""

    def spoil(request: Request, sent: bytes) -> None:
        request.connection.sendall(beginning(sent, after))
        request.connection.settimeout(5)
        with suppress(ConnectionResetError):
            request.connection.recv(1)

    return spoil


def chunked(after: int, last: bytes) -> Spoil:
    """Send so many bytes as a chunk, then what breaks the framing."""

    def spoil(_request: Request, sent: bytes) -> bytes:
        head, _, body = sent.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
        part = body[:after]
        return b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", b"%x" % len(part), part, last])

    return spoil


def instead(sent: bytes) -> Spoil:
    """Send something else."""
    return lambda _request, _sent: sent


def beginning(sent: bytes, after: int) -> bytes:
    return sent[: sent.index(b"\r\n\r\n") + 4 + after]


class Flaky:
    """A file whose first answers are spoiled, one after the other; the later ones are whole."""

    def __init__(self, body: bytes, *spoils: Spoil, headers: dict[str, str] | None = None, ranges: bool = True) -> None:
        self.body, self.headers, self.ranges = body, STRONG if headers is None else headers, ranges
        self.spoils = list(spoils)
        self.asked: list[tuple[str, str]] = []

    def __call__(self, request: Request) -> bytes | None:
        """Answer a request."""
        self.asked.append((request.headers.get("range", ""), request.headers.get("if-range", "")))
        sent = file_answer(request, self.body, self.headers, ranges=self.ranges)
        return (self.spoils.pop(0) if self.spoils else whole)(request, sent)


def deliver(
    gateway: Gateway, url: str, ask: DownloadRequest | None = None, source: Source | None = None
) -> DownloadResponse:
    """Deliver a file to a visitor, without the framework."""
    link = make_link(url=url, mode="stream")
    source = source or gateway.services.resolver.resolve(link.task_id, url)
    return gateway.services.deliverer.deliver(link, source, ask or DownloadRequest())


def taken(delivered: DownloadResponse) -> tuple[bytes, bool]:
    """What came, and whether the end came too."""
    got = bytearray()
    try:
        for part in delivered.body:
            got += part
    except ConnectionResetError:
        return bytes(got), False
    finally:
        delivered.body.close()
    return bytes(got), True


def converted(provider: ScriptedServer, *direct_urls: str) -> None:
    """Let the provider answer with these direct URLs in turn, then always with the last one."""
    left = list(direct_urls)
    provider.route(PROVIDER_CALL, lambda _request: envelope(data=left.pop(0) if len(left) > 1 else left[0]))


def image_url(origin: ScriptedServer) -> str:
    """An image URL that a link names and nobody fetches."""
    return origin.url("/v/cat.png")
