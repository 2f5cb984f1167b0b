"""Request bodies over real sockets: chunked, too large, and with broken framing."""

import json
from collections.abc import Iterator

import pytest

from gateway.links.signer import KeyRing
from gateway.provider.client import DOWNLOAD_URL
from gateway.records.completion_callback import PATH as CALLBACK, SALT
from gateway.web.request_body import MOST_BODY_BYTES
from tests.support.factories import API_KEY, SECRET
from tests.support.live_gateway import LiveGateway, live_gateway

CALLS = {
    "create-link": "POST /api/v1/links",
    "put-record": "PUT /api/v1/records/task12345",
    "callback": f"POST {CALLBACK}?token={KeyRing.derive([SECRET], SALT).sign(b'v1')}",
}
OTHERS = {"upload-image": "PUT /api/v1/records/task12345/files/cat.png", "download-url": f"POST {DOWNLOAD_URL}"}
BROKEN = {
    "no-number": b"ZZ\r\n{}\r\n0\r\n\r\n",
    "shorter-than-said": b"5\r\n{}\r\n0\r\n\r\n",
    "longer-than-said": b"1\r\n{}\r\n0\r\n\r\n",
    "odd-extension": b"2;\x01\r\n{}\r\n0\r\n\r\n",
}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    folder = tmp_path_factory.mktemp("gateway")
    with live_gateway(folder, "origin.example", resolver="store", upstream_api_key="") as gateway:
        yield gateway


def code_of(live: LiveGateway, call: str, chunks: bytes) -> int:
    """The code in the envelope that answers a chunked body."""
    head = f"{call} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {API_KEY}\r\n"
    answer = live.exchange(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
    return int(json.loads(answer.rpartition(b"\r\n\r\n")[2])["code"])


def chunked(body: bytes) -> bytes:
    return f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"


@pytest.mark.parametrize("chunks", BROKEN.values(), ids=BROKEN)
def test_a_body_with_broken_framing_is_the_callers_mistake(live: LiveGateway, chunks: bytes) -> None:
    for call in (CALLS | OTHERS).values():
        assert code_of(live, call, chunks) == (422 if DOWNLOAD_URL in call else 400), call
    assert "unforeseen" not in live.log_text()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_body_in_chunks_is_held_to_the_same_limit(live: LiveGateway, call: str) -> None:
    assert code_of(live, call, chunked(b" " * MOST_BODY_BYTES)) in {401, 422}
    assert code_of(live, call, chunked(b" " * (MOST_BODY_BYTES + 1))) == 413


def test_the_trailers_of_a_body_in_chunks_are_bounded_like_a_head(live: LiveGateway) -> None:
    trailers = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 1000) for number in range(60))

    assert code_of(live, CALLS["create-link"], b"2\r\n{}\r\n0\r\n" + trailers) == 400
