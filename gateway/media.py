"""What a file is, by its first bytes: a short list of types that no browser runs, and nothing else."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Media:
    """A content type we say, and the extensions that fit it: the first is the usual one; empty when any does."""

    content_type: str
    extensions: tuple[str, ...] = ()


UNKNOWN = Media("application/octet-stream")
PNG = Media("image/png", ("png", "apng"))
JPEG = Media("image/jpeg", ("jpg", "jpeg", "jpe", "jfif"))
GIF = Media("image/gif", ("gif",))
WEBP = Media("image/webp", ("webp",))
AVIF = Media("image/avif", ("avif", "avifs"))
MP4 = Media("video/mp4", ("mp4", "m4v"))
WEBM = Media("video/webm", ("webm", "mkv"))
MP3 = Media("audio/mpeg", ("mp3",))
ZIP = Media("application/zip")  # many formats are zips inside, so any extension fits

IMAGES = frozenset({PNG, JPEG, GIF, WEBP, AVIF})
EXTENSIONS = frozenset(e for media in (PNG, JPEG, GIF, WEBP, AVIF, MP4, WEBM, MP3) for e in media.extensions)

_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"\x1a\x45\xdf\xa3", WEBM),
    (b"ID3", MP3),
    (b"PK\x03\x04", ZIP),
)
_BRANDS = {b"avif": AVIF, b"avis": AVIF} | dict.fromkeys((b"isom", b"iso2", b"mp41", b"mp42", b"avc1", b"M4V "), MP4)


def media_of(head: bytes) -> Media:
    """Tell the type by the first bytes. What is declared is not asked: an origin may say anything.

    Args:
        head: at least the first 16 bytes, fewer when the file is shorter.
    """
    for beginning, media in _BEGINNINGS:
        if head.startswith(beginning):
            return media
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WEBP
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], UNKNOWN)
    return UNKNOWN
