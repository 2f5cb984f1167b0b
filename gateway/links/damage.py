"""Damage that mail programs and copying do to links: repaired where that is safe, else recognised."""

import re
import unicodedata
from urllib.parse import unquote_to_bytes

_SIGNATURE_LENGTH = 43
_MAX_PUNCTUATION = 8
_SIGNATURE = re.compile(r"[A-Za-z0-9_-]{43}")
_ASCII_PUNCTUATION = frozenset(".,;:!?'\"`*()[]{}<>")
_UNICODE_PUNCTUATION = frozenset({"Pe", "Pf", "Pi", "Po", "Ps"})  # brackets, quotation marks, stops and commas
_HTML_AMPERSANDS = re.compile(r"(?:amp;)+")
# Quoted-printable (RFC 2045 section 6.7) writes "=" as "=3D" and breaks lines with "=".
_QUOTED_PRINTABLE = re.compile(
    rb"(?:^|&)(?:amp;)*(?:(?:url|expires|mode|filename|id|sig)=3D|(?:expires|mode|id|sig)=[^&]*=)"
)
_BROKEN_LINE = re.compile(rb"[\x00-\x1f]")
_SPACELESS_VALUE = re.compile(rb"(?:^|&)(?:amp;)*(?:url|expires|mode|id|sig)=([^&]*)")
_WHITE_SPACE = re.compile(rb"[\x00-\x20]")
_ENCODED_TWICE = re.compile(rb"(?:^|&)(?:amp;)*url=https?%253A", re.IGNORECASE)


def strip_punctuation(signature: str) -> str:
    """Remove punctuation after a complete signature: a full stop, a bracket, a quotation mark.

    Any other text is returned unchanged.
    """
    whole, rest = signature[:_SIGNATURE_LENGTH], signature[_SIGNATURE_LENGTH:]
    if not rest or len(rest) > _MAX_PUNCTUATION or not _SIGNATURE.fullmatch(whole):
        return signature
    return whole if all(map(_is_punctuation, rest)) else signature


def _is_punctuation(char: str) -> bool:
    return char in _ASCII_PUNCTUATION or (not char.isascii() and unicodedata.category(char) in _UNICODE_PUNCTUATION)


def strip_html_ampersand(name: str) -> str:
    """Remove what is left of ``&amp;`` before a parameter name, where ``&`` was copied as HTML."""
    return _HTML_AMPERSANDS.sub("", name, count=1) if name.startswith("amp;") else name


def looks_damaged(path_segment: str, query: bytes) -> bool:
    """Whether a link that is not authentic shows signs of quoted-printable, a broken line, or double encoding."""
    return bool(
        _QUOTED_PRINTABLE.search(query)
        or _ENCODED_TWICE.search(query)
        or _WHITE_SPACE.search(path_segment.encode("utf-8", "replace"))
        or _BROKEN_LINE.search(unquote_to_bytes(query))
        or any(
            _WHITE_SPACE.search(unquote_to_bytes(value))
            for value in _SPACELESS_VALUE.findall(query.replace(b"+", b" "))
        )
    )
