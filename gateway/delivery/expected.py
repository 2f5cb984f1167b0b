"""What is expected of a file, by its link and by what its origin declared."""

from urllib.parse import urlsplit

from gateway.errors import OriginEmpty, OriginNotImage
from gateway.files.file_info import Facts
from gateway.files.media_types import IMAGE_EXTENSIONS, is_markup
from gateway.links.link import Link
from gateway.sources.base import Source


def image_is_expected(link: Link, facts: Facts) -> bool:
    """Whether the file should be an image: by the name in the link, or by the type that its origin declared."""
    return facts.declared_image or _extension(link) in IMAGE_EXTENSIONS


def refuse_missing_image(link: Link, source: Source, facts: Facts, *, allow_markup: bool) -> None:
    """Refuse a file that is empty or markup where an image is expected; the origin is asked again the next time.

    SVG is markup and an image: it passes under its own name, and without a name where its type is declared.

    Raises:
        OriginEmpty: the file has no bytes.
        OriginNotImage: it is HTML or XML, and ``allow_markup`` is false.
    """
    if not facts.length and not facts.head and image_is_expected(link, facts):
        source.forget(facts)
        raise OriginEmpty("no bytes where an image is expected")
    if not allow_markup and is_markup(facts.head) and _excludes_markup(link, facts):
        source.forget(facts)
        raise OriginNotImage("markup where an image is expected")


def _excludes_markup(link: Link, facts: Facts) -> bool:
    extension = _extension(link)
    declares_other_image = facts.declared_image and not facts.declared_svg
    return extension in IMAGE_EXTENSIONS or (declares_other_image and extension not in {"svg", "svgz"})


def _extension(link: Link) -> str:
    name = link.filename or urlsplit(link.url).path
    return name.rpartition(".")[2].lower()
