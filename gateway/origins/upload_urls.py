"""The URLs of uploaded images, which have no origin: ``gateway:<name>``."""

import re
from urllib.parse import quote

SCHEME = "gateway:"
_NAME = re.compile(r"(?!\.{1,2}$)[^\x00-\x1f\x7f-\x9f/\\\ud800-\udfff\ufffd]{1,255}")
_UPLOAD_URL = re.compile(r"gateway:[A-Za-z0-9._~%-]{1,2000}")
MAX_NAME_BYTES = 255  # of UTF-8, as for the file name in a link
NAME_RULE = f"must be 1 to {MAX_NAME_BYTES} bytes of UTF-8, without slashes and control characters"


def upload_url(name: str) -> str:
    """The URL that links use for an uploaded image.

    Raises:
        ValueError: the name is not allowed; the message is the rule.
    """
    if not _NAME.fullmatch(name) or len(name.encode()) > MAX_NAME_BYTES:
        raise ValueError(NAME_RULE)
    return SCHEME + quote(name, safe="")


def is_upload_url(url: str) -> bool:
    """Whether a URL names an uploaded image. Such a URL is never fetched."""
    return bool(_UPLOAD_URL.fullmatch(url))
