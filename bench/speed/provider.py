"""A provider that takes its time, and notes every call."""

import json
import time
from pathlib import Path

from tests.support.faults.provider import envelope
from tests.support.faults.raw_server import ClientConnection

ANSWERS_AFTER_S = 0.2
_PRESIGNED = (
    "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=key%2F20260101%2Fauto%2Fs3%2Faws4_request"
    "&X-Amz-Date={now}&X-Amz-Expires=1200&X-Amz-SignedHeaders=host&X-Amz-Signature=" + "5" * 64
)


def serve(calls: Path, line: ClientConnection) -> None:
    """Presign the URL that was asked for."""
    with calls.open("a", encoding="ascii") as noted:
        noted.write("called\n")
    time.sleep(ANSWERS_AFTER_S)
    query = _PRESIGNED.format(now=time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
    line.say(envelope(200, str(json.loads(line.body)["url"]) + query))


def count(calls: Path) -> int:
    """How often it was called."""
    return len(calls.read_text(encoding="ascii").splitlines()) if calls.exists() else 0
