"""What an origin says of a file, what of it is believed, and what is made of answers that contradict themselves."""

import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import ip_network

import pytest

from gateway.egress.client import Client
from gateway.egress.dns_lookup import Lookup
from gateway.egress.guard import Guard
from gateway.egress.retry_after import seconds_of
from gateway.errors import (
    OriginBusy,
    OriginError,
    OriginFailed,
    OriginGone,
    OriginNotFound,
    OriginRefused,
    OriginUnreachable,
    OriginUnsafe,
    RangeNotSatisfiable,
)
from gateway.files.byte_range import ByteRange
from gateway.files.file_info import HEAD_BYTES
from gateway.origins.allowlist import HostPattern
from gateway.sources.base import OpenFile
from gateway.sources.remote import RemoteSource
from tests.support.factories import PNG
from tests.support.live_gateway import free_port
from tests.support.servers import Request, ScriptedServer, answer, file_answer

PATH = "/v/cat.png"
FILE = bytes(range(256)) * 4


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture(scope="module")
def client(server: ScriptedServer) -> Client:
    guard = Guard([HostPattern.parse(server.address)], [ip_network("127.0.0.0/8")], allow_http=True)
    return Client(guard, Lookup())


@pytest.fixture
def origin(server: ScriptedServer) -> ScriptedServer:
    """Who holds the file, and has not been asked yet."""
    server.seen.clear()
    return server


@pytest.fixture
def source(client: Client, origin: ScriptedServer) -> RemoteSource:
    return RemoteSource(client, origin.url(PATH), 0, sendable=True)


def everything(opened: OpenFile) -> bytes:
    read = b""
    try:
        while part := opened.read(100):
            read += part
    finally:
        opened.close()
    return read


def only(status: int, **headers: str) -> Callable[[Request], bytes]:
    """An answer with these headers and, where they do not say otherwise, the length of its body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _request: answer(status, FILE if status == 200 else b"<html>no</html>", named)


def part(content_range: str, body: bytes, **headers: str) -> Callable[[Request], bytes]:
    """A 206 to every range."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def route(request: Request) -> bytes:
        if "range" not in request.headers:
            return answer(200, FILE)
        return answer(206, body, {"Content-Range": content_range, **named} if content_range else named)

    return route


def ranges_asked(origin: ScriptedServer) -> list[str]:
    return [request.headers.get("range", "") for request in origin.seen]


# --- facts


