"""Read a file that is opened again, at the byte reached, when its origin breaks off."""

import random
import time
from contextlib import suppress

from gateway.delivery.opening import DEAD, TRANSIENT, Renew
from gateway.errors import GatewayError, OriginFailed, OriginGone, OriginTimeout, RangeNotSatisfiable, RetryLater
from gateway.files.byte_range import ByteRange
from gateway.files.file_info import FileInfo
from gateway.observability.transfer_stats import TransferStats
from gateway.sources.base import MIN_THROUGHPUT, OpenFile, Source
from gateway.sources.validators import is_strong

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 8.0
LONGEST_SILENCE_S = 55.0  # routers of platforms close a response that sends nothing for longer
MOST_RESUMES = 64  # of one stream, and one more for every BYTES_PER_RESUME
BYTES_PER_RESUME = 16 * 1024
MOST_FAILURES = 5  # consecutive failures with errors that are not transient
MOST_SKIPPED = 256 * 2**20  # in one stream, at an origin that ignores ranges
_SKIP = 64 * 1024
_LAST = 10**15  # beyond the end of any file: the origin sends what there is (RFC 9110 section 14.1.2)
_TRANSIENT = (*TRANSIENT, RetryLater)


class _FileChanged(OriginFailed):
    """The origin has another file now. Two files are never spliced."""


class ResumingReader:
    """An open file, or one range of it, that is opened again where it breaks off.

    A file is resumed only under the same strong validator (RFC 9110 section 8.8.1) and the same length. Under a weak
    validator the stream ends where it broke off.

    Resuming ends after 55 s without a byte or below 8 KiB/s, pauses and attempts included; or after 64 resumes, plus
    one for every 16 KiB received.

    Args:
        file: opened already.
        source: of the file.
        renew: gets a new source in place of a dead one.
        stats: counts the resumes.
    """

    __slots__ = (
        "_at",
        "_begin",
        "_deadline",
        "_end",
        "_failed_at",
        "_failures",
        "_file",
        "_patience_s",
        "_renew",
        "_resumes",
        "_skipped",
        "_source",
        "_stats",
        "byte_range",
        "info",
    )

    def __init__(self, file: OpenFile, source: Source, renew: Renew, stats: TransferStats) -> None:
        self.info, self.byte_range = info, byte_range = file.info, file.byte_range
        self._stats = stats
        self._source = source
        self._renew = renew
        self._file: OpenFile | None = file
        self._begin = self._at = self._failed_at = byte_range.first if byte_range else 0
        self._end = byte_range.last + 1 if byte_range else info.length
        self._failures = self._resumes = self._skipped = 0
        self._patience_s, self._deadline = LONGEST_SILENCE_S, 0.0

    @property
    def descriptor(self) -> int | None:
        """The descriptor of a local file, positioned at the range; else None."""
        return self._file.descriptor if self._file else None

    @property
    def at_end(self) -> bool:
        """Whether the end is reached, where it is known before reading."""
        return self._at == self._end

    def read(self, amount: int) -> bytes:
        """Read at most ``amount`` bytes, without waiting for all of them; empty at the end.

        Raises:
            GatewayError: the file broke off and cannot be resumed.
        """
        if self._patience_s <= 0:
            raise OriginTimeout("the origin is slower than 8 KiB/s")
        self._deadline = time.monotonic() + self._patience_s
        while True:
            try:
                file = self._file or self._resume()
                left = amount if self._end is None else self._end - self._at
                part = file.read(min(amount, left))
                if not part and left and self._end is not None:
                    raise OriginFailed("fewer bytes than its length")
            except _FileChanged:
                raise
            except GatewayError as failure:
                self.close()
                self._back_off(failure)
            else:
                self._at += len(part)
                # The time of this read is used up; the bytes add time at the minimum rate.
                left_s = self._deadline - time.monotonic() + len(part) / MIN_THROUGHPUT
                self._patience_s = min(LONGEST_SILENCE_S, left_s)
                return part

    def close(self) -> None:
        """Close the file at its origin."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _back_off(self, failure: GatewayError) -> None:
        """Pause before the next attempt, exponentially longer while no byte comes; raise ``failure`` at a limit."""
        received = self._at - self._failed_at
        if received:
            self._failures, self._failed_at = 0, self._at
        pause_s = self._pause_s(received)
        if isinstance(failure, RetryLater):
            pause_s = max(pause_s, failure.retry_after_s)
        self._failures += 1
        too_many = self._resumes >= MOST_RESUMES + (self._at - self._begin) // BYTES_PER_RESUME
        too_late = time.monotonic() + pause_s >= self._deadline
        is_final = self._failures >= MOST_FAILURES and not isinstance(failure, _TRANSIENT)
        if too_many or too_late or is_final or not _is_resumable(self.info):
            raise failure
        self._resumes += 1
        time.sleep(pause_s)

    def _pause_s(self, received: int) -> float:
        if received >= BYTES_PER_RESUME:
            return 0
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 3.0**self._failures)
        return pause_s * random.uniform(0.5, 1)  # noqa: S311 (jitter, not a secret)

    def _resume(self) -> OpenFile:
        """Open the rest of the file."""
        file = self._file = self._open_rest()
        if not _is_same_file(self.info, file.info):
            raise _FileChanged("the file changed during the transfer")
        if file.byte_range is None:
            self._skip(file)
        self._end = self._end if self._end is not None else file.info.length
        self._stats.resumes += 1
        return file

    def _open_rest(self) -> OpenFile:
        if time.time() >= self._source.expires_at:
            with suppress(GatewayError):  # our clock may be wrong: then the origin decides
                self._replace_source(OriginGone("expired"))
        try:
            return self._open_at_byte_reached()
        except DEAD as dead:
            self._replace_source(dead)
        return self._open_at_byte_reached()

    def _open_at_byte_reached(self) -> OpenFile:
        rest = ByteRange(self._at, _LAST if self._end is None else self._end - 1)
        try:
            return self._source.open(rest, self.info)
        except RangeNotSatisfiable as shorter:
            raise _FileChanged("the file became shorter during the transfer") from shorter

    def _replace_source(self, reason: GatewayError) -> None:
        self._source = self._renew(self._source, reason, self._deadline - time.monotonic())

    def _skip(self, file: OpenFile) -> None:
        """Read again what was sent already: this origin ignores ranges."""
        self._skipped += self._at
        if self._skipped > MOST_SKIPPED:
            raise _FileChanged("the origin ignores ranges, and too much would be read again")
        left = self._at
        while left:
            part = file.read(min(left, _SKIP))
            if not part or time.monotonic() > self._deadline:
                raise OriginFailed("fewer bytes than before, or too slow")
            left -= len(part)


def _is_resumable(info: FileInfo) -> bool:
    """Whether the validator proves that the rest belongs to the beginning; a decoded file has no such proof."""
    return is_strong(info.validator) and not info.encoding


def _is_same_file(known: FileInfo, found: FileInfo) -> bool:
    same_length = known.length in (None, found.length)
    return same_length and (known.validator, known.encoding) == (found.validator, found.encoding)
