"""The name of the saved file, and the header that carries it (RFC 6266, RFC 8187)."""

import re
import unicodedata
from functools import lru_cache
from urllib.parse import quote, unquote, urlsplit

from anyascii import anyascii

from gateway.files.media_types import EXTENSIONS, IMAGE_EXTENSIONS, ZIP, Media

MOST_BYTES = 255  # of a file name on Linux; Windows and macOS accept 255 characters
_UNWANTED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"  # ZWNJ and ZWJ, which Persian and emoji are written with
# Fillers, the blank Braille pattern and other characters without a glyph.
_INVISIBLE = {*"\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0", *_JOINERS, *map(chr, range(0xFE00, 0xFE10))}
_EDGES = ". \u00a0\u3000" + _JOINERS
_FORBIDDEN = re.compile(r'[/\\:*?"<>|]|^~')
_DOTFILE = re.compile(r"\.[^.]+")
# Windows ignores spaces after the stem.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)\s*(?:\..*)?", re.IGNORECASE)
_UNQUOTABLE = re.compile(r"[^\x20-\x7e]|[%\"\\]")
# RFC 8187 section 3.2.1, attr-char
_ATTR_CHARS = "!#$&+-.^_`|~"


@lru_cache(maxsize=1024)
def file_name(signed: str | None, url: str, task_id: str, media: Media) -> str:
    """Choose a name: the signed one, else the last segment of the URL's path, else one made from the task id.

    It is safe on every system: no path, no control or direction character, no reserved name, at most 255 bytes of
    UTF-8. A name without visible characters beside its extension is replaced by the task's. The extension is corrected
    when the bytes contradict it.
    """
    name = _clean(signed or unquote(urlsplit(url).path.rpartition("/")[2], errors="replace"))
    if not name:
        name = _clean(f"download-{task_id[:8]}")
    return _unreserved(_shorten(_with_extension(name, media)))


@lru_cache(maxsize=1024)
def content_disposition(name: str) -> str:
    """The header's value: ``attachment`` with the name in both forms."""
    return f"attachment; filename=\"{_plain(name)}\"; filename*=UTF-8''{quote(name, safe=_ATTR_CHARS)}"


def _plain(name: str) -> str:
    """Transliterate the name to ASCII, for clients that do not read ``filename*``."""
    if name.isascii():
        return _UNQUOTABLE.sub("_", name)
    stem, dot, extension = name.rpartition(".")
    plain = _clean(_ascii(stem if dot else name))  # cleaned again, as one character may become several
    tail = _clean(_ascii(extension)) if dot else ""
    if not plain.strip("_ "):
        plain = "download"
    return _UNQUOTABLE.sub("_", _unreserved(_shorten(f"{plain}.{tail}" if tail else plain)))


def _ascii(text: str) -> str:
    return anyascii(text).replace(":", "")  # it writes an emoji as :name:


def _clean(name: str) -> str:
    name = unicodedata.normalize("NFC", name)
    name = "".join(char for char in name if char in _JOINERS or unicodedata.category(char) not in _UNWANTED)
    if not _has_visible_stem(name):
        return ""
    return _unreserved(_FORBIDDEN.sub("_", name).strip(_EDGES))


def _has_visible_stem(name: str) -> bool:
    """Whether a name has visible characters beside an extension; ``.htaccess`` is a name, not an extension."""
    stem, dot, extension = name.rpartition(".")
    is_dotfile = bool(_DOTFILE.fullmatch(name)) and extension.lower() not in EXTENSIONS
    if not dot or not extension.isalnum() or is_dotfile:
        stem = name
    return any(char not in _INVISIBLE for char in stem.strip(_EDGES))


def _unreserved(name: str) -> str:
    return f"_{name}" if _RESERVED.fullmatch(name) else name


def _with_extension(name: str, media: Media) -> str:
    stem, dot, extension = name.rpartition(".")
    if media == ZIP and dot and extension.lower() in IMAGE_EXTENSIONS:
        return f"{stem}.zip"
    if not media.extensions:
        return name
    if dot and extension.lower() in media.extensions:
        return name
    keep = stem if dot and extension.lower() in EXTENSIONS else name
    return f"{keep}.{media.extensions[0]}"


def _shorten(name: str) -> str:
    if len(name.encode()) <= MOST_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    tail = dot + extension if dot and len(extension.encode()) <= 16 else ""
    body = (stem if tail else name).encode()[: MOST_BYTES - len(tail.encode())]
    return body.decode("utf-8", "ignore").rstrip(". ") + tail
