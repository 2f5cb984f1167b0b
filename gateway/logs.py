"""Logs: one JSON object a line on standard error, and nothing secret in any of them."""

import logging
import logging.config
import re
from collections.abc import MutableMapping
from typing import Any

import structlog

_QUERY = re.compile(r"(?i)(?:\?|%(?:25)*3f).*")
# The name may be encoded, once or often, and so may what stands around it.
_SECRET = re.compile(
    r"(?i)(?:(?<![a-z0-9])|(?<=%[0-9a-f]{2}))(sig|signature|x-amz-signature|x-amz-credential|token|access_token|key|api_key)"
    r"(=|%(?:25)*3d|[\"']?\s*:\s*[\"']?)[^&\s\"']+"
)
_BEARER = re.compile(r"(?i)\bbearer\s+\S+")


def set_up_logs() -> None:
    """Send our own lines and those of gunicorn and the libraries the same way. Safe to call again."""
    logging.config.dictConfig(LOGGING)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def without_queries(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Cut query strings and signatures out of every text: from a question mark to the end of its line."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _BEARER.sub("Bearer …", _SECRET.sub(r"\1=…", _QUERY.sub("?…", value)))
    return event


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
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": _SHARED,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                without_queries,
                structlog.processors.JSONRenderer(sort_keys=True, ensure_ascii=False),
            ],
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
