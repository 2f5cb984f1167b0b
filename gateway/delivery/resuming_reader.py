"""Streams that heal: what breaks off is opened again at the byte reached, and where need be by a new direct URL."""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from gateway.errors import (
    GatewayError,
    OriginFailed,
    OriginGone,
    OriginNotFound,
    OriginRefused,
    OriginTimeout,
    OriginUnreachable,
    RangeNotSatisfiable,
    RetryLater,
)
from gateway.files.byte_range import ByteRange
from gateway.files.file_info import FileInfo
from gateway.observability.transfer_stats import TransferStats
from gateway.sources.base import OpenFile, Source
from gateway.sources.throughput import LEAST_RATE, MinThroughputReader
from gateway.sources.validators import is_strong

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 8.0
LONGEST_SILENCE_S = 55.0  # routers of platforms hang up on a response that is silent for longer
MOST_RESUMES = 64  # of one stream, and one more for each so many bytes that came
BYTES_PER_RESUME = 16 * 1024
MOST_REFUSALS = 5  # in a row, of errors that a retry does not cure
MOST_SKIPPED = 256 * 2**20  # in one stream, at an origin that ignores ranges
FRESH_S = 10.0
FIRST_PAUSES_S = (0.1, 0.4)
LAST_OPENING_S = 16.0  # after the request, as an opening takes up to 12 and routers give up after 30
_SKIP = 64 * 1024
_LAST = 10**15  # beyond the end of any file: the origin sends what there is (RFC 9110 section 14.1.2)
_DEAD = (OriginRefused, OriginNotFound, OriginGone)
_PASSING = (OriginFailed, OriginTimeout, OriginUnreachable)
_PASSING_IN_MID_STREAM = (*_PASSING, RetryLater)

# From (task, URL), a dead source, what it died of, and how many seconds there are, to a new source; or raises why there
# is none.
RenewAny = Callable[[str, str, Source, GatewayError, float], Source]
Renew = Callable[[Source, GatewayError, float], Source]  # of one file
Result = TypeVar("Result")


class _FileChanged(OriginFailed):
    """What is there now does not go on from what was sent. Two files are never spliced."""


