"""A file's metadata, as its origin states it."""

from dataclasses import dataclass

HEAD_BYTES = 64


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file's metadata from the origin's response headers, and its first bytes.

    Attributes:
        length: in bytes; None when unknown.
        head: the first bytes of the file, at most 64.
        validator: identifies the version of the file (``gateway.sources.validators``); empty when the origin sent none.
        ranges: whether range requests work, and nothing indicates that their responses may be of different files.
        attachment: whether the origin sends ``Content-Disposition: attachment``, so that a browser downloads the file.
        encoding: content codings that the origin applied unasked, and the gateway removes; empty for none.
        declared_image: whether the origin's Content-Type is an image type.
        declared_svg: whether it is SVG.
    """

    length: int | None
    head: bytes
    validator: str
    ranges: bool
    attachment: bool
    encoding: str = ""
    declared_image: bool = False
    declared_svg: bool = False
