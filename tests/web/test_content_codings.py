"""Origins that send a content coding although nobody asked for one: it is decoded, and other values are ignored."""

import gzip
import sys
import zlib
from pathlib import Path
from typing import Any

import brotli
import pytest
from werkzeug.test import TestResponse

from tests.support.factories import API_KEY, PNG, Gateway, make_settings, store_gateway
from tests.support.servers import ScriptedServer, answer, envelope

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CODED = {
    "gzip": gzip.compress(PNG),
    "x-gzip": gzip.compress(PNG),
    "GZIP": gzip.compress(PNG),
    "aws-chunked,gzip": gzip.compress(PNG),
    "deflate": zlib.compress(PNG),
    "br": brotli.compress(PNG),
    "zstd": zstd.compress(PNG),
    "gzip, br": brotli.compress(gzip.compress(PNG)),
}
NO_CODINGS = ["aws-chunked", "UTF-8", "base64", "none", "binary", "identity", "aws-chunked, utf-8"]


def serve(origin: ScriptedServer, coding: str, disposition: str = "inline", body: bytes | None = None) -> str:
    """The image in a coding; each coding has a path."""
    path = f"/{[*CODED, *NO_CODINGS].index(coding)}/cat.png"
    sent = CODED.get(coding, PNG) if body is None else body
    return origin.serve(path, sent, Content_Encoding=coding, ETag='"v1"', Content_Disposition=disposition)


def is_the_image(response: TestResponse) -> bool:
    return (response.status_code, response.data, response.headers["Content-Type"]) == (200, PNG, "image/png")


def test_a_coded_file_is_decoded_and_has_no_length_ranges_or_tag(gateway: Gateway, origin: ScriptedServer) -> None:
    ours = {"X-Request-Id", "X-Gateway-Delivery"}
    for coding in CODED:
        url = serve(origin, coding)
        response, part = gateway.get(url), gateway.get(url, {"Range": "bytes=10-19"})
        head = gateway.client.head(gateway.link(url))

        assert is_the_image(response), coding
        assert is_the_image(part), coding
        names = {name for name, _ in response.headers}
        assert not {"Content-Encoding", "Content-Length", "Accept-Ranges", "ETag"} & names
        assert [pair for pair in head.headers if pair[0] not in ours] == [
            pair for pair in response.headers if pair[0] not in ours
        ]
    assert {request.headers["accept-encoding"] for request in origin.seen} == {"identity"}


def test_a_value_that_is_no_coding_leaves_the_file_its_length_and_ranges(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    for value in NO_CODINGS:
        url = serve(origin, value)
        whole, part = gateway.get(url), gateway.get(url, {"Range": "bytes=10-19"})

        assert is_the_image(whole), value
        assert (whole.headers["Content-Length"], whole.headers["Accept-Ranges"]) == (str(len(PNG)), "bytes")
        assert (part.status_code, part.data) == (206, PNG[10:20])


def test_codings_do_not_prevent_a_redirect(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    for number, coding in enumerate(("gzip", "gzip, br", "UTF-8")):
        direct = serve(origin, coding, "attachment")
        provider.route("/api/v1/gpt4o-image/download-url", envelope(data=direct))
        response = upstream_gateway.get(origin.url(f"/published/{number}.png"))
        assert (response.status_code, response.headers["Location"]) == (302, direct)


def test_a_file_that_cannot_be_decoded_is_the_origins_failure(gateway: Gateway, origin: ScriptedServer) -> None:
    for number, coding in enumerate(["gzip", "br", "zstd", "compress", "aes128gcm", "gzip, gzip, gzip"]):
        response = gateway.get(origin.serve(f"/{number}.png", PNG, Content_Encoding=coding))
        assert response.text.startswith("502 origin_failed: "), coding


def test_the_store_stores_decoded_files_and_nothing_of_a_file_that_ends_early(
    tmp_path: Path, origin: ScriptedServer
) -> None:
    gateway = store_gateway(tmp_path, origin.address)

    def store(url: str) -> Any:
        body = {"status": "SUCCESS", "resultUrls": [url]}
        headers = {"Authorization": f"Bearer {API_KEY}"}
        assert gateway.client.put("/api/v1/records/task12345", json=body, headers=headers).status_code == 200
        return gateway.get(url)

    for coding in CODED:
        assert store(serve(origin, coding, body=CODED[coding][:-6])).status_code == 451, coding
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []

    for coding in (*CODED, *NO_CODINGS):
        url = serve(origin, coding)
        whole, part = store(f"{url}?whole"), gateway.get(f"{url}?whole", {"Range": "bytes=10-19"})
        assert is_the_image(whole), coding
        assert whole.headers["Content-Length"] == str(len(PNG))
        assert (part.status_code, part.data) == (206, PNG[10:20])


def test_a_coded_download_that_breaks_off_is_cut_and_not_resumed(gateway: Gateway, origin: ScriptedServer) -> None:
    large = PNG + b"".join(b"%d" % (number**7) for number in range(20_000))
    coded = gzip.compress(large)
    headers = {"Content-Encoding": "gzip", "ETag": '"v1"', "Accept-Ranges": "bytes", "Content-Length": str(len(coded))}
    response = gateway.get(origin.route("/v/cat.png", answer(200, coded[:-50_000], headers)))

    received: list[bytes] = []
    with pytest.raises(ConnectionResetError):
        received.extend(response.iter_encoded())

    assert large.startswith(b"".join(received))
    assert 0 < sum(map(len, received)) < len(large)
    assert len(origin.seen) == 1


def test_the_size_limit_counts_decoded_bytes(origin: ScriptedServer) -> None:
    gateway = Gateway(make_settings(origin.address, max_bytes="50000"))
    response = gateway.get(origin.serve("/v/cat.png", gzip.compress(PNG * 10), Content_Encoding="gzip"))

    with pytest.raises(ConnectionResetError):
        _ = response.data
