"""The log as the gateway writes it."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any

from gateway.observability.logging_setup import configure_logging


@contextmanager
def real_logs() -> Iterator[io.StringIO]:
    """Log as the gateway does, into a text."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    with redirect_stderr(io.StringIO()) as written:
        configure_logging()
        try:
            yield written
        finally:
            root.handlers[:] = before
            root.setLevel(level)


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    """What was logged, one object for each line."""
    return [json.loads(line) for line in written.getvalue().splitlines()]
