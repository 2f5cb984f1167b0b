"""What the visitor's request says about delivery, and what is answered; plain values, no framework."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from gateway.observability.transfer_stats import TransferStats


class ClientConnection(Protocol):
    """The connection to a visitor, as far as a stream asks about it."""

    def has_room(self) -> bool:
        """Whether it takes more at once."""

    def wait_for_room(self) -> None:
        """Wait until it does."""


class AlwaysWritable:
    """A connection that nobody can ask: whoever sends waits."""

    def has_room(self) -> bool:
        """It may have."""
        return True

    def wait_for_room(self) -> None:
        """Not needed."""


@dataclass(frozen=True, slots=True)
class DownloadRequest:
    """The parts of a request that bear on delivery; headers as they came, empty when missing.

    Attributes:
        if_match: None when missing, as an empty list of tags matches nothing.
        visitor: what stands for one visitor in limits and counts.
        cors_origin: the allowed origin whose script asks by ``fetch()``; empty for everybody else.
        asked_at: monotonic seconds.
        line: the connection.
    """

    method: Literal["GET", "HEAD"] = "GET"
    visitor: str = ""
    range: str = ""
    if_range: str = ""
    if_none_match: str = ""
    if_match: str | None = None
    cors_origin: str = ""
    asked_at: float = field(default_factory=time.monotonic)
    connection: ClientConnection = field(default_factory=AlwaysWritable)

    @property
    def resumes(self) -> str:
        """The entity tag of the download that it resumes; empty when it resumes none.

        Chromium resumes with ``If-Range``, Firefox and Android's DownloadManager with ``If-Match``.
        """
        return (self.if_range or self.if_match or "") if self.method == "GET" and self.range else ""

    @property
    def is_unconditional(self) -> bool:
        """Whether it asks for the whole file without any condition."""
        conditional = self.range or self.if_range or self.if_none_match or self.if_match is not None
        return self.method == "GET" and not conditional


class Body(Protocol):
    """An iterable of chunks that must be closed.

    Attributes:
        descriptor: of a file that the kernel can send by itself, in place of the chunks; None for none.
    """

    @property
    def descriptor(self) -> int | None:
        """See above."""

    def passed(self, count: int) -> None:
        """Note that the kernel took so many bytes of the file.

        Raises:
            ConnectionResetError: the file ended too soon.
        """

    def __iter__(self) -> Iterator[bytes]:
        """Yield the chunks."""

    def close(self) -> None:
        """Let go of whatever stands behind it."""


@dataclass(frozen=True, slots=True)
class DownloadResponse:
    """A response in plain values."""

    status: int
    headers: list[tuple[str, str]]
    body: Body
    stats: TransferStats = field(default_factory=TransferStats)


class EmptyBody:
    """The body of a response that has none."""

    descriptor = None

    def passed(self, count: int) -> None:
        """Nothing passes."""

    def __iter__(self) -> Iterator[bytes]:
        return iter(())

    def close(self) -> None:
        """Nothing to let go of."""
