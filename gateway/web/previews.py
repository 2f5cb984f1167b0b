"""Link previewers: programs of chats and social networks that fetch a link to show a card for it."""

import re
from functools import lru_cache
from typing import Any

from crawleruseragents import CRAWLER_USER_AGENTS_DATA

LONGEST_AGENT = 512
_APPS_OF_PEOPLE = {"MetaIAB Facebook"}  # the browser inside an app, where people click
_PATTERNS = re.compile(
    "|".join(
        agent["pattern"]
        for agent in CRAWLER_USER_AGENTS_DATA
        if "social-preview" in agent.get("tags", ()) and agent["pattern"] not in _APPS_OF_PEOPLE
    )
)


def is_previewer(environ: dict[str, Any]) -> bool:
    """Tell whether a request comes from a link previewer, by its ``User-Agent``.

    A navigation (Fetch Metadata) is a person's, whatever the agent: browsers inside chat apps bear the app's name too.
    """
    if environ.get("HTTP_SEC_FETCH_MODE") == "navigate":
        return False
    return _is_listed(environ.get("HTTP_USER_AGENT", "")[:LONGEST_AGENT])


@lru_cache(maxsize=1024)
def _is_listed(agent: str) -> bool:
    return _PATTERNS.search(agent) is not None
