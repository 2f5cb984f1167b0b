"""What is expected of a file, by its link and by what its origin declared."""

from urllib.parse import urlsplit

from gateway.errors import OriginEmpty, OriginNotImage
from gateway.files.file_info import FileInfo
from gateway.files.media_types import IMAGE_EXTENSIONS, is_markup
from gateway.links.link import Link
from gateway.sources.base import Source


def image_is_expected(link: Link, info: FileInfo) -> bool:
    """Whether the file should be an image: by the name in the link, or by the type that its origin declared."""
    return info.declared_image or _extension(link) in IMAGE_EXTENSIONS


def refuse_missing_image(link: Link, source: Source, info: FileInfo, *, allow_markup: bool) -> None:
    """Refuse a file that is empty or markup where an image is expected; the origin is asked again the next time.

    SVG is markup and an image: it passes under its own name, and without a name where its type is declared.

    Raises:
        OriginEmpty: the file has no bytes.
        OriginNotImage: it is HTML or XML, and ``allow_markup`` is false.
    """
    if not info.length and not info.head and image_is_expected(link, info):
        source.forget(info)
        raise OriginEmpty("no bytes where an image is expected")
    if not allow_markup and is_markup(info.head) and _excludes_markup(link, info):
        source.forget(info)
        raise OriginNotImage("markup where an image is expected")


def _excludes_markup(link: Link, info: FileInfo) -> bool:
    extension = _extension(link)
    declares_other_image = info.declared_image and not info.declared_svg
    return extension in IMAGE_EXTENSIONS or (declares_other_image and extension not in {"svg", "svgz"})


def _extension(link: Link) -> str:
    name = link.filename or urlsplit(link.url).path
    return name.rpartition(".")[2].lower()
