"""Parse the ``Range`` header (RFC 9110 section 14)."""

import re

from gateway.errors import RangeNotSatisfiable
from gateway.files.byte_range import ByteRange

_ONE_RANGE = re.compile(r"bytes=[ \t]*(\d{0,20})-(\d{0,20})[ \t]*", re.ASCII | re.IGNORECASE)
MAX_LENGTH = 64


def parse_range(value: str, length: int) -> ByteRange | None:
    """Parse a ``Range`` header for a file of ``length`` bytes.

    Returns:
        The range to send with 206; None to send the whole file with 200: for a malformed value, another unit, several
        ranges and an empty file. A server may ignore any Range (section 14.2).

    Raises:
        RangeNotSatisfiable: the range begins after the end.
    """
    match = _ONE_RANGE.fullmatch(value) if 0 < len(value) <= MAX_LENGTH and length else None
    if not match or match[1] == match[2] == "":
        return None
    if match[1] == "":
        return _last(int(match[2]), length)
    first, last = int(match[1]), int(match[2]) if match[2] else length - 1
    if match[2] and last < first:
        return None
    if first >= length:
        raise RangeNotSatisfiable(length)
    return ByteRange(first, min(last, length - 1))


def _last(count: int, length: int) -> ByteRange:
    if count == 0:
        raise RangeNotSatisfiable(length)
    return ByteRange(max(0, length - count), length - 1)
