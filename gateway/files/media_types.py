"""Media types by a file's first bytes: a short list of types that no browser executes."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Media:
    """A media type and its file extensions, the usual one first; empty when any extension fits."""

    content_type: str
    extensions: tuple[str, ...] = ()


UNKNOWN = Media("application/octet-stream")
PNG = Media("image/png", ("png", "apng"))
JPEG = Media("image/jpeg", ("jpg", "jpeg", "jpe", "jfif"))
GIF = Media("image/gif", ("gif",))
WEBP = Media("image/webp", ("webp",))
AVIF = Media("image/avif", ("avif", "avifs"))
HEIC = Media("image/heic", ("heic", "heif", "hif"))
HEIF = Media("image/heif", ("heif", "heic", "hif"))
JXL = Media("image/jxl", ("jxl",))
BMP = Media("image/bmp", ("bmp", "dib"))
TIFF = Media("image/tiff", ("tiff", "tif", "dng", "nef", "cr2", "arw"))  # raw formats of cameras are TIFF files
MP4 = Media("video/mp4", ("mp4", "m4v", "m4a", "m4b", "f4v", "3gp", "3g2"))
QUICKTIME = Media("video/quicktime", ("mov", "qt"))
WEBM = Media("video/webm", ("webm", "mkv"))
MP3 = Media("audio/mpeg", ("mp3",))
PDF = Media("application/pdf", ("pdf", "ai"))
ZIP = Media("application/zip")  # many formats are zip files, so any extension fits except an image's

IMAGES = frozenset({PNG, JPEG, GIF, WEBP, AVIF})  # accepted by the store
_ALL_IMAGES = IMAGES | {HEIC, HEIF, JXL, BMP, TIFF}
IMAGE_EXTENSIONS = frozenset(e for media in _ALL_IMAGES for e in media.extensions)
EXTENSIONS = IMAGE_EXTENSIONS | {e for media in (MP4, QUICKTIME, WEBM, MP3, PDF) for e in media.extensions}

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"\x1a\x45\xdf\xa3", WEBM),
    (b"ID3", MP3),
    (b"PK\x03\x04", ZIP),
    (b"%PDF-", PDF),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"\xff\x0a", JXL),
    (b"\0\0\0\x0cJXL \r\n\x87\n", JXL),
)
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_HEIF_BRANDS = frozenset({b"mif1", b"mif2", b"msf1"})
_MP4_BRANDS = frozenset(
    {b"isom", b"mp41", b"mp42", b"mp71", b"avc1", b"dash", b"msdh", b"cmfc", b"M4V ", b"M4A ", b"f4v "}
    | {b"iso%d" % number for number in range(2, 10)}
)
_MARKUP = re.compile(rb"\s*<[A-Za-z!?/]")
_BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_BITMAP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})  # sizes of the header after the first 14 bytes


def detect_media_type(head: bytes) -> Media:
    """Detect the media type from the first bytes; the declared Content-Type is not trusted.

    Args:
        head: the first 16 bytes or more, or the whole file; 64 bytes include the usual compatible brands.
    """
    for signature, media in _SIGNATURES:
        if head.startswith(signature):
            return media
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WEBP
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    if head.startswith(b"BM") and int.from_bytes(head[14:16], "little") in _BITMAP_HEADERS:
        return BMP
    return MP3 if _is_mp3_frame(head[:4]) else UNKNOWN


def is_markup(head: bytes) -> bool:
    """Whether a file is HTML or XML, including SVG: white space, then a tag, a comment or a declaration.

    A byte order mark may come first (WHATWG MIME Sniffing, section 7.1).
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            head = head[len(mark) :].decode(encoding, "replace").encode()
    return _MARKUP.match(head) is not None


def _iso_media(head: bytes) -> Media:
    """The type by the brands of an ISO base media file (ISO/IEC 14496-12 section 4.3)."""
    major = head[8:12]
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {major} | {head[at : at + 4] for at in range(16, end, 4)}
    if major == b"qt  ":
        return QUICKTIME
    if major in _MP4_BRANDS:
        return MP4
    if major in _AVIF_BRANDS | _HEIC_BRANDS | _HEIF_BRANDS:
        return AVIF if brands & _AVIF_BRANDS else HEIC if brands & _HEIC_BRANDS else HEIF
    return UNKNOWN


def _is_mp3_frame(header: bytes) -> bool:
    """Whether this is the header of an MPEG audio frame of layer III (ISO/IEC 11172-3 section 2.4.1.3)."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2 or header[1] & 0x18 == 0x08:
        return False
    bitrate, frequency, emphasis = header[2] >> 4, header[2] >> 2 & 3, header[3] & 3
    return 0 < bitrate < 15 and frequency != 3 and emphasis != 2
