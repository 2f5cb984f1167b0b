"""Framing fields are read by the letter (RFC 9112): what is malformed is an error, never a missing field."""

from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.egress.client import Client, tls_roots
from gateway.egress.dns_lookup import Lookup
from gateway.egress.guard import Guard
from gateway.errors import OriginFailed
from gateway.origins.allowlist import HostPattern
from tests.support.certificates import make_certificate, server_context
from tests.support.factories import API_KEY, PNG, Gateway, store_gateway
from tests.support.faults.raw_server import ClientConnection, RawServer
from tests.support.servers import ScriptedServer

MALFORMED_LENGTHS = (
    "500000x", "+500000", "500000.0", "", "-1", "0x7a120", "5e5", "1_0", "5 5", "5;q=1", "5,", ",5", "5, x", "\x0b5",
    "\xb2", "9" * 5000,
)  # fmt: skip
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def response(*lines: str, body: bytes = PNG) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode("latin-1") + body


def chunk(data: bytes = PNG, line_end: bytes = b"\r\n") -> bytes:
    return b"%x" % len(data) + line_end + data + b"\r\n"


MALFORMED_CHUNKS = {
    "bare-lf-after-a-size": chunk(line_end=b"\n") + b"0\r\n\r\n",
    "bare-lf-after-an-extension": chunk(line_end=b";x\n") + b"0\r\n\r\n",
    "blank-after-a-size": chunk(line_end=b" \r\n") + b"0\r\n\r\n",
    "nul-in-an-extension": chunk(line_end=b";\0\r\n") + b"0\r\n\r\n",
    "cr-in-an-extension": chunk(line_end=b";a\rb\r\n") + b"0\r\n\r\n",
    "bare-lf-after-a-chunk": chunk()[:-2] + b"\n0\r\n\r\n",
    "bare-lf-after-the-last-size": chunk() + b"0\n\r\n",
    "bare-lf-at-the-end": chunk() + b"0\r\n\n",
    "bare-lf-after-a-trailer": chunk() + b"0\r\nX: y\n\r\n",
    "nul-in-a-trailer": chunk() + b"0\r\nX: y\0z\r\n\r\n",
    "cr-in-a-trailer": chunk() + b"0\r\nX: y\rz\r\n\r\n",
    "a-trailer-that-is-none": chunk() + b"0\r\nno trailer\r\n\r\n",
}


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """An origin that fails is asked again at once."""
    monkeypatch.setattr("gateway.delivery.opening.PAUSES_S", (0.001, 0.002))


# --- Content-Length and the other framing fields


@pytest.mark.parametrize("length", MALFORMED_LENGTHS, ids=lambda length: repr(length[:12]))
def test_a_malformed_length_is_a_failed_origin(gateway: Gateway, origin: ScriptedServer, length: str) -> None:
    url = origin.route("/v/cat.png", response(f"Content-Length: {length}"))

    answer = gateway.get(url)

    assert answer.status_code == 502
    assert PNG[:8] not in answer.data


def test_the_store_keeps_nothing_of_a_file_whose_framing_is_malformed(origin: ScriptedServer, tmp_path: Path) -> None:
    gateway = store_gateway(tmp_path, origin.address)
    said = [response(f"Content-Length: {length}") for length in MALFORMED_LENGTHS]
    said += [CHUNKED + body for body in MALFORMED_CHUNKS.values()]
    urls = [origin.route(f"/v/{number}.png", each) for number, each in enumerate(said)]
    kept = put_record(gateway, *urls)

    assert [url for url in urls if gateway.get(url).status_code < 400] == []
    assert kept() == []


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(("Transfer-Encoding: chunked", "Content-Length: zz"), id="chunked-beside-a-malformed-length"),
        pytest.param(("Transfer-Encoding: chunked", "Content-Length: 5, 6"), id="chunked-beside-two-lengths"),
        pytest.param(("Transfer-Encoding:",), id="empty-coding"),
        pytest.param(("Transfer-Encoding: chunked, chunked",), id="chunked-twice"),
        pytest.param(("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), id="chunked-in-two-fields"),
        pytest.param(("Transfer-Encoding: chunkedx",), id="unknown-coding"),
        pytest.param(("Transfer-Encoding: \x0bchunked",), id="coding-with-a-control-character"),
        pytest.param(("Transfer-Encoding: chunked;q=1",), id="coding-with-a-parameter"),
        pytest.param(("Transfer-Encoding : chunked",), id="blank-before-the-colon"),
        pytest.param(("Content-Length : 5",), id="blank-before-the-colon-of-a-length"),
        pytest.param(("Content-Length: 5", "Content-Length:"), id="a-length-and-an-empty-one"),
    ],
)
def test_a_malformed_framing_field_is_a_failed_origin(
    gateway: Gateway, origin: ScriptedServer, lines: tuple[str, ...]
) -> None:
    url = origin.route("/v/cat.png", response(*lines, body=chunk() + b"0\r\n\r\n"))

    assert gateway.get(url).status_code == 502


