"""The head of a response: the status line and the headers, read strictly (RFC 9112 sections 4 and 5)."""

import re
from http.client import HTTPException, RemoteDisconnected
from typing import NamedTuple

from gateway.egress.incoming import Incoming

MOST_INTERIM_RESPONSES = 8
MOST_FIELDS = 100
_SWITCHING_PROTOCOLS = 101
# A line of the head may end in LF alone (RFC 9112 section 2.2); CR and NUL inside a value are malformed (RFC 9110 5.5).
_STATUS_LINE = re.compile(rb"HTTP/1\.([0-9])[ \t]+([1-9][0-9]{2})(?:[ \t]([^\r\n\0]*))?\r?\n")
_FIELD = re.compile(r"([!-9;-~]+):([^\r\n\0]*(?:\r?\n[ \t][^\r\n\0]*)*)\r?\n")  # in each step one way only to go on
_TRAILER_FIELD = re.compile(rb"[!-9;-~]+:[^\r\n\0]*\r\n")


class Head(NamedTuple):
    """What precedes a body.

    Attributes:
        minor: of the version, HTTP/1.``minor``.
        status: 200 to 999, or 101.
        reason: the phrase, perhaps empty.
        fields: the headers by their names in lower case; a repeated one as a list (RFC 9110 section 5.2).
    """

    minor: int
    status: int
    reason: str
    fields: dict[str, str]


def read_head(incoming: Incoming) -> Head:
    """Read the head of the final response; at most eight interim ones before it (RFC 9110 section 15.2) are skipped.

    Raises:
        RemoteDisconnected: the connection was closed before anything came.
        HTTPException: this is no head, is cut, or is out of proportion.
        OSError: the connection broke, or the deadline passed.
    """
    for _ in range(MOST_INTERIM_RESPONSES + 1):
        minor, status, reason = _status_line(incoming)
        fields = _fields(incoming.block().decode("latin-1"))
        if status >= 200 or status == _SWITCHING_PROTOCOLS:
            return Head(minor, status, reason, fields)
    raise HTTPException("too many interim responses")


def is_field_line(line: bytes) -> bool:
    """Whether a line of a trailer section is a field line with its CRLF (RFC 9112 sections 5 and 7.1.2)."""
    return _TRAILER_FIELD.fullmatch(line) is not None


def _status_line(incoming: Incoming) -> tuple[int, int, str]:
    try:
        line = incoming.line()
    except HTTPException:
        if incoming.received:
            raise
        raise RemoteDisconnected("closed without a word") from None
    if not (match := _STATUS_LINE.fullmatch(line)):
        raise HTTPException("no status line")
    return int(match[1]), int(match[2]), (match[3] or b"").decode("latin-1")


def _fields(block: str) -> dict[str, str]:
    """Read headers; one that is none is refused, as what frames the body may be hidden behind it."""
    fields: dict[str, str] = {}
    at = count = 0
    while match := _FIELD.match(block, at):
        at, count = match.end(), count + 1
        if count > MOST_FIELDS:
            raise HTTPException("too many headers")
        name, value = match[1].lower(), match[2].strip(" \t")
        if "\n" in value:  # folded, which is as good as a space (RFC 9112 section 5.2)
            value = " ".join(line.strip(" \t\r") for line in value.split("\n")).strip(" ")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    if block[at:] not in {"\r\n", "\n"}:
        raise HTTPException("a line among the headers that is none")
    return fields
