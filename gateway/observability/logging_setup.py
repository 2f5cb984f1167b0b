"""Logging as JSON lines on standard error, with secrets redacted."""

import json
import logging
import logging.config
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_MAY_BE_SECRET = re.compile(r"(?i)[?%=:]|bearer|gw_")  # a quick check: each redaction needs one of these
# Looks like a secret: 16 characters or more without spaces, with a digit or letters of both cases.
_OPAQUE = r"(?=\S*[0-9]|\S*[a-z]\S*[A-Z]|\S*[A-Z]\S*[a-z])[A-Za-z0-9._~+/=-]{16,}"
_FIELD_NAME = (
    r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2}))"  # the character before it may be percent-encoded
    r"(?i:(sig|signature|x-amz-signature|x-amz-credential|x-amz-security-token"
    r"|token|access_token|key|api_key|x-api-key|secret|password))"
)
_REDACTIONS: tuple[tuple[re.Pattern[str], str], ...] = (
    # By position: a query string, encoded or not, to the end of the line; not a question mark that ends a sentence.
    (re.compile(r"(?i)(?:\?|%(?:25)*3f)(?=\S).*"), "?…"),
    # By position: the value of a parameter, whose equals sign may be encoded repeatedly.
    (re.compile(_FIELD_NAME + r"(?:=|%(?:25)*3[Dd])[^&\s\"']+"), r"\1=…"),
    # By position: a member of a JSON object, and the credentials in a header or a URL.
    (re.compile(_FIELD_NAME + r"[\"']\s*:\s*[\"'][^\s\"']+(?=[\"'])"), r"\1: …"),
    (re.compile(r"(?i)(authorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic))\s+[^\s\"',<]+"), r"\1 …"),
    (re.compile(r"//[^/\s:@]*:[^/\s@]+@"), "//…@"),
    # By form: after a name or a scheme; and the gateway's API keys anywhere.
    (re.compile(_FIELD_NAME + r"\s*:\s*" + _OPAQUE), r"\1: …"),
    (re.compile(r"\b((?i:bearer))\s+" + _OPAQUE), r"\1 …"),
    (re.compile(r"gw_[A-Za-z0-9_-]{43}"), "gw_…"),
)
_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=repr).encode


def configure_logging() -> None:
    """Configure the logs of the gateway, gunicorn and libraries alike. Can be called repeatedly.

    The gateway's own lines bypass :mod:`logging`, which saves a record per line.
    """
    logging.config.dictConfig(LOGGING)
    structlog.configure(
        processors=[*_SHARED, *_RENDERING],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_StderrLogger,
        cache_logger_on_first_use=True,
    )


class _StderrLogger:
    """Writes lines to the current standard error."""

    def __init__(self, name: str) -> None:
        self.name = name

    def msg(self, line: str) -> None:
        """Write one line and flush it."""
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

    info = warning = error = exception = msg


def redact_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace query strings, signatures and keys in every text value by an ellipsis."""
    for key, value in event.items():
        if isinstance(value, str) and _MAY_BE_SECRET.search(value):
            for pattern, replacement in _REDACTIONS:
                value = pattern.sub(replacement, value)  # noqa: PLW2901 (redactions are applied in turn)
            event[key] = value
    return event


def render_json(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """Serialise the event."""
    return _encode(event)


class GunicornFilter(logging.Filter):
    """Shortens gunicorn's messages that quote requests, and drops those about slow clients."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Remove the quoted request; drop the error of a client that timed out."""
        if isinstance(record.msg, str) and record.msg.startswith("Invalid request from"):
            record.msg, record.args = record.msg.partition(":")[0], ()
        timed_out = record.exc_info is not None and isinstance(record.exc_info[1], TimeoutError)
        return not (timed_out and record.msg == "Socket error processing request.")


_SHARED: list[Any] = [
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
_RENDERING: list[Any] = [structlog.processors.format_exc_info, redact_secrets, render_json]
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": _SHARED,
            "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_RENDERING],
        }
    },
    "filters": {"gunicorn": {"()": GunicornFilter}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["stderr"], "filters": ["gunicorn"], "propagate": False},
        "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
        # "Connection pool is full" is expected: the pool keeps a few of many connections.
        "urllib3": {"level": "ERROR"},
        "alembic": {"level": "WARNING"},
    },
}