class ResumingReader:
    """An open file, or one span of it, that is opened again where it breaks off.

    That is safe only when the origin vouches that the rest belongs to what was sent: by the same strong validator (RFC
    9110 section 8.8.1) and the same length. Under a weak one the stream ends where it broke.

    It goes on as long as bytes come. It ends after 55 s without a byte, or at less than 8 KiB/s for as long, with
    every pause and attempt between; or more resumes than 64, and one for each 16 KiB that came.

    Args:
        opened: what was opened first.
        source: where it is.
        renew: makes a new source when this one is dead.
    """

    __slots__ = (
        "_at",
        "_begin",
        "_end",
        "_failed_at",
        "_failures",
        "_give_up_at",
        "_opened",
        "_paced",
        "_patience_s",
        "_renew",
        "_resumes",
        "_skipped",
        "_source",
        "byte_range",
        "info",
        "stats",
    )

    def __init__(self, opened: OpenFile, source: Source, renew: Renew) -> None:
        self.info, self.byte_range = info, byte_range = opened.info, opened.byte_range
        self.stats = TransferStats()
        self._source = source
        self._renew = renew
        self._opened: OpenFile | None = opened
        self._paced = MinThroughputReader(opened.read)
        self._begin = self._at = self._failed_at = byte_range.first if byte_range else 0
        self._end = byte_range.last + 1 if byte_range else info.length
        self._failures = self._resumes = self._skipped = 0
        self._patience_s, self._give_up_at = LONGEST_SILENCE_S, 0.0

    @property
    def descriptor(self) -> int | None:
        """The descriptor of a file of our own, from which the kernel can send by itself."""
        return self._opened.descriptor if self._opened else None

    @property
    def at_end(self) -> bool:
        """Whether nothing is left, as far as is known before reading."""
        return self._at == self._end

    def read(self, amount: int) -> bytes:
        """Read what is there, at most ``amount`` bytes; empty at the end.

        Raises:
            GatewayError: it broke off and does not go on: another file is there now, nothing vouches for the rest, or a
                limit is reached.
        """
        if self._patience_s <= 0:
            raise OriginTimeout("the origin is slower than 8 KiB/s")
        self._give_up_at = time.monotonic() + self._patience_s
        while True:
            try:
                if self._opened is None:
                    self._resume()
                left = amount if self._end is None else self._end - self._at
                part = self._paced.read(min(amount, left))
                if not part and left and self._end is not None:
                    raise OriginFailed("less than the length it promised")
            except _FileChanged:
                raise
            except GatewayError as failure:
                self.close()
                self._back_off(failure)
            else:
                self._at += len(part)
                # The time that this took is spent; each byte earns some back at the least rate.
                left_s = self._give_up_at - time.monotonic() + len(part) / LEAST_RATE
                self._patience_s = min(LONGEST_SILENCE_S, left_s)
                return part

    def close(self) -> None:
        """Let the origin go."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def _back_off(self, failure: GatewayError) -> None:
        """Pause before the next attempt, longer each time that no byte came; raise ``failure`` at a limit."""
        stats = self._at - self._failed_at
        if stats:
            self._failures, self._failed_at = 0, self._at
        pause_s = self._pause_s(stats)
        if isinstance(failure, RetryLater):
            pause_s = max(pause_s, failure.retry_after_s)
        self._failures += 1
        allowed = MOST_RESUMES + (self._at - self._begin) // BYTES_PER_RESUME
        too_often = self._resumes >= allowed
        too_late = time.monotonic() + pause_s >= self._give_up_at
        refused = self._failures >= MOST_REFUSALS and not isinstance(failure, _PASSING_IN_MID_STREAM)
        if too_often or too_late or refused or not _is_resumable(self.info):
            raise failure
        self._resumes += 1
        time.sleep(pause_s)

    def _pause_s(self, stats: int) -> float:
        if stats >= BYTES_PER_RESUME:
            return 0
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 3.0**self._failures)
        return pause_s * random.uniform(0.5, 1)  # noqa: S311 (jitter, not a secret)

    def _resume(self) -> None:
        """Open the rest."""
        opened = self._opened = self._open_rest()
        self._paced = MinThroughputReader(opened.read)
        if not _is_same_file(self.info, opened.info):
            raise _FileChanged("the file changed on the way")
        if opened.byte_range is None:
            self._skip()
        self._end = self._end if self._end is not None else opened.info.length
        self.stats.heals += 1

    def _open_rest(self) -> OpenFile:
        if time.time() >= self._source.expires_at:
            with suppress(GatewayError):  # then the origin has the last word: our clock may be wrong
                self._replace(OriginGone("expired"))
        try:
            return self._open_at_byte_reached()
        except _DEAD as dead:
            self._replace(dead)
        return self._open_at_byte_reached()

    def _open_at_byte_reached(self) -> OpenFile:
        rest = ByteRange(self._at, _LAST if self._end is None else self._end - 1)
        try:
            return self._source.open(rest, self.info)
        except RangeNotSatisfiable as shorter:
            raise _FileChanged("the file became shorter on the way") from shorter

    def _replace(self, reason: GatewayError) -> None:
        self._source = self._renew(self._source, reason, self._give_up_at - time.monotonic())

    def _skip(self) -> None:
        """Read what was sent already over again: this origin ignores ranges."""
        self._skipped += self._at
        if self._skipped > MOST_SKIPPED:
            raise _FileChanged("the origin cannot go on in the middle")
        left = self._at
        while left:
            part = self._paced.read(min(left, _SKIP))
            if not part or time.monotonic() > self._give_up_at:
                raise OriginFailed("less than it sent before, or too slowly")
            left -= len(part)


def open_with_retries(begin: Callable[[Source], Result], source: Source, renew: Renew, asked_at: float) -> Result:
    """Begin a delivery; again, at most twice, when the origin fails before the first byte, and once by a new source.

    Args:
        begin: opens a source.
        source: the first to try.
        renew: makes a new one in its place, when it is dead; not of one that never lived, which would be dead again.
        asked_at: when the visitor asked, in monotonic seconds; all this happens before a platform's router gives up.

    Raises:
        GatewayError: what ``begin`` raised last, or why there is no new source.
    """
    until = asked_at + LAST_OPENING_S
    pauses_s = iter(FIRST_PAUSES_S)
    renewed = False
    while True:
        try:
            return begin(source)
        except _DEAD as dead:
            never_lived = source.info is None and time.monotonic() - source.made_at < FRESH_S
            if renewed or never_lived:
                raise
            source, renewed = renew(source, dead, until - time.monotonic()), True
        except _PASSING:
            pause_s = next(pauses_s, None)
            if pause_s is None or time.monotonic() + pause_s > until:
                raise
            time.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311 (jitter, not a secret)


def _is_resumable(info: FileInfo) -> bool:
    """Whether anything vouches that the rest of the file belongs to its beginning; in a coded form nothing does."""
    return is_strong(info.validator) and not info.encoding


def _is_same_file(known: FileInfo, found: FileInfo) -> bool:
    same_length = known.length in (None, found.length)
    return same_length and (known.validator, known.encoding) == (found.validator, found.encoding)
