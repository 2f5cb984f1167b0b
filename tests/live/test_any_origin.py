"""Whatever an origin says and a visitor asks: our headers alone, and the right bytes or a visible cut."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis.strategies import SearchStrategy, binary, builds, from_regex, integers, lists, one_of, sampled_from

from tests.conftest import CORPORA
from tests.support.faults.raw_server import ClientConnection, RawServer
from tests.support.faults.visitor import Seen, fetch
from tests.support.live_gateway import LiveGateway, live_gateway

pytestmark = pytest.mark.slow

ANSWERS_WITHIN_S = 15.0
MANY = settings(
    max_examples=60,
    deadline=None,
    derandomize=os.environ.get("GATEWAY_TEST_REQUIRE") == "all",
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

# --- what may come out: each status's headers, those it must have and those it may have

SERVERS_OWN = {"server", "date", "connection"}
OURS = {
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
    "x-content-type-options": "nosniff",
}
PRIVATE = OURS | {"cache-control": "private, no-store"}
HARMLESS = PRIVATE | {
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}
ERROR = OURS | {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "content-type": "text/plain; charset=utf-8",
}
TOLD = {"x-request-id", "x-gateway-delivery"}
FILE = {"content-disposition", "content-type", *TOLD}
ALLOWED: dict[int, tuple[Mapping[str, str], set[str], set[str]]] = {
    200: (HARMLESS, FILE, {"content-length", "transfer-encoding", "accept-ranges", "etag"}),
    206: (HARMLESS, FILE | {"content-length", "content-range", "accept-ranges"}, {"etag"}),
    302: (PRIVATE, {"location", "content-type", "content-length", *TOLD}, set()),
    304: (PRIVATE, {"etag", *TOLD}, set()),
    416: (ERROR, {"content-length", "content-range", "x-request-id"}, set()),
}
AN_ERROR = (ERROR, {"content-length", "x-request-id"}, {"retry-after"})
CONTENT_RANGE = re.compile(r"^bytes (\d+)-(\d+)/(\d+)$")


def has_our_headers_alone(seen: Seen) -> bool:
    headers = {name: value for name, value in seen.headers if name not in SERVERS_OWN}
    fixed, needed, possible = ALLOWED.get(seen.status, AN_ERROR)
    wrong = {name for name, value in fixed.items() if headers.get(name) != value}
    return not wrong and fixed.keys() | needed <= headers.keys() <= fixed.keys() | needed | possible


# --- what origins say

MARK = b"leak"  # whatever is the origin's own, so that it would be seen on the other side
HOP_BY_HOP = ["Connection", "Keep-Alive", "Proxy-Authenticate", "TE", "Trailer", "Upgrade"]
UNWANTED = [
    "Set-Cookie",
    "Location",
    "Refresh",
    "X-Accel-Redirect",
    "X-Request-Id",
    "Content-Disposition",
    "Link",
]
RANGES = ["bytes=0-", "bytes=-1", "bytes=0-0", "bytes=5-2", "bytes=0-1,3-4", "bytes=--1", "items=0-1", "bytes=99999-"]


def of_corpus(name: str, *keys: str) -> list[str]:
    """Names out of a shared corpus, where that is."""
    path = CORPORA / f"{name}.json"
    if not path.is_file():
        return []
    corpus = json.loads(path.read_text(encoding="utf-8"))
    return [entry if isinstance(entry, str) else entry["range"] for key in keys for entry in corpus[key]]


def named(name: str, value: bytes) -> bytes:
    return name.encode("latin-1") + b": " + MARK + value + b"\r\n"


CORPUS_NAMES = of_corpus("proxy_headers", "hop_by_hop_never_forwarded", "response_must_not_reach_browser")
NAMES = one_of(
    sampled_from(HOP_BY_HOP + UNWANTED + [name.split(" ")[0].replace("*", "leak") for name in CORPUS_NAMES]).filter(
        lambda name: name not in {"Transfer-Encoding", "Location"}  # those steer, and are said below
    ),
    from_regex(r"leak[A-Za-z0-9!#$%&'*+.^_`|~-]{0,30}", fullmatch=True),
)
VALUES = binary(max_size=60).map(lambda value: value.replace(b"\r", b"\t").replace(b"\n", b"\t"))
ABOUT_RESUMING = sampled_from(
    [b"", b'ETag: "leak"\r\n', b'ETag: W/"leak"\r\n', b"Last-Modified: leak\r\n", b"Accept-Ranges: bytes\r\n"]
)
# A control character in a value is malformed (RFC 9110 section 5.5), so that the response fails as a whole.
FIELD_VALUES = VALUES.map(lambda value: bytes(byte for byte in value if byte == 9 or (byte >= 32 and byte != 127)))
HEADERS: SearchStrategy[bytes] = lists(one_of(ABOUT_RESUMING, builds(named, NAMES, FIELD_VALUES)), max_size=12).map(
    b"".join
)
STEERING = sampled_from(
    [
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Content-Length: 7\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length : 7\r\n",
        b"content-length: 7, 7\r\n",
        b"Content-Range: bytes 0-6/7\r\n",
        b"Content-Range: bytes 1-6/999999999999999999999\r\n",
        b"Content-Encoding: gzip\r\n",
        b"Content-Encoding: leak\r\n",
        b"Content-Disposition: attachment; filename=leak\r\n",
        b"Location: /leak\r\n",
        b"Accept-Ranges: bytes\r\n",
        b"Retry-After: 7\r\n",
        b"Retry-After: leak\r\n",
        b"Connection: close, leak\r\n",
        b"leak: folded\r\n\t leak\r\n leak\r\n",
        b" leak\r\n",
        b"leak without a colon\r\n",
        b": leak\r\n",
        b"leak: a\rContent-Length: 3\r\n",
        b"leak: a\nSet-Cookie: leak\r\n",
        b"\r\n",
    ]
)
WILD_HEADERS: SearchStrategy[bytes] = lists(
    one_of(STEERING, builds(named, NAMES, VALUES), binary(max_size=40).map(lambda raw: MARK + raw + b"\r\n")),
    max_size=10,
).map(b"".join)
STATUSES = [
    b"200",
    b"200",
    b"200",
    b"206",
    b"204",
    b"304",
    b"302",
    b"416",
    b"403",
    b"429",
    b"500",
    b"999",
    b"103",
    b"101",
]


@dataclass(frozen=True)
class Framing:
    """How a body is said: headers, how it is wrapped, and whether all of it comes or only a half."""

    headers: bytes
    wrapped: bytes = b"%b"
    complete: bool = True

    @property
    def outcomes(self) -> set[str]:
        """What a visitor may see of it; a transfer that is cut may as well be mended."""
        return {"whole"} if self.complete else {"cut", "whole"}

    def say(self, body: bytes) -> bytes:
        """The end of the headers, and the body."""
        comes = body if self.complete else body[: (len(body) + 1) // 2]
        told = self.headers.replace(b"LENGTH", str(len(body)).encode()) + b"\r\n"
        sizes = {b"SIZE": f"{len(body):x}", b"HALF": f"{len(comes):x}"}
        wrapped = self.wrapped
        for name, size in sizes.items():
            wrapped = wrapped.replace(name, size.encode())
        return told + wrapped.replace(b"%b", comes)


FRAMINGS = [
    Framing(b"Content-Length: LENGTH\r\n"),
    Framing(b"Transfer-Encoding: chunked\r\n", b"SIZE\r\n%b\r\n0\r\n\r\n"),
    Framing(b"Transfer-Encoding: chunked\r\n", b"SIZE;leak=1\r\n%b\r\n0\r\nleak: leak\r\n\r\n"),
    Framing(b"Connection: close\r\n"),
    Framing(b"Content-Length: LENGTH\r\n", complete=False),
    Framing(b"Transfer-Encoding: chunked\r\n", b"SIZE\r\n%b", complete=False),
    Framing(b"Transfer-Encoding: chunked\r\n", b"HALF\r\n%b\r\n", complete=False),
    Framing(b"Transfer-Encoding: chunked\r\n", b"HALF\r\n%b\r\nzz\r\n", complete=False),
]
BODIES = binary(min_size=1, max_size=300).map(lambda some: some * 11)


# --- what visitors ask

TEXTS = from_regex(r"[\x20-\x7e]{0,70}", fullmatch=True)
ASKED: SearchStrategy[dict[str, str]] = builds(
    lambda **headers: {name.replace("_", "-"): value for name, value in headers.items() if value},
    Range=one_of(
        sampled_from(["", *RANGES, *of_corpus("ranges", "cases")]),
        builds("bytes={}-{}".format, integers(0, 4000), integers(0, 4000)),
        TEXTS,
    ),
    If_Range=one_of(sampled_from(["", '"leak"', 'W/"leak"', "Sat, 01 Jan 2000 00:00:00 GMT"]), TEXTS),
    If_None_Match=one_of(sampled_from(["", "*", '"leak", W/"x"']), TEXTS),
).map(
    lambda headers: {name: value.strip() for name, value in headers.items() if value.isascii() and value.isprintable()}
)


class Origin(RawServer):
    """Says at each path what was put there."""

    def __init__(self) -> None:
        super().__init__(lambda line: self._said.get(line.path, _nothing)(line))
        self._said: dict[str, Say] = {}
        self._numbers = count()

    def put(self, say: "Say") -> str:
        """Have ``say`` answer at a URL of its own."""
        path = f"/{next(self._numbers)}.bin"
        self._said[path] = say
        return self.url(path)


@dataclass(frozen=True)
class Say:
    """An answer; a range is answered as it should be when the origin has ``ranges``."""

    status: bytes
    headers: bytes
    framing: Framing
    body: bytes
    ranges: bool = False

    def __call__(self, line: ClientConnection) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", line.headers.get("range", ""))
        if not (self.ranges and asked):
            line.say(self.spoken(self.status, self.body))
        elif int(asked[1]) >= len(self.body):
            line.say(b"HTTP/1.1 416 X\r\nContent-Range: bytes */%d\r\n\r\n" % len(self.body))
        else:
            first, last = int(asked[1]), min(int(asked[2]), len(self.body) - 1)
            told = b"Content-Range: bytes %d-%d/%d\r\n" % (first, last, len(self.body))
            line.say(self.spoken(b"206", self.body[first : last + 1], told))

    def spoken(self, status: bytes, body: bytes, told: bytes = b"") -> bytes:
        """All its bytes."""
        return b"HTTP/1.1 " + status + b" leak\r\n" + told + self.headers + self.framing.say(body)


def _nothing(line: ClientConnection) -> None:
    line.say(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture(scope="module")
def any_origin() -> Iterator[Origin]:
    with Origin() as origin:
        yield origin


@pytest.fixture(scope="module")
def gateway(any_origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    with live_gateway(tmp_path_factory.mktemp("gateway"), any_origin.address) as gateway:
        yield gateway


# --- the promise


@MANY
@given(
    say=builds(Say, sampled_from([b"200"]), HEADERS, sampled_from(FRAMINGS), BODIES, sampled_from([False, True])),
    asked=ASKED,
)
@example(
    say=Say(b"200", b'ETag: "leak"\r\nAccept-Ranges: bytes\r\n', FRAMINGS[0], bytes(range(250)) * 4),
    asked={"Range": "bytes=10-19"},
)
@example(
    say=Say(b"200", b'ETag: "1"\r\n', FRAMINGS[0], bytes(range(250)) * 4, ranges=True), asked={"Range": "bytes=10-19"}
)
def test_a_file_comes_whole_or_in_part_or_is_visibly_cut_under_our_headers_alone(
    gateway: LiveGateway, any_origin: Origin, say: Say, asked: dict[str, str]
) -> None:
    seen = fetch(gateway.port, gateway.path(any_origin.put(say)), asked)

    assert has_our_headers_alone(seen), seen
    assert MARK.decode() not in str(seen.headers).lower()
    assert seen.took_s < ANSWERS_WITHIN_S
    if seen.status == 206:
        first, last, length = map(int, CONTENT_RANGE.findall(dict(seen.headers)["content-range"])[0])
        assert length == len(say.body)
        assert seen.outcome(say.body[first : last + 1]) in say.framing.outcomes
        assert is_what_was_asked(asked["Range"], first, last, length)
    elif seen.status == 200:
        assert seen.outcome(say.body) in say.framing.outcomes
    else:
        assert seen.status in ({304, 416} if say.framing.complete else {304, 416, 502})


@MANY
@given(
    say=builds(Say, sampled_from(STATUSES), WILD_HEADERS, sampled_from(FRAMINGS), BODIES, sampled_from([False, True])),
    asked=ASKED,
)
def test_no_answer_however_wild_brings_more_than_our_headers_or_other_bytes_than_were_said(
    gateway: LiveGateway, any_origin: Origin, say: Say, asked: dict[str, str]
) -> None:
    url = any_origin.put(say)

    seen = fetch(gateway.port, gateway.path(url), asked)

    headers = dict(seen.headers)
    assert has_our_headers_alone(seen), seen
    assert headers.get("location", url) == url
    assert MARK.decode() not in str(seen.headers).lower()
    assert seen.took_s < ANSWERS_WITHIN_S
    if seen.status in {200, 206}:
        assert any(seen.body in said for said in (say.body, say.spoken(say.status, say.body)))


def is_what_was_asked(value: str, first: int, last: int, length: int) -> bool:
    """Tell whether a part is the one that a Range means (RFC 9110 section 14.1.2)."""
    begin, _, end = value.partition("=")[2].strip().partition("-")
    if not begin:
        return (first, last) == (max(0, length - int(end)), length - 1)
    return (first, last) == (int(begin), min(int(end or length), length - 1))
