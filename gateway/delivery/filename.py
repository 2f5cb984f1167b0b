"""The name of the saved file, and the header that carries it (RFC 6266, RFC 8187)."""

import re
import unicodedata
from functools import lru_cache
from urllib.parse import quote, unquote, urlsplit

from gateway.media import EXTENSIONS, Media

MOST_BYTES = 150
_UNWANTED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_FORBIDDEN = re.compile(r'[/\\:*?"<>|]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.IGNORECASE)
_UNQUOTABLE = re.compile(r"[^\x20-\x7e]|[%\"\\]")
# RFC 8187 section 3.2.1, attr-char
_ATTR_CHARS = "!#$&+-.^_`|~"


@lru_cache(maxsize=1024)
def file_name(signed: str | None, url: str, task_id: str, media: Media) -> str:
    """Choose a name: the signed one, else the last part of the URL's path, else one made of the task.

    Safe on every system: no path, no control or direction character, no reserved name, at most 150 bytes of UTF-8.
    Its extension is corrected when it contradicts the bytes.
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
    """The name in ASCII, for software from before RFC 6266; cleaned anew, as some signs turn into several others."""
    if name.isascii():
        return _UNQUOTABLE.sub("_", name)
    stem, dot, extension = name.rpartition(".")
    plain = _clean(_ascii(stem if dot else name))
    tail = _clean(_ascii(extension)) if dot else ""
    if not plain.strip("_ "):
        plain = "download"
    return _UNQUOTABLE.sub("_", _shorten(f"{plain}.{tail}" if tail else plain))


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _clean(name: str) -> str:
    name = unicodedata.normalize("NFC", name)
    name = "".join(char for char in name if unicodedata.category(char) not in _UNWANTED)
    name = _FORBIDDEN.sub("_", name).strip(". \u00a0\u3000")
    return _unreserved(name)


def _unreserved(name: str) -> str:
    return f"_{name}" if _RESERVED.fullmatch(name) else name


def _with_extension(name: str, media: Media) -> str:
    if not media.extensions:
        return name
    stem, dot, extension = name.rpartition(".")
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
