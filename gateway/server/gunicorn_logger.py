"""gunicorn's logger without its log of accesses."""

from gunicorn.glogging import Logger


class QuietLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's logger without access lines, which ``gateway.web.request_logging`` writes."""

    access_log_enabled = False
