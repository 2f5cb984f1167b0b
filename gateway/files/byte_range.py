"""A byte range of a file."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A byte range, first and last position inclusive (RFC 9110 section 14.1.2)."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __str__(self) -> str:
        return f"bytes={self.first}-{self.last}"
