"""Logs: one JSON object a line on standard error, and nothing secret in any of them."""

import json
import logging
import logging.config
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_WORTH_A_LOOK = re.compile(r"(?i)[?%=:]|bearer|gw_")  # every one of the following needs one of these
# The shape of a secret: no blanks, 16 characters or more, with a digit or letters of both cases.
_SHAPE = r"(?=\S*[0-9]|\S*[a-z]\S*[A-Z]|\S*[A-Z]\S*[a-z])[A-Za-z0-9._~+/=-]{16,}"
_NAME = (
    r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2}))"  # what stands before it may be encoded
    r"(?i:(sig|signature|x-amz-signature|x-amz-credential|x-amz-security-token"
    r"|token|access_token|key|api_key|x-api-key|secret|password))"
)
_REDACTIONS: tuple[tuple[re.Pattern[str], str], ...] = (
    # By place: a query, encoded or not, to the end of its line. A question mark that ends a sentence begins none.
    (re.compile(r"(?i)(?:\?|%(?:25)*3f)(?=\S).*"), "?…"),
    # By place: the value of a parameter, whose equals sign may be encoded, once or often.
    (re.compile(_NAME + r"(?:=|%(?:25)*3[Dd])[^&\s\"']+"), r"\1=…"),
    # By place: a quoted member of an object, and the credentials of a header or of a URL.
    (re.compile(_NAME + r"[\"']\s*:\s*[\"'][^\s\"']+(?=[\"'])"), r"\1: …"),
    (re.compile(r"(?i)(authorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic))\s+[^\s\"',<]+"), r"\1 …"),
    (re.compile(r"//[^/\s:@]*:[^/\s@]+@"), "//…@"),
    # By shape: after a name or a scheme, and our own API keys anywhere.
    (re.compile(_NAME + r"\s*:\s*" + _SHAPE), r"\1: …"),
    (re.compile(r"\b((?i:bearer))\s+" + _SHAPE), r"\1 …"),
    (re.compile(r"gw_[A-Za-z0-9_-]{43}"), "gw_…"),
)
_encoded = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=repr).encode


def configure_logging() -> None:
    """Send our own lines and those of gunicorn and the libraries the same way. Safe to call again.

    Our own do not go through the library's logging, which would make a record of each and a line of that.
    """
    logging.config.dictConfig(LOGGING)
    structlog.configure(
        processors=[*_SHARED, *_ENDING],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_Lines,
        cache_logger_on_first_use=True,
    )


class _Lines:
    """Writes the lines of one of our loggers to whatever standard error is at the time."""

    def __init__(self, name: str) -> None:
        self.name = name

    def msg(self, line: str) -> None:
        """Write one line, at once and whole."""
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

    info = warning = error = exception = msg


def redact_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace query strings, signatures and keys in every text by an ellipsis; the rest of the text stays as it is."""
    for key, value in event.items():
        if isinstance(value, str) and _WORTH_A_LOOK.search(value):
            for pattern, replacement in _REDACTIONS:
                value = pattern.sub(replacement, value)  # noqa: PLW2901 (each works on what the last one left)
            event[key] = value
    return event


def as_json(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """Make the line."""
    return _encoded(event)


class GunicornFilter(logging.Filter):
    """What gunicorn says of broken requests quotes them, and what it says of a slow visitor is no error."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Cut the quotation off; drop the line about a visitor who was cut for not reading."""
        if isinstance(record.msg, str) and record.msg.startswith("Invalid request from"):
            record.msg, record.args = record.msg.partition(":")[0], ()
        timed_out = record.exc_info is not None and isinstance(record.exc_info[1], TimeoutError)
        return not (timed_out and record.msg == "Socket error processing request.")


_SHARED: list[Any] = [
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
_ENDING: list[Any] = [structlog.processors.format_exc_info, redact_secrets, as_json]
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": _SHARED,
            "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_ENDING],
        }
    },
    "filters": {"gunicorn": {"()": GunicornFilter}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["stderr"], "filters": ["gunicorn"], "propagate": False},
        "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
        # "Connection pool is full" is no fault here: a pool keeps some, and thousands may stream.
        "urllib3": {"level": "ERROR"},
        "alembic": {"level": "WARNING"},
    },
}
