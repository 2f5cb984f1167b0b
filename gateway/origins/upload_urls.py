"""The URLs of images that were put in here and lie at no origin: ``gateway:<name>``."""

import re
from urllib.parse import quote

SCHEME = "gateway:"
_NAME = re.compile(r"(?!\.{1,2}$)[^\x00-\x1f\x7f-\x9f/\\\ud800-\udfff\ufffd]{1,255}")
_OWN_URL = re.compile(r"gateway:[A-Za-z0-9._~%-]{1,2000}")
MOST_NAME_BYTES = 255  # of UTF-8, as of the file name in a link
NAME_RULE = f"must be 1 to {MOST_NAME_BYTES} bytes of UTF-8, without slashes and control characters"


def own_url(name: str) -> str:
    """The URL under which links name an image of our own.

    Raises:
        ValueError: nothing may have this name; says the rule.
    """
    if not _NAME.fullmatch(name) or len(name.encode()) > MOST_NAME_BYTES:
        raise ValueError(NAME_RULE)
    return SCHEME + quote(name, safe="")


def is_own(url: str) -> bool:
    """Tell whether a URL is one of these. It is never fetched: the image is here or nowhere."""
    return bool(_OWN_URL.fullmatch(url))
