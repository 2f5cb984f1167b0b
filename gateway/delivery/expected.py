"""What is expected of a file before its bytes are known."""

from urllib.parse import urlsplit

from gateway.errors import OriginEmpty
from gateway.links.link import Link
from gateway.media import IMAGES
from gateway.resolving.source import Facts, Source

_IMAGE_EXTENSIONS = frozenset(extension for media in IMAGES for extension in media.extensions)


def image_is_expected(link: Link, facts: Facts) -> bool:
    """Whether the file should be an image: by the name in the link, or by the type that its origin declared."""
    name = link.filename or urlsplit(link.url).path
    return facts.declared_image or name.rpartition(".")[2].lower() in _IMAGE_EXTENSIONS


def refuse_missing_image(link: Link, source: Source, facts: Facts) -> None:
    """Refuse a file of no bytes where an image is expected; the origin is asked again the next time.

    Raises:
        OriginEmpty: there are none.
    """
    is_empty = not facts.length and not facts.head
    if is_empty and image_is_expected(link, facts):
        source.forget(facts)
        raise OriginEmpty("no bytes where an image is expected")
