"""A page that asks again by itself: ever more rarely, and not for ever in a tab that was forgotten."""

import re
from dataclasses import dataclass

from flask import request

from gateway.errors import GatewayError, RetryLater

MOST_TRIES = 8
FIRST_WAIT_S = 10
LONGEST_WAIT_S = 300
_TRIES = re.compile(r"&tries=([0-9]{1,2})(?=&|$)")
_QUERY = re.compile(r"[\x21-\x7e]{1,8000}")


@dataclass(frozen=True, slots=True)
class Again:
    """When a page asks again, in seconds, and where: a URL relative to its own."""

    after_s: int
    url: str


def next_try(error: GatewayError) -> Again | None:
    """Say when the page of an error asks again; None when it does not, or did so often enough.

    How often it did is told in a parameter that the signature leaves out.
    """
    query = request.environ.get("QUERY_STRING", "")
    if not error.auto_refresh or request.method != "GET" or not _QUERY.fullmatch(query):
        return None
    tries = int(told[1]) if (told := _TRIES.search(query)) else 0
    if tries >= MOST_TRIES:
        return None
    first_s = error.retry_after_s if isinstance(error, RetryLater) else FIRST_WAIT_S
    after_s = max(first_s, min(LONGEST_WAIT_S, first_s * 2**tries))
    return Again(after_s, f"?{_TRIES.sub('', query)}&tries={tries + 1}")
