"""What an origin says of a file, which of it is used, and that contradictory answers are refused."""

import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import ip_network

import pytest

from gateway.egress.client import Client
from gateway.egress.dns_lookup import DnsLookup
from gateway.egress.guard import Guard
from gateway.egress.retry_after import parse_retry_after
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
    return Client(guard, DnsLookup())


@pytest.fixture
def origin(server: ScriptedServer) -> ScriptedServer:
    """The server, without the requests of earlier tests."""
    server.seen.clear()
    return server


@pytest.fixture
def new_source(client: Client, origin: ScriptedServer) -> Callable[[], RemoteSource]:
    """Make a source that has not asked the origin yet."""
    return lambda: RemoteSource(client, origin.url(PATH), 0, sendable=True)


@pytest.fixture
def source(new_source: Callable[[], RemoteSource]) -> RemoteSource:
    return new_source()


def everything(opened: OpenFile) -> bytes:
    read = b""
    try:
        while part := opened.read(100):
            read += part
    finally:
        opened.close()
    return read


def content_range(value: str, body: bytes, **headers: str) -> Callable[[Request], bytes]:
    """Answer every range with a 206 that has this Content-Range."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def route(request: Request) -> bytes:
        if "range" not in request.headers:
            return answer(200, FILE)
        return answer(206, body, {"Content-Range": value, **named} if value else named)

    return route


def with_headers(headers: dict[str, str]) -> Callable[[Request], bytes]:
    return lambda request: file_answer(request, FILE, headers)


def no_range(value: str) -> bytes:
    return answer(416, b"<html>no</html>", {"Content-Range": value})


# --- what is known of a file


def test_the_first_probe_asks_for_64_bytes_and_its_result_is_kept(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.serve(PATH, PNG, ETag='"v1"', Content_Type="image/png")

    info = source.probe()

    assert source.probe() is info
    assert [request.headers["range"] for request in origin.seen] == ["bytes=0-63"]
    assert (info.length, info.head, info.validator) == (len(PNG), PNG[:HEAD_BYTES], '"v1"')
    assert (info.ranges, info.attachment, info.encoding) == (True, False, "")


def test_opening_the_whole_file_learns_the_same_as_a_probe(
    new_source: Callable[[], RemoteSource], origin: ScriptedServer
) -> None:
    origin.serve(PATH, PNG, ETag='"v1"')
    source = new_source()

    opened = source.open()

    assert everything(opened) == PNG
    assert opened.byte_range is None
    assert opened.info == source.info == new_source().probe()


def test_an_origin_without_ranges_is_asked_once_too(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.serve(PATH, PNG, ranges=False, ETag='"v1"')

    infos = {source.probe() for _ in range(3)}

    assert len(origin.seen) == len(infos) == 1
    assert {(info.ranges, info.length, info.head) for info in infos} == {(False, len(PNG), PNG[:HEAD_BYTES])}


def test_a_file_of_any_size_is_probed_and_read(new_source: Callable[[], RemoteSource], origin: ScriptedServer) -> None:
    for size in (0, 1, 10, 63, 64, 65, 1000):
        for ranges in (True, False):
            origin.serve(PATH, FILE[:size], ranges=ranges)
            source = new_source()
            info = source.probe()

            assert (info.length, info.head) == (size, FILE[:size][:HEAD_BYTES]), (size, ranges)
            assert everything(source.open()) == FILE[:size], (size, ranges)


def test_the_validator_is_a_well_formed_entity_tag_or_date_or_none(
    new_source: Callable[[], RemoteSource], origin: ScriptedServer
) -> None:
    date = "Wed, 21 Oct 2015 07:28:00 GMT"
    malformed = ("v1", '"v 1"', '"v"1"', 'w/"v1"', '"a", "b"', '"\xff"', f'"{"x" * 10_000}"', None)
    for etag, validator in {'"v1"': '"v1"', 'W/"v1"': 'W/"v1"', '""': '""'}.items() | dict.fromkeys(malformed).items():
        for modified in (None, date):
            headers = {"ETag": etag, "Last-Modified": modified}
            origin.route(PATH, with_headers({name: value for name, value in headers.items() if value is not None}))
            source = new_source()

            assert source.probe().validator == (validator or modified or ""), headers
            assert everything(source.open()) == FILE, headers


RAW_NAMES = (  # "Å" and "…" hold the bytes 0x85 and 0xA6, "à" 0xA0: line break and blanks to text of Latin-1
    ("кот.png", "utf-8"),
    ("Åà….png", "utf-8"),
    ("猫😀.png", "utf-8"),
    ("été à Åse.png", "latin-1"),
    ("\x85\xa0.png", "latin-1"),
    ("кот.png", "cp1251"),
)


def test_only_a_clear_attachment_is_one(new_source: Callable[[], RemoteSource], origin: ScriptedServer) -> None:
    clear = (
        *("attachment", "attachment; filename=cat.png", 'ATTACHMENT ; filename="cat.png"'),
        "attachment;filename*=UTF-8''cat.png",
        *(f'attachment; filename="{name}"'.encode(charset).decode("latin-1") for name, charset in RAW_NAMES),
    )
    unclear = ("", "inline", 'inline; filename="attachment"', "attachments", "attachment filename=c", "x; attachment")
    table = dict.fromkeys(clear, True) | dict.fromkeys(unclear, False)

    def read(disposition: str) -> bool:
        origin.serve(PATH, FILE, Content_Disposition=disposition)
        return new_source().probe().attachment

    assert {disposition: read(disposition) for disposition in table} == table


def test_ranges_are_known_by_accept_ranges_or_a_part(
    new_source: Callable[[], RemoteSource], origin: ScriptedServer
) -> None:
    table = {"bytes": True, "Bytes": True, "none": False, "": False, "pages": False}
    for said, ranges in table.items():
        origin.serve(PATH, FILE, ranges=False, Accept_Ranges=said)
        assert new_source().probe().ranges is ranges, said

    origin.route(PATH, content_range(f"bytes 0-63/{len(FILE)}", FILE[:64]))
    source = new_source()

    assert source.probe().ranges
    opened = source.open()
    assert everything(opened) == FILE
    assert opened.info.ranges


def test_a_coded_file_is_read_decoded_and_has_neither_ranges_nor_a_length(
    source: RemoteSource, origin: ScriptedServer
) -> None:
    origin.serve(PATH, gzip.compress(FILE), Content_Encoding="gzip", ETag='"v1"')

    info = source.probe()

    assert (info.encoding, info.ranges, info.length) == ("gzip", False, None)
    assert info.head == FILE[:HEAD_BYTES]
    assert [request.headers.get("range") for request in origin.seen] == [f"bytes=0-{HEAD_BYTES - 1}", None]
    assert everything(source.open()) == FILE


def test_what_is_no_coding_changes_nothing_and_what_cannot_be_decoded_is_refused(
    new_source: Callable[[], RemoteSource], origin: ScriptedServer
) -> None:
    for coding in ("identity", "aws-chunked", "UTF-8", "none", "*", "chunked"):
        origin.serve(PATH, FILE, Content_Encoding=coding)
        source = new_source()
        info = source.probe()
        assert (info.encoding, info.ranges) == ("", True), coding
        assert everything(source.open()) == FILE, coding

    for coding in ("compress", "aes128gcm", "gzip, compress", "gzip"):
        origin.serve(PATH, FILE, Content_Encoding=coding)
        for use in (new_source().probe, new_source().open):
            with pytest.raises(OriginFailed):
                use()


def test_an_empty_file_in_a_coding_is_an_empty_file(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.serve(PATH, b"", Content_Encoding="gzip")

    assert (source.probe().length, everything(source.open())) == (0, b"")


def test_a_chunked_file_has_no_known_length(source: RemoteSource, origin: ScriptedServer) -> None:
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(FILE), FILE)
    origin.route(PATH, b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked)

    assert source.probe().length is None
    assert everything(source.open()) == FILE


# --- parts


def test_a_part_is_exactly_that(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.serve(PATH, FILE, ETag='"v1"')
    probed = source.probe()

    for first, last in ((0, 0), (0, 63), (10, 10), (100, 899), (1000, 1023), (0, 1023)):
        opened = source.open(ByteRange(first, last))
        assert everything(opened) == FILE[first : last + 1]
        assert (opened.byte_range, opened.info) == (ByteRange(first, last), probed)
        assert origin.seen[-1].headers["range"] == f"bytes={first}-{last}"


def test_a_part_from_an_origin_without_ranges_is_the_whole_file(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.serve(PATH, FILE, ranges=False)

    opened = source.open(ByteRange(10, 19))

    assert opened.byte_range is None
    assert everything(opened) == FILE


WRONG_PARTS = {
    "another-beginning": content_range("bytes 11-19/1024", FILE[11:20]),
    "the-very-beginning": content_range("bytes 0-9/1024", FILE[:10]),
    "too-far": content_range("bytes 10-20/1024", FILE[10:21]),
    "backwards": content_range("bytes 19-10/1024", FILE[10:20]),
    "of-nothing": content_range("bytes 10-9/1024", b""),
    "beyond-the-end": content_range("bytes 10-19/15", FILE[10:20]),
    "no-content-range": content_range("", FILE[10:20]),
    "unknown-length": content_range("bytes 10-19/*", FILE[10:20]),
    "unsatisfied": content_range("bytes */1024", FILE[10:20]),
    "other-unit": content_range("pages 10-19/1024", FILE[10:20]),
    "no-unit": content_range("10-19/1024", FILE[10:20]),
    "garbled": content_range("bytes ten-19/1024", FILE[10:20]),
    "other-digits": content_range("bytes \xb91-19/1024", FILE[10:20]),
    "two-ranges": content_range("bytes 10-19/1024, bytes 20-29/1024", FILE[10:20]),
    "longer-than-it-says": content_range("bytes 10-19/1024", FILE[10:30]),
    "shorter-than-it-says": content_range("bytes 10-19/1024", FILE[10:15]),
    "multipart": content_range("", b"--x\r\n\r\n--x--", Content_Type="multipart/byteranges; boundary=x"),
    "huge-numbers": content_range(f"bytes {'1' * 30}-{'2' * 30}/{'3' * 30}", FILE[10:20]),
}


def test_a_part_that_is_not_the_one_asked_for_is_refused(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.serve(PATH, FILE)
    source.probe()
    for name, route in WRONG_PARTS.items():
        origin.route(PATH, route)
        try:
            source.open(ByteRange(10, 19)).close()
        except OriginFailed:
            continue
        pytest.fail(f"a part is accepted: {name}")


def framed(framing: str, body: bytes) -> bytes:
    head = b"HTTP/1.1 206 X\r\nConnection: close\r\nContent-Range: bytes 10-19/1024\r\n"
    if framing == "close-delimited":
        return head + b"\r\n" + body
    chunks = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


@pytest.mark.parametrize("framing", ["chunked", "close-delimited"])
def test_a_part_that_breaks_off_is_not_taken_for_complete(
    source: RemoteSource, origin: ScriptedServer, framing: str
) -> None:
    origin.serve(PATH, FILE)
    source.probe()

    for sent in (0, 5, 9):
        origin.route(PATH, framed(framing, FILE[10 : 10 + sent]))
        with pytest.raises(OriginFailed):
            everything(source.open(ByteRange(10, 19)))


@pytest.mark.parametrize("framing", ["chunked", "close-delimited"])
@pytest.mark.parametrize("probed", [True, False], ids=["probed", "unseen"])
def test_no_more_is_read_than_the_part(
    source: RemoteSource, origin: ScriptedServer, framing: str, *, probed: bool
) -> None:
    origin.serve(PATH, FILE)
    if probed:
        source.probe()
    origin.route(PATH, framed(framing, FILE[10:500]))

    assert everything(source.open(ByteRange(10, 19))) == FILE[10:20]


def test_a_shorter_part_than_asked_for_has_its_own_range(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.serve(PATH, FILE)
    source.probe()
    origin.route(PATH, content_range("bytes 10-14/1024", FILE[10:15]))

    opened = source.open(ByteRange(10, 19))

    assert opened.byte_range == ByteRange(10, 14)
    assert everything(opened) == FILE[10:15]


def test_a_part_of_a_changed_file_has_the_info_of_that_file(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.serve(PATH, FILE, ETag='"v1"')
    before = source.probe()
    origin.serve(PATH, FILE + b"more", ETag='"v2"')

    opened = source.open(ByteRange(10, 19))
    opened.close()

    assert (before.length, before.validator) == (1024, '"v1"')
    assert (opened.info.length, opened.info.validator) == (1028, '"v2"')
    source.forget(source.info)
    assert source.probe().validator == '"v2"'


# --- 416


def test_a_range_beyond_the_end_gives_the_length(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.serve(PATH, FILE)

    with pytest.raises(RangeNotSatisfiable) as failure:
        source.open(ByteRange(2000, 2010))

    assert failure.value.length == 1024


def test_a_416_without_a_length_is_a_failed_origin(source: RemoteSource, origin: ScriptedServer) -> None:
    for value in ("", "bytes */*", "bytes 0-1/2", "bytes */-1", "bytes */abc", "*/1024"):
        origin.route(PATH, no_range(value))
        with pytest.raises(OriginFailed):
            source.open(ByteRange(2000, 2010))


def test_a_416_for_an_empty_file_is_an_empty_file_and_its_text_is_not_the_file(
    source: RemoteSource, origin: ScriptedServer
) -> None:
    origin.route(PATH, no_range("bytes */0"))

    info = source.probe()
    opened = source.open(ByteRange(0, 9))

    assert (info.length, info.head) == (0, b"")
    assert (opened.byte_range, opened.info.length) == (None, 0)
    assert everything(opened) == b""


def test_an_origin_that_refuses_every_range_is_probed_without(
    new_source: Callable[[], RemoteSource], origin: ScriptedServer
) -> None:
    for value in ("bytes */1024", "", "bytes */*"):
        origin.route(PATH, without_ranges(value))
        info = new_source().probe()
        assert (info.length, info.head) == (1024, FILE[:HEAD_BYTES]), value


def without_ranges(value: str) -> Callable[[Request], bytes]:
    return lambda request: no_range(value) if "range" in request.headers else answer(200, FILE)


# --- statuses

STATUSES: dict[type[OriginError], tuple[int, ...]] = {
    OriginRefused: (401, 403),
    OriginNotFound: (404,),
    OriginGone: (410,),
    OriginBusy: (429, 503),
    OriginFailed: (
        *(201, 202, 203, 204, 205, 206, 226, 300, 301, 302, 304, 307, 405, 406, 407, 416, 451),
        *(500, 501, 502, 504, 520, 599, 600, 999),
    ),
}


def test_a_status_that_is_no_file_is_its_own_error(
    new_source: Callable[[], RemoteSource], origin: ScriptedServer
) -> None:
    for error, statuses in STATUSES.items():
        for status in statuses:
            origin.route(PATH, answer(status, b"<html>no</html>"))
            for use in (new_source().open, new_source().probe):
                with pytest.raises(OriginError) as failure:
                    use()
                assert type(failure.value) is error, status


def test_the_answer_to_an_expired_presigned_url_is_a_refusal(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.route(PATH, answer(400, b"<Error><Code>ExpiredRequest</Code></Error>"))

    with pytest.raises(OriginRefused):
        source.open()


@pytest.mark.parametrize("probed", [True, False], ids=["probed", "unseen"])
def test_an_unrequested_206_of_the_whole_file_is_the_file(
    source: RemoteSource, origin: ScriptedServer, *, probed: bool
) -> None:
    origin.route(PATH, answer(206, FILE, {"Content-Range": "bytes 0-1023/1024", "ETag": '"v1"'}))
    if probed:
        source.probe()

    opened = source.open()

    assert (opened.byte_range, opened.info.length, opened.info.ranges) == (None, 1024, True)
    assert everything(opened) == FILE


def test_an_unrequested_answer_without_the_whole_file_is_refused(source: RemoteSource, origin: ScriptedServer) -> None:
    for value in ("bytes 0-1022/1024", "bytes 1-1023/1024", "bytes 0-1023/*", "bytes 0-1023/2000"):
        origin.route(PATH, answer(206, FILE, {"Content-Range": value}))
        with pytest.raises(OriginFailed):
            source.open()
    for status in (204, 206, 304):
        origin.route(PATH, answer(status, b"", {"Content-Range": "bytes 0-9/10", "ETag": '"v1"'}))
        with pytest.raises(OriginFailed):
            source.open()


def test_retry_after_is_a_whole_number_of_seconds_up_to_ten_minutes_or_ten(
    source: RemoteSource, origin: ScriptedServer
) -> None:
    malformed = ("", "x", "-1", "1.5", "\u0661", "\u00b2", "9" * 5000)
    table = {"0": 0, "1": 1, "7": 7, "600": 600, "601": 600, "100000": 600} | dict.fromkeys(malformed, 10)
    assert {said: parse_retry_after(said) for said in table} == table

    for status in (429, 503):
        origin.route(PATH, answer(status, b"", {"Retry-After": "7"}))
        with pytest.raises(OriginBusy) as failure:
            source.open()
        assert failure.value.headers == {"Retry-After": "7"}


def test_nothing_is_remembered_of_a_failure(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.route(PATH, answer(404))
    with pytest.raises(OriginNotFound):
        source.probe()
    origin.serve(PATH, FILE)

    assert source.probe().length == 1024


# --- reading


def test_the_first_bytes_are_given_once(source: RemoteSource, origin: ScriptedServer) -> None:
    origin.serve(PATH, FILE)
    opened = source.open()

    parts = list(iter(lambda: opened.read(10), b""))
    opened.close()

    assert b"".join(parts) == FILE
    assert max(map(len, parts)) == 10


def test_a_file_that_breaks_off_is_not_taken_for_complete(
    new_source: Callable[[], RemoteSource], origin: ScriptedServer
) -> None:
    for sent in (0, 10, 64, 500, 1023):
        origin.route(PATH, b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + FILE[:sent])
        with pytest.raises(OriginFailed):
            everything(new_source().open())


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
def test_the_connection_of_a_refused_answer_is_closed_at_once(
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

    assert gone.wait(2), refused  # before the origin gives up, and while the error still exists


# --- redirects to the origin


def test_a_redirect_location_is_the_url_byte_for_byte(client: Client, origin: ScriptedServer) -> None:
    url = origin.url("/a/../b//c?X=%2f%7e&y=+&&z#frag")

    assert RemoteSource(client, url, 0, sendable=True).direct_url("", "") == url


def test_there_is_no_redirect_to_a_forbidden_address(client: Client) -> None:
    with pytest.raises(OriginUnsafe):
        _ = RemoteSource(client, "https://127.0.0.1/x", 0, sendable=True).direct_url("", "")


def test_an_origin_that_does_not_listen_is_unreachable() -> None:
    port = free_port()
    guard = Guard([HostPattern.parse(f"127.0.0.1:{port}")], [ip_network("127.0.0.0/8")], allow_http=True)

    with pytest.raises(OriginUnreachable):
        RemoteSource(Client(guard, DnsLookup()), f"http://127.0.0.1:{port}/", 0, sendable=True).open()
