"""The Retry-After field of a response (RFC 9110 section 10.2.3)."""

import re

_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)


def parse_retry_after(value: str, *, default: int = 10, maximum: int = 600) -> int:
    """Seconds of a Retry-After header (RFC 9110 section 10.2.3); the default for a date."""
    return min(maximum, int(value)) if _SECONDS.fullmatch(value) else default
