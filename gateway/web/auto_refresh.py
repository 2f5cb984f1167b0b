"""The ``Refresh`` header of error pages: reload with exponential backoff, a limited number of times."""

import re

from flask import request

from gateway.errors import GatewayError, RetryLater

MOST_TRIES = 8
FIRST_WAIT_S = 10
LONGEST_WAIT_S = 300
_TRIES = re.compile(r"&tries=([0-9]{1,2})(?=&|$)")
_QUERY = re.compile(r"[\x21-\x7e]{1,8000}")


def next_refresh(error: GatewayError) -> tuple[int, str] | None:
    """The delay in seconds and the relative URL of the next reload; None when the page must not reload.

    The URL counts the reloads in the query parameter ``tries``, which the signature does not cover.
    """
    query = request.environ.get("QUERY_STRING", "")
    if not error.auto_refresh or request.method != "GET" or not _QUERY.fullmatch(query):
        return None
    match = _TRIES.search(query)
    tries = int(match[1]) if match else 0
    if tries >= MOST_TRIES:
        return None
    first_s = error.retry_after_s if isinstance(error, RetryLater) else FIRST_WAIT_S
    delay_s = max(first_s, min(LONGEST_WAIT_S, first_s * 2**tries))
    return delay_s, f"?{_TRIES.sub('', query)}&tries={tries + 1}"
