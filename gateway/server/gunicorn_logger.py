"""gunicorn's logger without its log of accesses."""

from gunicorn.glogging import Logger


class QuietLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """It writes no line for a request, as ours is written by ``gateway.web.hooks``, and gathers nothing for one."""

    access_log_enabled = False
