"""The body of a streamed response, in chunks whose size follows the client's speed."""

import errno
import time
from collections.abc import Callable, Iterator

from gateway.delivery.exchange import ClientConnection
from gateway.delivery.resuming_reader import ResumingReader
from gateway.errors import FileTooLarge, GatewayError, OriginFailed
from gateway.observability.transfer_stats import TransferStats

SMALL_CHUNK = 16 * 1024  # fits into the free space of a socket buffer that accepts any data
MEDIUM_CHUNK = 96 * 1024
MEDIUM_AFTER = 32 * 1024
LARGE_CHUNK = 2**21
LARGE_AFTER = 4 * 2**20  # far more than kernels buffer between the origin and a client that reads nothing
SLOW_S, FAST_S = 0.1, 0.01  # after a slower chunk the size is reset; after a faster one it doubles


class StreamBody:
    """The body of a streamed response. It holds a slot and a connection until it is closed.

    Args:
        file: open for reading.
        connection: to the client.
        release: frees the slot.
        max_bytes: the largest file that is streamed.
        stats: of this transfer.
    """

    __slots__ = (
        "_closed",
        "_completed",
        "_connection",
        "_file",
        "_max_bytes",
        "_release",
        "byte_range",
        "info",
        "stats",
    )

    def __init__(
        self,
        file: ResumingReader,
        connection: ClientConnection,
        release: Callable[[], None],
        max_bytes: int,
        stats: TransferStats,
    ) -> None:
        self.info, self.byte_range, self.stats = file.info, file.byte_range, stats
        self._file = file
        self._connection = connection
        self._release: Callable[[], None] | None = release
        self._completed: Callable[[], None] | None = None
        self._closed: Callable[[], None] | None = None
        self._max_bytes = max_bytes

    @property
    def descriptor(self) -> int | None:
        """The descriptor of a local file, positioned at the range; else None."""
        return self._file.descriptor

    def passed(self, count: int) -> None:
        """Count bytes that ``sendfile`` has sent.

        Raises:
            ConnectionResetError: the file ended too soon.
        """
        if not count:
            self.stats.outcome, self.stats.aborted = OriginFailed.code, True
            raise ConnectionResetError(errno.ECONNRESET, "the file is shorter than it was")
        self.stats.sent += count
        time.sleep(0)  # a fast disk and a fast client would keep the event loop busy
        if self.stats.sent == (len(self.byte_range) if self.byte_range else self.info.length):
            self._finish()

    def on_completed(self, call: Callable[[], None]) -> None:
        """Call ``call`` when the file's last byte was sent."""
        self._completed = call

    def on_closed(self, call: Callable[[], None]) -> None:
        """Call ``call`` when the transfer has ended, completed or not."""
        self._closed = call

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes in chunks: small ones at first and to slow clients, larger ones to fast clients.

        A chunk is read when the connection accepts data. An empty chunk is yielded before a wait and before a large
        chunk, so that no layer below holds a reference to the previous chunk. No byte beyond ``max_bytes`` is yielded.

        Raises:
            ConnectionResetError: the origin failed for good after bytes were sent. The connection is cut, so that the
                client sees a broken transfer and never a short file that looks whole.
        """
        file, connection, amount = self._file, self._connection, SMALL_CHUNK
        try:
            while not file.at_end:
                before = time.monotonic()
                has_room = connection.has_room()
                if not has_room or amount > MEDIUM_CHUNK:
                    chunk = b""
                    yield chunk
                if not has_room:
                    connection.wait_for_room()
                    if time.monotonic() - before > SLOW_S:
                        amount = SMALL_CHUNK
                chunk = file.read(amount)
                if not chunk:
                    break
                if self.stats.sent + len(chunk) > self._max_bytes:
                    raise FileTooLarge("longer than the limit")
                yield chunk
                self.stats.sent += len(chunk)
                took_s = time.monotonic() - before
                if took_s <= FAST_S:
                    amount = self._larger(amount)
                elif took_s > SLOW_S:
                    amount = SMALL_CHUNK
        except GatewayError as error:
            self.stats.outcome, self.stats.aborted = error.code, True
            raise ConnectionResetError(errno.ECONNRESET, "the origin failed during the transfer") from error
        self._finish()

    def close(self) -> None:
        """Close the file and free the slot; further calls do nothing."""
        release, self._release = self._release, None
        if release is None:
            return
        if self.stats.outcome == "begun":
            self.stats.outcome = "left"  # the client closed the connection
        try:
            self._file.close()
        finally:
            release()
            if self._closed is not None:
                self._closed()

    def _larger(self, amount: int) -> int:
        sent = self.stats.sent
        largest = LARGE_CHUNK if sent > LARGE_AFTER else MEDIUM_CHUNK if sent > MEDIUM_AFTER else 2 * SMALL_CHUNK
        return min(2 * amount, largest)

    def _finish(self) -> None:
        self.stats.outcome = "completed"
        reached_end = self.byte_range is None or self.byte_range.last + 1 == self.info.length
        if reached_end and self._completed is not None:
            self._completed()
