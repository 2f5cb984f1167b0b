"""What is answered to a download: a table of link, request and file, with the plan for each."""

from dataclasses import replace

import pytest

from gateway.delivery.etag import SALT, EntityTags
from gateway.delivery.exchange import DownloadRequest
from gateway.delivery.plan import Head, Inspect, NotModified, Plan, Planner, Redirect, Stream
from gateway.errors import (
    FileTooLarge,
    GatewayError,
    LinkExpired,
    OriginEmpty,
    OriginNotImage,
    PreconditionFailed,
    RangeNotSatisfiable,
)
from gateway.files.byte_range import ByteRange
from gateway.files.file_info import FileInfo
from gateway.links.link import Link
from gateway.links.signer import KeyRing
from tests.support.factories import PNG, SECRET

TAGS = EntityTags(KeyRing.derive([SECRET], SALT))
PLANNER = Planner(TAGS, "auto", max_bytes=10_000)
LINK = Link("task12345", "https://cdn.example/cat.png")
STREAMED = replace(LINK, mode="stream")
REDIRECTED = replace(LINK, mode="redirect")
NAMED = replace(LINK, filename="cat.png")
EXPIRED = replace(LINK, resume_only=True)
FILE = FileInfo(length=8000, head=PNG[:64], validator='"v1"', ranges=True, attachment=False)
ATTACHMENT = replace(FILE, attachment=True)
TAG = TAGS.of(LINK, FILE)
GET, HEAD = DownloadRequest(), DownloadRequest("HEAD")
PART = DownloadRequest(range="bytes=0-99")
CORS = DownloadRequest(cors_origin="https://shop.example")

Case = tuple[Link, DownloadRequest, FileInfo | None, Plan | type[GatewayError]]
CASES: dict[str, Case] = {
    # what is not known yet
    "whole file": (LINK, GET, None, Inspect(by_opening=True)),
    "condition": (LINK, DownloadRequest(if_none_match=TAG), None, Inspect(by_opening=False)),
    "head of an unknown file": (LINK, HEAD, None, Inspect(by_opening=False)),
    "range of an unknown file": (STREAMED, PART, None, Inspect(by_opening=False)),
    # redirects
    "an attachment": (LINK, GET, ATTACHMENT, Redirect("attachment")),
    "mode redirect": (REDIRECTED, GET, None, Redirect("mode")),
    "mode redirect of a known file": (REDIRECTED, GET, FILE, Redirect("mode")),
    # streams
    "no attachment": (LINK, GET, FILE, Stream("no-attachment")),
    "mode stream": (STREAMED, GET, None, Stream("mode")),
    "mode stream of an attachment": (STREAMED, GET, ATTACHMENT, Stream("mode")),
    "unsigned": (replace(LINK, signed=False), GET, ATTACHMENT, Stream("unsigned")),
    "a script of another origin": (LINK, CORS, ATTACHMENT, Stream("cors")),
    "a file name that a redirect loses": (NAMED, GET, ATTACHMENT, Stream("filename")),
    "a range": (LINK, PART, ATTACHMENT, Stream("range", ByteRange(0, 99))),
    "a range in mode redirect": (REDIRECTED, PART, ATTACHMENT, Stream("range", ByteRange(0, 99))),
    "a range of a file without ranges": (LINK, PART, replace(FILE, ranges=False), Stream("range")),
    "a range of a file of unknown length": (LINK, PART, replace(FILE, length=None), Stream("range")),
    "a malformed range": (LINK, DownloadRequest(range="bytes=9-1"), FILE, Stream("range")),
    # conditions
    "If-Range that matches": (LINK, replace(PART, if_range=TAG), FILE, Stream("range", ByteRange(0, 99))),
    "If-Range of another file": (LINK, replace(PART, if_range='"other"'), FILE, Stream("range")),
    "If-None-Match that matches": (LINK, DownloadRequest(if_none_match=TAG), FILE, NotModified("no-attachment")),
    "If-None-Match of another file": (LINK, DownloadRequest(if_none_match='"x"'), FILE, Stream("no-attachment")),
    "If-Match that matches": (STREAMED, replace(PART, if_match=TAG), FILE, Stream("mode", ByteRange(0, 99))),
    "If-Match of another file": (STREAMED, replace(PART, if_match='"x"'), FILE, PreconditionFailed),
    "If-Match before If-None-Match": (
        STREAMED,
        DownloadRequest(if_match='"x"', if_none_match=TAG),
        FILE,
        PreconditionFailed,
    ),
    "If-None-Match before a bad range": (
        LINK,
        DownloadRequest(if_none_match=TAG, range="bytes=9000-"),
        FILE,
        NotModified("range"),
    ),
    "a range beyond the end": (LINK, DownloadRequest(range="bytes=8000-"), FILE, RangeNotSatisfiable),
    # HEAD
    "head": (LINK, HEAD, FILE, Head("head")),
    "head of an attachment": (LINK, HEAD, ATTACHMENT, Head("head")),
    "head of a large file": (LINK, HEAD, replace(FILE, length=10_001), FileTooLarge),
    # an expired link
    "a resume": (EXPIRED, replace(PART, if_range=TAG), FILE, Stream("range", ByteRange(0, 99))),
    "a resume of another file": (EXPIRED, replace(PART, if_range='"other"'), FILE, LinkExpired),
    # files that are no image
    "an empty image": (LINK, HEAD, replace(FILE, length=0, head=b""), OriginEmpty),
    "a page in place of an image": (LINK, PART, replace(FILE, head=b"<html>"), OriginNotImage),
    "a page as an attachment": (LINK, GET, replace(ATTACHMENT, head=b"<html>"), OriginNotImage),
}


@pytest.mark.parametrize(("link", "request_", "info", "expected"), CASES.values(), ids=CASES)
def test_the_plan_follows_from_link_request_and_file(
    link: Link, request_: DownloadRequest, info: FileInfo | None, expected: Plan | type[GatewayError]
) -> None:
    if isinstance(expected, type):
        with pytest.raises(expected):
            PLANNER.plan(link, request_, info, sets_filename=False)
    else:
        assert PLANNER.plan(link, request_, info, sets_filename=False) == expected


def test_a_source_that_cannot_be_redirected_to_is_streamed_with_its_reason() -> None:
    assert PLANNER.plan(REDIRECTED, GET, ATTACHMENT, redirect_blocker="insecure-target") == Stream("insecure-target")


def test_a_source_that_sets_the_file_name_is_redirected_to() -> None:
    assert PLANNER.plan(NAMED, GET, ATTACHMENT, sets_filename=True) == Redirect("attachment")


def test_a_range_can_be_ignored() -> None:
    assert PLANNER.plan(LINK, PART, FILE, ignore_range=True) == Stream("range")


@pytest.mark.parametrize(
    ("link", "info", "byte_range", "error"),
    [
        (LINK, replace(FILE, length=10_001), None, FileTooLarge),
        (LINK, replace(FILE, head=b"<html>"), None, OriginNotImage),
        (EXPIRED, FILE, None, LinkExpired),
    ],
)
def test_an_open_file_is_checked_before_it_is_sent(
    link: Link, info: FileInfo, byte_range: ByteRange | None, error: type[GatewayError]
) -> None:
    with pytest.raises(error):
        PLANNER.check_open_file(link, info, byte_range)
