"""The strict reading of a link's query string."""

import re
from urllib.parse import unquote_to_bytes

from gateway.links.damage import without_html_ampersand
from gateway.links.link import FieldFault

NAMED = frozenset({"url", "expires", "sig", "mode", "filename", "id"})
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def parse_query(query: bytes) -> dict[str, str]:
    """Read the parameters that a link may have; others (``utm_source``, ``fbclid``, …) are ignored.

    ``&`` alone separates, also as HTML's ``&amp;``; ``+`` is a space, escapes and text are UTF-8.

    Args:
        query: the query string's bytes as they came, without the question mark.

    Raises:
        FieldFault: a named parameter came twice, is empty, or is not UTF-8.
    """
    found: dict[str, str] = {}
    for pair in query.split(b"&"):
        raw_name, _, raw_value = pair.partition(b"=")
        name = without_html_ampersand(unquote_to_bytes(raw_name).decode("utf-8", "replace"))
        if name not in NAMED:
            continue
        if name in found:
            raise FieldFault(name, "must not be given twice")
        if not raw_value:
            raise FieldFault(name, "must not be empty")
        found[name] = _decode(name, raw_value)
    return found


def _decode(name: str, raw: bytes) -> str:
    if _BAD_ESCAPE.search(raw):
        raise FieldFault(name, "has a percent sign that begins no escape")
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise FieldFault(name, "is not UTF-8") from None
