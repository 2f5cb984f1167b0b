"""Strict parsing of a link's query string."""

import re
from urllib.parse import unquote_to_bytes

from gateway.links.damage import strip_html_ampersand
from gateway.links.link import FieldFault

LINK_PARAMETERS = frozenset({"url", "expires", "sig", "mode", "filename", "id"})
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def parse_query(query: bytes) -> dict[str, str]:
    """Parse the parameters of a link; others (``utm_source``, ``fbclid``, …) are ignored.

    The separator is ``&``, also as HTML's ``&amp;``; ``+`` is a space; text is UTF-8.

    Args:
        query: the raw query string, without the question mark.

    Raises:
        FieldFault: a parameter of a link is repeated, empty, or not UTF-8.
    """
    parsed: dict[str, str] = {}
    for pair in query.split(b"&"):
        raw_name, _, raw_value = pair.partition(b"=")
        name = strip_html_ampersand(unquote_to_bytes(raw_name).decode("utf-8", "replace"))
        if name not in LINK_PARAMETERS:
            continue
        if name in parsed:
            raise FieldFault(name, "must not be given twice")
        if not raw_value:
            raise FieldFault(name, "must not be empty")
        parsed[name] = _decode(name, raw_value)
    return parsed


def _decode(name: str, raw: bytes) -> str:
    if _BAD_ESCAPE.search(raw):
        raise FieldFault(name, "has a percent sign that begins no escape")
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise FieldFault(name, "is not UTF-8") from None