@pytest.mark.parametrize(
    "value", ["bytes 0-63", "bytes 0-63/*", "bytes 0-x/10248", "bytes=0-63/10248", "", "0-63/10248"]
)
def test_a_malformed_content_range_never_counts_as_the_file(
    gateway: Gateway, origin: ScriptedServer, value: str
) -> None:
    part = b'HTTP/1.1 206 Partial Content\r\nETag: "1"\r\nContent-Length: 64\r\nContent-Range: ' + value.encode()
    url = origin.route("/v/cat.png", part + b"\r\n\r\n" + PNG[:64])

    assert gateway.get(url, {"Range": "bytes=0-63"}).status_code == 502


# --- chunks and trailers


@pytest.mark.parametrize("name", MALFORMED_CHUNKS)
def test_chunks_and_trailers_are_read_by_the_letter(gateway: Gateway, origin: ScriptedServer, name: str) -> None:
    url = origin.route("/v/cat.png", CHUNKED + MALFORMED_CHUNKS[name])

    assert not arrives_whole(gateway, url)


@pytest.mark.parametrize("line_end", [b"\r\n", b";a\r\n", b';a="b c"\r\n'])
@pytest.mark.parametrize("trailers", [b"", b"X: y\r\n", b"X: \r\nX: z\r\n"])
def test_extensions_and_trailers_that_the_rfc_allows_are_skipped(
    gateway: Gateway, origin: ScriptedServer, line_end: bytes, trailers: bytes
) -> None:
    url = origin.route("/v/cat.png", CHUNKED + chunk(line_end=line_end) + b"0\r\n" + trailers + b"\r\n")

    assert arrives_whole(gateway, url)


# --- heads


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX: a\0b\r\n", id="in-a-value"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: a\r\n b\0\r\n", id="in-a-folded-line"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX\0: a\r\n", id="in-a-name"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: a\x07b\r\n", id="another-control-character-in-a-value"),
        pytest.param(b"HTTP/1.1 200 O\0K\r\n", id="in-the-reason"),
    ],
)
def test_a_control_character_in_the_head_is_a_failed_origin(
    gateway: Gateway, origin: ScriptedServer, head: bytes
) -> None:
    url = origin.route("/v/cat.png", head + b"Content-Length: %d\r\n\r\n" % len(PNG) + PNG)

    assert gateway.get(url).status_code == 502


# --- the end of a TLS connection


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate for 127.0.0.1, trusted."""
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls_roots.cache_clear()
    return certificate


def says(said: bytes, *, closes_properly: bool) -> Callable[[ClientConnection], None]:
    """Say something and close the connection, with or without close_notify."""

    def act(line: ClientConnection) -> None:
        line.say(said)
        if closes_properly:
            with suppress(OSError):
                line.close_notify()

    return act


def fetch_over_tls(certificate: Path, said: bytes, *, closes_properly: bool) -> bytes:
    with RawServer(says(said, closes_properly=closes_properly), server_context(certificate)) as server:
        guard = Guard([HostPattern.parse(server.address)], [ip_network("127.0.0.0/8")])
        answer = Client(guard, Lookup()).get(server.url("/cat.png"))
        try:
            return b"".join(iter(lambda: answer.read(65536), b""))
        finally:
            answer.close()


@pytest.mark.parametrize("size", [0, 100, 10_000, 300_000])
def test_a_close_delimited_body_over_tls_ends_with_close_notify(certificate: Path, size: int) -> None:
    assert fetch_over_tls(certificate, response(body=bytes(size)), closes_properly=True) == bytes(size)


@pytest.mark.parametrize("size", [0, 100, 10_000, 300_000])
def test_a_close_delimited_body_over_tls_without_close_notify_is_cut(certificate: Path, size: int) -> None:
    with pytest.raises(OriginFailed):
        fetch_over_tls(certificate, response(body=bytes(size)), closes_properly=False)


@pytest.mark.parametrize(
    "said", [response(f"Content-Length: {len(PNG)}"), CHUNKED + chunk() + b"0\r\n\r\n"], ids=["length", "chunks"]
)
def test_a_body_that_tells_its_own_end_needs_no_close_notify(certificate: Path, said: bytes) -> None:
    assert fetch_over_tls(certificate, said, closes_properly=False) == PNG


@pytest.mark.parametrize("closes_properly", [True, False])
def test_the_store_keeps_no_file_whose_tls_connection_was_cut(
    certificate: Path, tmp_path: Path, *, closes_properly: bool
) -> None:
    with RawServer(says(response(), closes_properly=closes_properly), server_context(certificate)) as server:
        gateway = store_gateway(tmp_path, server.address)
        url = server.url("/v/cat.png")
        kept = put_record(gateway, url)

        status = gateway.get(url).status_code

    assert (status < 400, len(kept())) == (closes_properly, int(closes_properly))


# --- helpers


def arrives_whole(gateway: Gateway, url: str) -> bool:
    """Whether a download ends as it should, with the whole file."""
    try:
        answer = gateway.get(url)
        return bool(answer.status_code == 200 and answer.data == PNG)
    except ConnectionResetError:
        return False


def put_record(gateway: Gateway, *urls: str) -> Callable[[], list[Path]]:
    """Tell a gateway that keeps images of a task; gives what lists the images that it keeps."""
    told = gateway.client.put(
        "/api/v1/records/task12345",
        json={"status": "SUCCESS", "resultUrls": urls},
        headers={"Authorization": f"Bearer {API_KEY}"},
    )
    assert told.status_code == 200
    folder = Path(str(gateway.settings.store))
    return lambda: [path for path in folder.glob("??/*") if path.is_file()]
