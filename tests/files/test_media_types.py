"""The media type of a file is detected from its first bytes only."""

import gzip
import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image, features

from gateway.files.file_info import HEAD_BYTES
from gateway.files.media_types import detect_media_type
from tests.support.factories import Gateway, make_settings
from tests.support.servers import ScriptedServer

OCTETS = "application/octet-stream"


def image(kind: str, **options: Any) -> bytes:
    """A real image of two pixels."""
    file = io.BytesIO()
    Image.new("RGB", (2, 1), "red").save(file, kind, **options)
    return file.getvalue()


def archive(*names: str) -> bytes:
    """A real zip of empty files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name in names:
            made.writestr(name, "")
    return file.getvalue()


def film(brand: bytes) -> bytes:
    """The beginning of an ISO media file."""
    return b"\x00\x00\x00\x18ftyp" + brand + b"\x00\x00\x02\x00" + brand + b"mp41" + b"\x00\x00\x00\x08free"


FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "png": ("image/png", lambda: image("png")),
    "jpeg": ("image/jpeg", lambda: image("jpeg")),
    "progressive-jpeg": ("image/jpeg", lambda: image("jpeg", progressive=True)),
    "gif": ("image/gif", lambda: image("gif")),
    "gif87a": ("image/gif", lambda: b"GIF87a" + bytes(20)),
    "webp": ("image/webp", lambda: image("webp")),
    "lossless-webp": ("image/webp", lambda: image("webp", lossless=True)),
    "avif": ("image/avif", lambda: image("avif")),
    "avif-sequence": ("image/avif", lambda: film(b"avis")),
    "mp4": ("video/mp4", lambda: film(b"isom")),
    "mp4-of-a-camera": ("video/mp4", lambda: film(b"avc1")),
    "m4v": ("video/mp4", lambda: film(b"M4V ")),
    "webm": ("video/webm", lambda: b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\x82\x84webm"),
    "mp3": ("audio/mpeg", lambda: b"ID3\x04\x00\x00\x00\x00\x00#TSSE" + bytes(40)),
    "zip": ("application/zip", lambda: archive("a.png")),
    "mp4-iso5": ("video/mp4", lambda: film(b"iso5")),
    "mp4-dash": ("video/mp4", lambda: film(b"dash")),
    "quicktime": ("video/quicktime", lambda: film(b"qt  ")),
    "heic": ("image/heic", lambda: film(b"heic")),
    "heif": ("image/heif", lambda: film(b"mif1")),
    "jxl": ("image/jxl", lambda: b"\xff\x0a\xfa\x7f\x01" + bytes(20)),
    "jxl-container": ("image/jxl", lambda: b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl "),
    "bmp": ("image/bmp", lambda: image("bmp")),
    "tiff": ("image/tiff", lambda: image("tiff")),
    "tiff-big-endian": ("image/tiff", lambda: b"MM\0*" + bytes(20)),
    "pdf": ("application/pdf", lambda: image("pdf")),
    "mp3-without-id3": ("audio/mpeg", lambda: b"\xff\xfb\x90\x64" + bytes(40)),
    "docx": ("application/zip", lambda: archive("[Content_Types].xml", "word/document.xml")),
}
# What this Pillow cannot write.
UNSUPPORTED = {name for name in ("webp", "avif", "lossless-webp") if not features.check(name.removeprefix("lossless-"))}
OTHERS = {
    "html": b"<!doctype html><script>alert(1)</script>",
    "html-after-blanks": b" \r\n\t<html><body onload=alert(1)>",
    "html-comment": b"<!-- --><html>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "svg-with-declaration": b'<?xml version="1.0"?><svg/>',
    "script": b"alert(document.domain)",
    "flash": b"CWS\x0a" + bytes(20),
    "postscript": b"%!PS-Adobe-3.0",
    "windows-program": b"MZ\x90\x00" + bytes(60),
    "linux-program": b"\x7fELF\x02\x01\x01" + bytes(60),
    "shell-script": b"#!/bin/sh\nrm -rf ~\n",
    "json": b'{"code":200}',
    "text": b"GIF is how this text begins",
    "png-but-one-byte": b"\x89PNG\r\n\x1a\r" + bytes(40),
    "png-cut-short": b"\x89PNG",
    "png-behind-a-byte": b"\n\x89PNG\r\n\x1a\n",
    "html-that-mentions-png": b"<html>\x89PNG\r\n\x1a\n",
    "riff-but-no-image": b"RIFF\x24\x00\x00\x00WAVEfmt ",
    "iso-media-of-another-brand": film(b"crx "),
    "letters-that-begin-like-a-bitmap": b"BMW and other cars",
    "utf-16": b"\xff\xfea\0b\0",
    "no-mp3-frame": b"\xff\xfb\xf0\x64" + bytes(20),
    "iso-media-cut-short": b"\x00\x00\x00\x18ftyp",
    "zip-of-nothing": b"PK\x05\x06" + bytes(18),
    "one-byte": b"\xff",
    "nothing": b"",
}


@pytest.mark.parametrize("size", [HEAD_BYTES, 16])
def test_a_file_of_the_safe_list_is_recognised_by_its_first_bytes(size: int) -> None:
    for name, (content_type, make) in FILES.items():
        if name not in UNSUPPORTED:
            assert detect_media_type(make()[:size]).content_type == content_type, name


def test_any_other_type_is_an_octet_stream() -> None:
    heads = OTHERS | {kind: image(kind)[:HEAD_BYTES] for kind in ("ico", "eps", "tga")}

    assert {name for name, head in heads.items() if detect_media_type(head).content_type != OCTETS} == set()


def test_a_general_major_brand_is_refined_by_the_compatible_brands() -> None:
    for compatible, content_type in {
        b"mif1avif": "image/avif",
        b"mif1heic": "image/heic",
        b"mif1miaf": "image/heif",
    }.items():
        head = (16 + len(compatible)).to_bytes(4, "big") + b"ftypmif1\0\0\0\0" + compatible + b"\0\0\0\x08avif"
        assert detect_media_type(head).content_type == content_type


DECLARED = ["image/png", "text/html; charset=utf-8", "image/svg+xml", "application/pdf", "text/javascript", ""]


def test_the_type_that_the_origin_declares_is_not_used(origin: ScriptedServer) -> None:
    gateway = Gateway(make_settings(origin.address, allow_markup_as_image="true"))
    for number, declared in enumerate(DECLARED):
        for name, head in OTHERS.items():
            if not head and declared.startswith("image/"):
                continue  # an empty image is not delivered at all
            response = gateway.get(origin.serve(f"/{number}/{name}", head, Content_Type=declared))

            assert response.headers.getlist("Content-Type") == [OCTETS], (declared, name)


def test_no_trick_in_a_declared_type_reaches_the_visitor(origin: ScriptedServer, corpora: dict[str, Any]) -> None:
    gateway = Gateway(make_settings(origin.address, allow_markup_as_image="true"))
    tricks = corpora["proxy_headers"]["content_type_tricks_go_camo"]
    for number, trick in enumerate(trick for trick in tricks if "\0" not in trick):
        image_types, page_types = (
            gateway.get(origin.serve(f"/{number}/{name}", body, Content_Type=trick)).headers.getlist("Content-Type")
            for name, body in (("image", image("png")), ("page", OTHERS["html"]))
        )

        assert (image_types, page_types) == (["image/png"], [OCTETS])


def test_the_type_of_a_coded_file_is_detected_from_its_decoded_bytes(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/cat.png", gzip.compress(image("png")), Content_Encoding="gzip", Content_Type="text/html")

    response = gateway.get(url)

    assert response.headers["Content-Type"] == "image/png"
