"""The request and the response of a download, as plain values without a framework."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from gateway.observability.transfer_stats import TransferStats


class ClientConnection(Protocol):
    """The connection to a client, as a stream uses it."""

    def has_room(self) -> bool:
        """Whether it accepts more data without blocking."""

    def wait_for_room(self) -> None:
        """Block until it accepts more data."""


class AlwaysWritable:
    """A connection whose state is unknown: a send may block."""

    def has_room(self) -> bool:
        """Always."""
        return True

    def wait_for_room(self) -> None:
        """Return at once."""


@dataclass(frozen=True, slots=True)
class DownloadRequest:
    """What a download request says; header values as received, empty when missing.

    Attributes:
        visitor: the client's address, by which limits count.
        if_match: None when missing, as an empty list of tags matches nothing.
        cors_origin: the allowed origin whose script uses ``fetch()``; else empty.
        received_at: monotonic seconds.
        connection: the connection to the client.
        stats: of this transfer; the layers that send and read write them.
    """

    method: Literal["GET", "HEAD"] = "GET"
    visitor: str = ""
    range: str = ""
    if_range: str = ""
    if_none_match: str = ""
    if_match: str | None = None
    cors_origin: str = ""
    received_at: float = field(default_factory=time.monotonic)
    connection: ClientConnection = field(default_factory=AlwaysWritable)
    stats: TransferStats = field(default_factory=TransferStats)

    @property
    def resumes(self) -> str:
        """The entity tag of the download that this request resumes; empty when it resumes none.

        Chromium resumes with ``If-Range``, Firefox and Android's DownloadManager with ``If-Match``.
        """
        return (self.if_range or self.if_match or "") if self.method == "GET" and self.range else ""

    @property
    def is_unconditional(self) -> bool:
        """Whether it requests the whole file without a condition."""
        conditional = self.range or self.if_range or self.if_none_match or self.if_match is not None
        return self.method == "GET" and not conditional


class Body(Protocol):
    """An iterable of chunks that must be closed."""

    @property
    def descriptor(self) -> int | None:
        """The descriptor of a file that ``sendfile`` can send in place of the chunks; else None."""

    def passed(self, count: int) -> None:
        """Count bytes that ``sendfile`` has sent.

        Raises:
            ConnectionResetError: the file ended too soon.
        """

    def __iter__(self) -> Iterator[bytes]:
        """Yield the chunks."""

    def close(self) -> None:
        """Release the file and the slot."""


@dataclass(frozen=True, slots=True)
class DownloadResponse:
    """A response as plain values."""

    status: int
    headers: list[tuple[str, str]]
    body: Body
    stats: TransferStats


class EmptyBody:
    """An empty body."""

    descriptor = None

    def passed(self, count: int) -> None:
        """Do nothing."""

    def __iter__(self) -> Iterator[bytes]:
        return iter(())

    def close(self) -> None:
        """Do nothing."""