def test_a_look_asks_for_the_first_bytes_and_remembers(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.serve(PATH, PNG, ETag='"v1"', Content_Type="image/png")

    info = source.probe()

    assert source.probe() is info
    assert ranges_asked(origin) == ["bytes=0-63"]
    assert info.length == len(PNG)
    assert info.head == PNG[:HEAD_BYTES]
    assert info.validator == '"v1"'
    assert info.ranges
    assert not info.attachment
    assert info.encoding == ""


def test_opening_the_whole_file_tells_the_same_facts(
    source: RemoteSource, origin: ScriptedServer, client: Client
) -> None:
    origin.serve(PATH, PNG, ETag='"v1"')
    other = RemoteSource(client, origin.url(PATH), 0, sendable=True)

    opened = source.open()

    assert everything(opened) == PNG
    assert opened.byte_range is None
    assert opened.info == source.info == other.probe()


def test_an_origin_without_ranges_is_asked_once_too(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.serve(PATH, PNG, ranges=False, ETag='"v1"')

    info = [source.probe(), source.probe(), source.probe()]

    assert len(origin.seen) == 1
    assert not info[0].ranges
    assert (info[0].length, info[0].head) == (len(PNG), PNG[:HEAD_BYTES])


@pytest.mark.parametrize("size", [0, 1, 10, 63, 64, 65, 1000])
@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no-ranges"])
def test_a_file_of_any_size_is_looked_at_and_read(
    source: RemoteSource, origin: ScriptedServer, size: int, *, ranges: bool
) -> None:
    origin.serve(PATH, FILE[:size], ranges=ranges)

    info = source.probe()

    assert (info.length, info.head) == (size, FILE[:size][:HEAD_BYTES])
    assert everything(source.open()) == FILE[:size]


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({"ETag": '"v1"'}, '"v1"'),
        ({"ETag": 'W/"v1"'}, 'W/"v1"'),
        ({"ETag": '""'}, '""'),
        ({"ETag": '"v1"', "Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}, '"v1"'),
        ({"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}, "Wed, 21 Oct 2015 07:28:00 GMT"),
        ({"ETag": "v1", "Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}, "Wed, 21 Oct 2015 07:28:00 GMT"),
        ({"ETag": "v1"}, ""),
        ({"ETag": '"v 1"'}, ""),
        ({"ETag": '"v"1"'}, ""),
        ({"ETag": 'w/"v1"'}, ""),
        ({"ETag": '"a", "b"'}, ""),
        ({"ETag": '"\xff"'}, ""),
        ({"ETag": f'"{"x" * 10_000}"'}, ""),
        ({}, ""),
    ],
)
def test_the_validator_is_a_proper_one_or_none(
    source: RemoteSource, origin: ScriptedServer, headers: dict[str, str], validator: str
) -> None:
    origin.route(PATH, lambda request: file_answer(request, FILE, headers))

    assert source.probe().validator == validator
    assert everything(source.open()) == FILE


RAW_NAMES = (  # "Å" and "…" hold the bytes 0x85 and 0xA6, "à" 0xA0: line break and blanks to text of Latin-1
    ("кот.png", "utf-8"),
    ("Åà….png", "utf-8"),
    ("猫😀.png", "utf-8"),
    ("été à Åse.png", "latin-1"),
    ("\x85\xa0.png", "latin-1"),
    ("кот.png", "cp1251"),
)


@pytest.mark.parametrize(
    ("disposition", "attachment"),
    [
        ("attachment", True),
        ("attachment; filename=cat.png", True),
        ('ATTACHMENT ; filename="cat.png"', True),
        ("attachment;filename*=UTF-8''cat.png", True),
        *((f'attachment; filename="{name}"'.encode(charset).decode("latin-1"), True) for name, charset in RAW_NAMES),
        ("", False),
        ("inline", False),
        ('inline; filename="attachment"', False),
        ("attachments", False),
        ("attachment filename=cat.png", False),
        ("form-data; attachment", False),
    ],
)
def test_only_a_clear_attachment_is_one(
    source: RemoteSource, origin: ScriptedServer, disposition: str, *, attachment: bool
) -> None:
    origin.serve(PATH, FILE, Content_Disposition=disposition)

    assert source.probe().attachment is attachment


@pytest.mark.parametrize(
    ("accept_ranges", "ranges"), [("bytes", True), ("Bytes", True), ("none", False), ("", False), ("pages", False)]
)
def test_an_origin_says_whether_it_has_ranges(
    source: RemoteSource, origin: ScriptedServer, accept_ranges: str, *, ranges: bool
) -> None:
    origin.serve(PATH, FILE, ranges=False, Accept_Ranges=accept_ranges)

    assert source.probe().ranges is ranges


def test_ranges_are_learned_from_a_part_and_not_forgotten(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.route(PATH, part(f"bytes 0-63/{len(FILE)}", FILE[:64]))

    looked = source.probe()
    opened = source.open()

    assert looked.ranges
    assert everything(opened) == FILE
    assert opened.info.ranges


def test_a_coded_file_is_read_decoded_and_takes_ranges_and_the_length_away(
    source: RemoteSource, origin: ScriptedServer
) -> None:
    origin.serve(PATH, gzip.compress(FILE), Content_Encoding="gzip", ETag='"v1"')

    info = source.probe()

    assert (info.encoding, info.ranges, info.length) == ("gzip", False, None)
    assert info.head == FILE[:HEAD_BYTES]
    assert ranges_asked(origin) == [f"bytes=0-{HEAD_BYTES - 1}", ""]
    assert everything(source.open()) == FILE


@pytest.mark.parametrize("coding", ["identity", "aws-chunked", "UTF-8", "none", "*", "chunked"])
def test_what_is_no_coding_changes_nothing(source: RemoteSource, origin: ScriptedServer, coding: str) -> None:
    origin.serve(PATH, FILE, Content_Encoding=coding)

    info = source.probe()

    assert (info.encoding, info.ranges) == ("", True)
    assert everything(source.open()) == FILE


@pytest.mark.parametrize("coding", ["compress", "aes128gcm", "gzip, compress", "gzip"])
def test_a_coding_that_cannot_be_decoded_is_refused(source: RemoteSource, origin: ScriptedServer, coding: str) -> None:
    origin.serve(PATH, FILE, Content_Encoding=coding)

    with pytest.raises(OriginFailed):
        source.probe()
    with pytest.raises(OriginFailed):
        source.open()


def test_an_empty_file_in_a_coding_is_an_empty_file(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.serve(PATH, b"", Content_Encoding="gzip")

    assert (source.probe().length, everything(source.open())) == (0, b"")


def test_an_unknown_length_is_unknown(source: RemoteSource, origin: ScriptedServer) -> None:
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(FILE), FILE) for _ in range(1)) + b"0\r\n\r\n"
    origin.route(PATH, b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked)

    assert source.probe().length is None
    assert everything(source.open()) == FILE


# --- parts


@pytest.mark.parametrize(("first", "last"), [(0, 0), (0, 63), (10, 10), (100, 899), (1000, 1023), (0, 1023)])
def test_a_part_is_exactly_that(source: RemoteSource, origin: ScriptedServer, first: int, last: int) -> None:
    origin.serve(PATH, FILE, ETag='"v1"')
    looked = source.probe()

    opened = source.open(ByteRange(first, last))

    assert everything(opened) == FILE[first : last + 1]
    assert opened.byte_range == ByteRange(first, last)
    assert opened.info == looked
    assert ranges_asked(origin)[-1] == f"bytes={first}-{last}"


def test_a_part_from_an_origin_without_ranges_is_the_whole_file(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.serve(PATH, FILE, ranges=False)

    opened = source.open(ByteRange(10, 19))

    assert opened.byte_range is None
    assert everything(opened) == FILE


WRONG_PARTS = {
    "another-beginning": part("bytes 11-19/1024", FILE[11:20]),
    "the-very-beginning": part("bytes 0-9/1024", FILE[:10]),
    "too-far": part("bytes 10-20/1024", FILE[10:21]),
    "backwards": part("bytes 19-10/1024", FILE[10:20]),
    "of-nothing": part("bytes 10-9/1024", b""),
    "beyond-the-end": part("bytes 10-19/15", FILE[10:20]),
    "no-content-range": part("", FILE[10:20]),
    "unknown-length": part("bytes 10-19/*", FILE[10:20]),
    "unsatisfied": part("bytes */1024", FILE[10:20]),
    "other-unit": part("pages 10-19/1024", FILE[10:20]),
    "no-unit": part("10-19/1024", FILE[10:20]),
    "garbled": part("bytes ten-19/1024", FILE[10:20]),
    "other-digits": part("bytes \xb91-19/1024", FILE[10:20]),
    "two-ranges": part("bytes 10-19/1024, bytes 20-29/1024", FILE[10:20]),
    "longer-than-it-says": part("bytes 10-19/1024", FILE[10:30]),
    "shorter-than-it-says": part("bytes 10-19/1024", FILE[10:15]),
    "multipart": part("", b"--x\r\n\r\n--x--", Content_Type="multipart/byteranges; boundary=x"),
    "huge-numbers": part(f"bytes {'1' * 30}-{'2' * 30}/{'3' * 30}", FILE[10:20]),
}


@pytest.mark.parametrize("route", WRONG_PARTS.values(), ids=WRONG_PARTS)
def test_a_part_that_is_not_the_one_asked_for_is_refused(
    source: RemoteSource, origin: ScriptedServer, route: Callable[[Request], bytes]
) -> None:
    origin.serve(PATH, FILE)
    source.probe()
    origin.route(PATH, route)

    with pytest.raises(OriginFailed):
        source.open(ByteRange(10, 19))


@pytest.mark.parametrize("framing", ["chunked", "close-delimited"])
@pytest.mark.parametrize("sent", [0, 5, 9])
def test_a_part_that_breaks_off_is_not_taken_for_complete(
    source: RemoteSource, origin: ScriptedServer, framing: str, sent: int
) -> None:
    origin.serve(PATH, FILE)
    source.probe()
    origin.route(PATH, framed(framing, FILE[10 : 10 + sent]))

    with pytest.raises(OriginFailed):
        everything(source.open(ByteRange(10, 19)))


@pytest.mark.parametrize("framing", ["chunked", "close-delimited"])
@pytest.mark.parametrize("looked", [True, False], ids=["looked", "unseen"])
def test_no_more_than_the_part_comes_out_of_it(
    source: RemoteSource, origin: ScriptedServer, framing: str, *, looked: bool
) -> None:
    origin.serve(PATH, FILE)
    if looked:
        source.probe()
    origin.route(PATH, framed(framing, FILE[10:500]))

    assert everything(source.open(ByteRange(10, 19))) == FILE[10:20]


def framed(framing: str, body: bytes) -> bytes:
    head = b"HTTP/1.1 206 X\r\nConnection: close\r\nContent-Range: bytes 10-19/1024\r\n"
    if framing == "close-delimited":
        return head + b"\r\n" + body
    chunks = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def test_a_shorter_part_than_asked_for_is_told_as_what_it_is(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.serve(PATH, FILE)
    source.probe()
    origin.route(PATH, part("bytes 10-14/1024", FILE[10:15]))

    opened = source.open(ByteRange(10, 19))

    assert opened.byte_range == ByteRange(10, 14)
    assert everything(opened) == FILE[10:15]


def test_a_part_of_another_file_tells_that_files_facts(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.serve(PATH, FILE, ETag='"v1"')
    before = source.probe()
    origin.serve(PATH, FILE + b"more", ETag='"v2"')

    opened = source.open(ByteRange(10, 19))
    opened.close()

    assert (before.length, before.validator) == (1024, '"v1"')
    assert (opened.info.length, opened.info.validator) == (1028, '"v2"')


def test_what_was_forgotten_is_looked_at_anew(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.serve(PATH, FILE, ETag='"v1"')
    source.probe()
    origin.serve(PATH, FILE, ETag='"v2"')

    source.forget(source.info)

    assert source.probe().validator == '"v2"'


# --- 416


def test_a_range_beyond_the_end_tells_the_length(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.serve(PATH, FILE)

    with pytest.raises(RangeNotSatisfiable) as failure:
        source.open(ByteRange(2000, 2010))

    assert failure.value.length == 1024


@pytest.mark.parametrize("content_range", ["", "bytes */*", "bytes 0-1/2", "bytes */-1", "bytes */abc", "*/1024"])
def test_a_416_without_a_length_is_a_failed_origin(
    source: RemoteSource, origin: ScriptedServer, content_range: str
) -> None:
    origin.route(PATH, only(416, Content_Range=content_range))

    with pytest.raises(OriginFailed):
        source.open(ByteRange(2000, 2010))


def test_a_416_for_an_empty_file_is_an_empty_file(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.route(PATH, only(416, Content_Range="bytes */0"))

    info = source.probe()

    assert (info.length, info.head) == (0, b"")


def test_the_text_of_a_416_is_not_the_file(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.serve(PATH, FILE)
    source.probe()
    origin.route(PATH, only(416, Content_Range="bytes */0"))

    opened = source.open(ByteRange(0, 9))

    assert (opened.byte_range, opened.info.length) == (None, 0)
    assert everything(opened) == b""


@pytest.mark.parametrize("content_range", ["bytes */1024", "", "bytes */*"])
def test_an_origin_that_refuses_every_range_is_looked_at_without(
    source: RemoteSource, origin: ScriptedServer, content_range: str
) -> None:
    def route(request: Request) -> bytes:
        if "range" in request.headers:
            return answer(416, b"no", {"Content-Range": content_range})
        return answer(200, FILE)

    origin.route(PATH, route)

    info = source.probe()

    assert (info.length, info.head) == (1024, FILE[:HEAD_BYTES])


# --- statuses


STATUSES: dict[int, type[OriginError]] = {
    401: OriginRefused,
    403: OriginRefused,
    404: OriginNotFound,
    410: OriginGone,
    429: OriginBusy,
    503: OriginBusy,
    201: OriginFailed,
    202: OriginFailed,
    203: OriginFailed,
    204: OriginFailed,
    205: OriginFailed,
    206: OriginFailed,
    226: OriginFailed,
    300: OriginFailed,
    301: OriginFailed,
    302: OriginFailed,
    304: OriginFailed,
    307: OriginFailed,
    405: OriginFailed,
    406: OriginFailed,
    407: OriginFailed,
    416: OriginFailed,
    451: OriginFailed,
    500: OriginFailed,
    501: OriginFailed,
    502: OriginFailed,
    504: OriginFailed,
    520: OriginFailed,
    599: OriginFailed,
    600: OriginFailed,
    999: OriginFailed,
}


@pytest.mark.parametrize(("status", "error"), STATUSES.items())
def test_a_status_that_is_no_file_is_its_own_error(
    source: RemoteSource, origin: ScriptedServer, status: int, error: type[OriginError]
) -> None:
    origin.route(PATH, only(status))

    with pytest.raises(OriginError) as opened:
        source.open()
    with pytest.raises(OriginError) as looked:
        source.probe()

    assert (type(opened.value), type(looked.value)) == (error, error)


def test_what_an_expired_presigned_url_answers_is_a_refusal(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.route(PATH, answer(400, b"<Error><Code>ExpiredRequest</Code></Error>"))

    with pytest.raises(OriginRefused):
        source.open()


@pytest.mark.parametrize("looked", [True, False], ids=["looked", "unseen"])
def test_an_unasked_206_that_spans_the_whole_file_is_the_file(
    source: RemoteSource, origin: ScriptedServer, *, looked: bool
) -> None:
    origin.route(PATH, answer(206, FILE, {"Content-Range": "bytes 0-1023/1024", "ETag": '"v1"'}))
    if looked:
        source.probe()

    opened = source.open()

    assert (opened.byte_range, opened.info.length, opened.info.ranges) == (None, 1024, True)
    assert everything(opened) == FILE


@pytest.mark.parametrize(
    "content_range", ["bytes 0-1022/1024", "bytes 1-1023/1024", "bytes 0-1023/*", "bytes 0-1023/2000"]
)
def test_an_unasked_206_of_a_part_is_no_file(source: RemoteSource, origin: ScriptedServer, content_range: str) -> None:
    origin.route(PATH, answer(206, FILE, {"Content-Range": content_range}))

    with pytest.raises(OriginFailed):
        source.open()


@pytest.mark.parametrize("status", [204, 206, 304])
def test_an_answer_that_nobody_asked_for_is_no_file(source: RemoteSource, origin: ScriptedServer, status: int) -> None:
    origin.route(PATH, answer(status, b"", {"Content-Range": "bytes 0-9/10", "ETag": '"v1"'}))

    with pytest.raises(OriginFailed):
        source.open()


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("retry_after", "seconds"), [("7", 7), ("", 10), ("x", 10), ("100000", 600), ("0", 0)])
def test_a_busy_origin_says_when_to_come_again(
    source: RemoteSource, origin: ScriptedServer, status: int, retry_after: str, seconds: int
) -> None:
    origin.route(PATH, answer(status, b"", {"Retry-After": retry_after}))

    with pytest.raises(OriginBusy) as failure:
        source.open()

    assert failure.value.headers == {"Retry-After": str(seconds)}


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0),
        ("1", 1),
        ("600", 600),
        ("601", 600),
        ("-1", 10),
        ("1.5", 10),
        ("\u0661", 10),
        ("\u00b2", 10),
        ("9" * 5000, 10),
    ],
)
def test_retry_after_is_a_small_whole_number_or_the_default(said: str, seconds: int) -> None:
    assert seconds_of(said) == seconds


def test_nothing_is_remembered_of_a_failure(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.route(PATH, only(404))
    with pytest.raises(OriginNotFound):
        source.probe()
    origin.serve(PATH, FILE)

    assert source.probe().length == 1024


# --- reading


def test_the_first_bytes_are_not_lost_and_not_given_twice(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.serve(PATH, FILE)
    opened = source.open()

    parts = list(iter(lambda: opened.read(10), b""))
    opened.close()

    assert b"".join(parts) == FILE
    assert max(map(len, parts)) == 10


@pytest.mark.parametrize("sent", [0, 10, 64, 500, 1023])
def test_a_file_that_breaks_off_is_not_taken_for_complete(
    source: RemoteSource, origin: ScriptedServer, sent: int
) -> None:
    origin.route(PATH, b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + FILE[:sent])

    with pytest.raises(OriginFailed):
        everything(source.open())


def test_first_bytes_that_come_one_by_one_are_waited_for(source: RemoteSource, origin: ScriptedServer) -> None:
    def route(request: Request) -> None:
        request.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request.connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\n")
        for byte in FILE[:70]:
            request.connection.sendall(bytes([byte]))

    origin.route(PATH, route)

    opened = source.open()

    assert opened.info.head == FILE[:64]
    assert everything(opened) == FILE[:70]


@pytest.mark.parametrize(
    ("status", "headers"),
    [(404, {}), (500, {}), (200, {"Content-Encoding": "compress"}), (206, {"Content-Range": "nonsense"})],
    ids=["404", "500", "coding", "part"],
)
def test_a_refused_answer_lets_the_origin_go(
    source: RemoteSource, origin: ScriptedServer, status: int, headers: dict[str, str]
) -> None:
    gone = threading.Event()

    def route(request: Request) -> None:
        request.connection.sendall(answer(status, b"x" * 100, {"Content-Length": "1000000", **headers}))
        request.connection.settimeout(5)
        with suppress(ConnectionError):
            request.connection.recv(1)
        gone.set()

    origin.route(PATH, route)

    with pytest.raises(OriginError) as refused:
        source.open(ByteRange(0, 9))

    assert gone.wait(2), refused  # not after the five seconds, and not when nobody has the error any more


# --- where a browser is sent


def test_a_browser_is_sent_to_the_url_byte_for_byte(client: Client, origin: ScriptedServer) -> None:
    url = origin.url("/a/../b//c?X=%2f%7e&y=+&&z#frag")

    assert RemoteSource(client, url, 0, sendable=True).direct_url("", "") == url


def test_no_browser_is_sent_to_a_place_that_is_never_fetched_from(client: Client) -> None:
    with pytest.raises(OriginUnsafe):
        _ = RemoteSource(client, "https://127.0.0.1/x", 0, sendable=True).direct_url("", "")


def test_an_origin_that_is_not_there_is_unreachable() -> None:
    port = free_port()
    guard = Guard([HostPattern.parse(f"127.0.0.1:{port}")], [ip_network("127.0.0.0/8")], allow_http=True)

    with pytest.raises(OriginUnreachable):
        RemoteSource(Client(guard, Lookup()), f"http://127.0.0.1:{port}/", 0, sendable=True).open()
