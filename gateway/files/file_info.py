"""A file's metadata, as its origin states it."""

from dataclasses import dataclass

HEAD_BYTES = 64


@dataclass(frozen=True, slots=True)
class FileInfo:
    """What an origin said of a file, and the file's first bytes.

    Attributes:
        length: in bytes; None when unknown.
        head: the first bytes of the file, at most 64.
        validator: what tells one version of the file from another (``validator_of``); empty when there was nothing.
        ranges: whether parts of the file can be asked for, and nothing says that they may be of different files.
        attachment: whether a browser that is sent there downloads.
        encoding: the content codings that came although none was asked for, and are decoded on the way; empty for none.
        declared_image: whether the origin's Content-Type said that it is an image.
        declared_svg: whether it said that the image is SVG.
    """

    length: int | None
    head: bytes
    validator: str
    ranges: bool
    attachment: bool
    encoding: str = ""
    declared_image: bool = False
    declared_svg: bool = False
