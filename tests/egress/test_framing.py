"""Framing is parsed strictly (RFC 9112): what is malformed is an error and never ignored."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.egress.client import Client, tls_context
from gateway.egress.dns_lookup import DnsLookup
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


def statuses(gateway: Gateway, origin: ScriptedServer, responses: Iterable[bytes]) -> set[int]:
    """The statuses that a visitor gets for these responses of the origin."""
    urls = [origin.route(f"/v/{number}.png", each) for number, each in enumerate(responses)]
    return {gateway.get(url).status_code for url in urls}


def test_a_malformed_length_is_a_failed_origin(gateway: Gateway, origin: ScriptedServer) -> None:
    responses = [response(f"Content-Length: {length}") for length in MALFORMED_LENGTHS]

    assert statuses(gateway, origin, responses) == {502}


def test_the_store_keeps_nothing_of_a_file_whose_framing_is_malformed(origin: ScriptedServer, tmp_path: Path) -> None:
    gateway = store_gateway(tmp_path, origin.address)
    said = [response(f"Content-Length: {length}") for length in MALFORMED_LENGTHS]
    said += [CHUNKED + body for body in MALFORMED_CHUNKS.values()]
    urls = [origin.route(f"/v/{number}.png", each) for number, each in enumerate(said)]
    kept = put_record(gateway, *urls)

    assert [url for url in urls if gateway.get(url).status_code < 400] == []
    assert kept() == []


def test_a_malformed_framing_field_is_a_failed_origin(gateway: Gateway, origin: ScriptedServer) -> None:
    malformed = (
        ("Transfer-Encoding: chunked", "Content-Length: zz"),
        ("Transfer-Encoding: chunked", "Content-Length: 5, 6"),
        ("Transfer-Encoding:",),
        ("Transfer-Encoding: chunked, chunked",),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunkedx",),
        ("Transfer-Encoding: \x0bchunked",),
        ("Transfer-Encoding: chunked;q=1",),
        ("Transfer-Encoding : chunked",),
        ("Content-Length : 5",),
        ("Content-Length: 5", "Content-Length:"),
    )
    responses = [response(*lines, body=chunk() + b"0\r\n\r\n") for lines in malformed]

    assert statuses(gateway, origin, responses) == {502}


def test_a_malformed_content_range_never_counts_as_the_file(gateway: Gateway, origin: ScriptedServer) -> None:
    for value in ("bytes 0-63", "bytes 0-63/*", "bytes 0-x/10248", "bytes=0-63/10248", "", "0-63/10248"):
        part = b'HTTP/1.1 206 Partial Content\r\nETag: "1"\r\nContent-Length: 64\r\nContent-Range: ' + value.encode()
        url = origin.route(f"/v/{len(origin.seen)}.png", part + b"\r\n\r\n" + PNG[:64])

        assert gateway.get(url, {"Range": "bytes=0-63"}).status_code == 502, value


# --- chunks and trailers


def test_malformed_chunks_and_trailers_are_refused_and_valid_ones_are_not(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    valid = [
        chunk(line_end=line_end) + b"0\r\n" + trailers + b"\r\n"
        for line_end in (b"\r\n", b";a\r\n", b';a="b c"\r\n')
        for trailers in (b"", b"X: y\r\n", b"X: \r\nX: z\r\n")
    ]
    bodies = {**MALFORMED_CHUNKS, **{f"valid-{number}": body for number, body in enumerate(valid)}}
    urls = {name: origin.route(f"/v/{name}.png", CHUNKED + body) for name, body in bodies.items()}

    arrived = {name for name, url in urls.items() if arrives_whole(gateway, url)}

    assert arrived == set(bodies) - set(MALFORMED_CHUNKS)


# --- heads


def test_a_control_character_in_the_head_is_a_failed_origin(gateway: Gateway, origin: ScriptedServer) -> None:
    heads = (
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\0\r\n",
        b"HTTP/1.1 200 OK\r\nX\0: a\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\x07b\r\n",
        b"HTTP/1.1 200 O\0K\r\n",
    )
    responses = [head + b"Content-Length: %d\r\n\r\n" % len(PNG) + PNG for head in heads]

    assert statuses(gateway, origin, responses) == {502}


# --- the end of a TLS connection


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate for 127.0.0.1, trusted."""
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls_context.cache_clear()
    return certificate


def says(said: bytes, *, closes_properly: bool) -> Callable[[ClientConnection], None]:
    """Send these bytes and close the connection, with or without close_notify."""

    def act(line: ClientConnection) -> None:
        line.say(said)
        if closes_properly:
            with suppress(OSError):
                line.close_notify()

    return act


def fetch_over_tls(certificate: Path, said: bytes, *, closes_properly: bool) -> bytes:
    with RawServer(says(said, closes_properly=closes_properly), server_context(certificate)) as server:
        guard = Guard([HostPattern.parse(server.address)], [ip_network("127.0.0.0/8")])
        answer = Client(guard, DnsLookup()).get(server.url("/cat.png"))
        try:
            return b"".join(iter(lambda: answer.read(65536), b""))
        finally:
            answer.close()


def test_a_close_delimited_body_over_tls_is_complete_only_with_close_notify(certificate: Path) -> None:
    for size in (0, 100, 10_000, 300_000):
        assert fetch_over_tls(certificate, response(body=bytes(size)), closes_properly=True) == bytes(size)
        with pytest.raises(OriginFailed):
            fetch_over_tls(certificate, response(body=bytes(size)), closes_properly=False)


def test_a_body_with_a_length_or_chunks_needs_no_close_notify(certificate: Path) -> None:
    for said in (response(f"Content-Length: {len(PNG)}"), CHUNKED + chunk() + b"0\r\n\r\n"):
        assert fetch_over_tls(certificate, said, closes_properly=False) == PNG


def test_the_store_keeps_no_file_whose_tls_connection_was_cut(certificate: Path, tmp_path: Path) -> None:
    for closes_properly in (True, False):
        with RawServer(says(response(), closes_properly=closes_properly), server_context(certificate)) as server:
            folder = tmp_path / str(closes_properly)
            folder.mkdir()
            gateway = store_gateway(folder, server.address)
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
    """Put a record with these results; returns a function that lists the stored files."""
    response = gateway.client.put(
        "/api/v1/records/task12345",
        json={"status": "SUCCESS", "resultUrls": urls},
        headers={"Authorization": f"Bearer {API_KEY}"},
    )
    assert response.status_code == 200
    folder = Path(str(gateway.settings.store))
    return lambda: [path for path in folder.glob("??/*") if path.is_file()]
