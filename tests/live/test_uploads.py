"""Images that are put in over real sockets: large, in chunks, and broken off."""

import random
import socket
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.support.factories import API_KEY, PNG
from tests.support.live_gateway import LiveGateway, happens, live_gateway
from tests.support.machine import needs

AUTHORIZED = {"Authorization": f"Bearer {API_KEY}"}
LARGE = PNG[:8] + random.Random(3).randbytes(20_000_000)
LIMIT = 25_000_000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    folder = tmp_path_factory.mktemp("gateway")
    with live_gateway(folder, resolver="store", upstream_api_key="", max_bytes=str(LIMIT)) as gateway:
        yield gateway


def download(gateway: LiveGateway, task_id: str, name: str) -> tuple[int, bytes]:
    with gateway.visit() as visitor:
        visitor.request("GET", gateway.path(f"gateway:{name}", task_id))
        response = visitor.getresponse()
        return response.status, response.read()


def pieces(content: bytes) -> Iterator[bytes]:
    yield from (content[begin : begin + 70_000] for begin in range(0, len(content), 70_000))


def incoming(gateway: LiveGateway) -> list[Path]:
    return list((gateway.log.parent / "instance" / "store" / "incoming").iterdir())


@pytest.mark.parametrize("chunked", [False, True], ids=["with-its-length", "in-chunks"])
def test_a_large_image_goes_in_and_comes_out_as_it_was(store: LiveGateway, chunked: bool) -> None:  # noqa: FBT001
    body = pieces(LARGE) if chunked else LARGE

    with store.visit() as visitor:
        visitor.request("PUT", "/api/v1/records/large/files/cat.png", body, AUTHORIZED)
        assert visitor.getresponse().status == 200

    assert download(store, "large", "cat.png") == (200, LARGE)


def test_curl_may_wait_for_a_hundred_continue(store: LiveGateway, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(LARGE)
    url = f"{store.url}/api/v1/records/curled/files/cat.png"

    done = subprocess.run(
        [
            needs("curl"),
            "-sS",
            "-T",
            "cat.png",
            "-H",
            "Expect: 100-continue",
            "-H",
            f"Authorization: Bearer {API_KEY}",
            url,
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert '"code":200' in done.stdout, done.stderr
    assert download(store, "curled", "cat.png") == (200, LARGE)


def test_an_interrupted_upload_leaves_nothing(store: LiveGateway) -> None:
    head = f"PUT /api/v1/records/cut/files/cat.png HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {API_KEY}\r\n"
    for framing in ("Content-Length: 5000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nF4240\r\n"):
        with socket.create_connection(("127.0.0.1", store.port), timeout=10) as connection:
            connection.sendall((head + framing).encode() + LARGE[:300_000])
            assert happens(lambda: incoming(store))

        assert happens(lambda: not incoming(store))
    assert download(store, "cut", "cat.png")[0] == 404
    assert "unforeseen" not in store.log_text()


@pytest.mark.parametrize(
    ("call", "status"),
    [("PUT /api/v1/records/cut/files/cat.png", b"400"), ("POST /api/v1/gpt4o-image/download-url", b"200")],
    ids=["upload", "contract"],
)
def test_chunks_that_are_none_are_the_callers_fault(store: LiveGateway, call: str, status: bytes) -> None:
    head = f"{call} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {API_KEY}\r\nConnection: close\r\n"

    answer = store.exchange(head.encode() + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n")

    assert answer.split(b" ")[1] == status
    assert (b'"code":422' in answer) == (status == b"200")
    assert "unforeseen" not in store.log_text()


def test_an_upload_that_is_too_large_is_refused_without_being_read(store: LiveGateway) -> None:
    visitor = HTTPConnection("127.0.0.1", store.port, timeout=10)
    visitor.putrequest("PUT", "/api/v1/records/huge/files/cat.png")
    for name, value in (AUTHORIZED | {"Content-Length": "10737418240"}).items():
        visitor.putheader(name, value)
    visitor.endheaders(PNG)

    response = visitor.getresponse()
    visitor.close()

    assert response.status == 413
