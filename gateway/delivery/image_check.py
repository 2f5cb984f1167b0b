"""Check that a file can be the image that its link or its origin declares."""

from urllib.parse import urlsplit

from gateway.errors import OriginEmpty, OriginNotImage
from gateway.files.file_info import FileInfo
from gateway.files.media_types import IMAGE_EXTENSIONS, is_markup
from gateway.links.link import Link


def check_image(link: Link, info: FileInfo, *, allow_markup: bool) -> None:
    """Refuse a file that is empty or markup where an image is expected.

    An image is expected when the link's file name or the origin's Content-Type says so. SVG, which is also markup, is
    accepted under a file name with its extension, or when the origin declares its type.

    Raises:
        OriginEmpty: the file has no bytes.
        OriginNotImage: it is HTML or XML, and ``allow_markup`` is false.
    """
    is_expected = info.declared_image or _extension(link) in IMAGE_EXTENSIONS
    if is_expected and not info.length and not info.head:
        raise OriginEmpty("no bytes where an image is expected")
    if not allow_markup and is_markup(info.head) and _excludes_markup(link, info):
        raise OriginNotImage("markup where an image is expected")


def _excludes_markup(link: Link, info: FileInfo) -> bool:
    extension = _extension(link)
    declares_other_image = info.declared_image and not info.declared_svg
    return extension in IMAGE_EXTENSIONS or (declares_other_image and extension not in {"svg", "svgz"})


def _extension(link: Link) -> str:
    name = link.filename or urlsplit(link.url).path
    return name.rpartition(".")[2].lower()
