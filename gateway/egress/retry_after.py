"""The Retry-After field of a response (RFC 9110 section 10.2.3)."""

import re

_FEW_DIGITS = re.compile(r"[0-9]{1,9}", re.ASCII)


def seconds_of(retry_after: str, *, default: int = 10, most: int = 600) -> int:
    """Read a Retry-After of delta seconds (RFC 9110 section 10.2.3); a date counts as the default."""
    return min(most, int(retry_after)) if _FEW_DIGITS.fullmatch(retry_after) else default
