"""Detection of preview bots: programs of chats and social networks that fetch a link to show a card for it."""

import re
from functools import lru_cache
from typing import Any

from crawleruseragents import CRAWLER_USER_AGENTS_DATA

LONGEST_AGENT = 512
_IN_APP_BROWSERS = {"MetaIAB Facebook"}  # people use these
_PATTERNS = re.compile(
    "|".join(
        agent["pattern"]
        for agent in CRAWLER_USER_AGENTS_DATA
        if "social-preview" in agent.get("tags", ()) and agent["pattern"] not in _IN_APP_BROWSERS
    )
)


def is_preview_bot(environ: dict[str, Any]) -> bool:
    """Whether a request comes from a preview bot, by its ``User-Agent``.

    A navigation (Fetch Metadata) never does: browsers inside chat apps also have the app's name in their agent.
    """
    if environ.get("HTTP_SEC_FETCH_MODE") == "navigate":
        return False
    return _is_listed(environ.get("HTTP_USER_AGENT", "")[:LONGEST_AGENT])


@lru_cache(maxsize=1024)
def _is_listed(agent: str) -> bool:
    return _PATTERNS.search(agent) is not None
