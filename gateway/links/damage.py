"""What mail programs and copying do to links: what is undone, and what is recognised."""

import re
import unicodedata
from urllib.parse import unquote_to_bytes

_LENGTH = 43
_MOST_PUNCTUATION = 8
_SIGNATURE = re.compile(r"[A-Za-z0-9_-]{43}")
_ASCII_PUNCTUATION = frozenset(".,;:!?'\"`*()[]{}<>")
_UNICODE_PUNCTUATION = frozenset({"Pe", "Pf", "Pi", "Po", "Ps"})  # brackets, quotation marks, stops and commas
_HTML_AMPERSANDS = re.compile(r"(?:amp;)+")
# Of a parameter in quoted-printable (RFC 2045 section 6.7), "=" became "=3D", or lines were broken by "=".
_QUOTED_PRINTABLE = re.compile(
    rb"(?:^|&)(?:amp;)*(?:(?:url|expires|mode|filename|id|sig)=3D|(?:expires|mode|id|sig)=[^&]*=)"
)
_BROKEN_LINE = re.compile(rb"[\x00-\x1f]")
_WITHOUT_SPACE = re.compile(rb"(?:^|&)(?:amp;)*(?:url|expires|mode|id|sig)=([^&]*)")  # a file name may well hold one
_WHITE_SPACE = re.compile(rb"[\x00-\x20]")
_ENCODED_TWICE = re.compile(rb"(?:^|&)(?:amp;)*url=https?%253A", re.IGNORECASE)


def without_punctuation(signature: str) -> str:
    """Drop punctuation that follows the whole of a signature: a sentence's full stop, a bracket, a quotation mark.

    Any other text is returned as it is, so that nothing that was signed can differ from what is verified.
    """
    whole, rest = signature[:_LENGTH], signature[_LENGTH:]
    if not rest or len(rest) > _MOST_PUNCTUATION or not _SIGNATURE.fullmatch(whole):
        return signature
    return whole if all(map(_is_punctuation, rest)) else signature


def _is_punctuation(char: str) -> bool:
    return char in _ASCII_PUNCTUATION or (not char.isascii() and unicodedata.category(char) in _UNICODE_PUNCTUATION)


def without_html_ampersand(name: str) -> str:
    """Read a parameter's name where ``&`` was copied as HTML's ``&amp;``, once or several times."""
    return _HTML_AMPERSANDS.sub("", name, count=1) if name.startswith("amp;") else name


def looks_damaged(path_segment: str, query: bytes) -> bool:
    """Tell whether a link that is not authentic shows signs of quoted-printable, a broken line, or double encoding."""
    return bool(
        _QUOTED_PRINTABLE.search(query)
        or _ENCODED_TWICE.search(query)
        or _WHITE_SPACE.search(path_segment.encode("utf-8", "replace"))
        or _BROKEN_LINE.search(unquote_to_bytes(query))
        or any(
            _WHITE_SPACE.search(unquote_to_bytes(value)) for value in _WITHOUT_SPACE.findall(query.replace(b"+", b" "))
        )
    )
