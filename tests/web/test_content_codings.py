"""Content codings that nobody asked for: decoded on the way, and what is no coding is taken for none."""

import gzip
import sys
import zlib
from pathlib import Path

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
each_coding = pytest.mark.parametrize("coding", CODED)
each_no_coding = pytest.mark.parametrize("coding", NO_CODINGS)


def serve(origin: ScriptedServer, coding: str, disposition: str = "inline") -> str:
    body = CODED.get(coding, PNG)
    return origin.serve("/v/cat.png", body, Content_Encoding=coding, ETag='"v1"', Content_Disposition=disposition)


def is_the_image(response: TestResponse) -> bool:
    return (response.status_code, response.data, response.headers["Content-Type"]) == (200, PNG, "image/png")


@each_coding
def test_a_coded_file_arrives_decoded_without_length_ranges_or_tag(
    gateway: Gateway, origin: ScriptedServer, coding: str
) -> None:
    response = gateway.get(serve(origin, coding))

    assert is_the_image(response)
    assert not {"Content-Encoding", "Content-Length", "Accept-Ranges", "ETag"} & {name for name, _ in response.headers}
    assert origin.seen[0].headers["accept-encoding"] == "identity"


@each_coding
def test_a_range_of_a_coded_file_is_answered_by_the_whole_file(
    gateway: Gateway, origin: ScriptedServer, coding: str
) -> None:
    assert is_the_image(gateway.get(serve(origin, coding), {"Range": "bytes=10-19"}))


@each_coding
def test_head_says_of_a_coded_file_what_get_says(gateway: Gateway, origin: ScriptedServer, coding: str) -> None:
    link = gateway.link(serve(origin, coding))

    head, get = gateway.client.head(link), gateway.client.get(link)

    varying = {"X-Request-Id", "X-Gateway-Delivery"}
    assert [pair for pair in head.headers if pair[0] not in varying] == [
        pair for pair in get.headers if pair[0] not in varying
    ]


@each_no_coding
def test_what_is_no_coding_is_passed_on_with_its_length_and_ranges(
    gateway: Gateway, origin: ScriptedServer, coding: str
) -> None:
    url = serve(origin, coding)

    whole, part = gateway.get(url), gateway.get(url, {"Range": "bytes=10-19"})

    assert is_the_image(whole)
    assert (whole.headers["Content-Length"], whole.headers["Accept-Ranges"]) == (str(len(PNG)), "bytes")
    assert (part.status_code, part.data) == (206, PNG[10:20])


@pytest.mark.parametrize("coding", [*NO_CODINGS, *CODED])
def test_a_redirect_stays_a_redirect_whatever_the_coding(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, coding: str
) -> None:
    direct = serve(origin, coding, "attachment")
    provider.route("/api/v1/gpt4o-image/download-url", envelope(data=direct))

    response = upstream_gateway.get(origin.url("/published/cat.png"))

    assert (response.status_code, response.headers["Location"]) == (302, direct)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "compress", "aes128gcm", "gzip, gzip, gzip"])
def test_a_file_that_cannot_be_decoded_is_the_origins_failure(
    gateway: Gateway, origin: ScriptedServer, coding: str
) -> None:
    response = gateway.get(origin.serve("/v/cat.png", PNG, Content_Encoding=coding))

    assert (response.status_code, response.text.split(":")[0]) == (502, "502 origin_failed")


@each_coding
def test_the_store_keeps_the_decoded_bytes(tmp_path: Path, origin: ScriptedServer, coding: str) -> None:
    gateway = store_gateway(tmp_path, origin.address)
    url = serve(origin, coding)
    keep_record(gateway, url)

    first, again = gateway.get(url), gateway.get(url, {"Range": "bytes=10-19"})

    assert is_the_image(first)
    assert first.headers["Content-Length"] == str(len(PNG))
    assert (again.status_code, again.data) == (206, PNG[10:20])


@each_no_coding
def test_the_store_keeps_a_file_whatever_is_no_coding(tmp_path: Path, origin: ScriptedServer, coding: str) -> None:
    gateway = store_gateway(tmp_path, origin.address)
    url = serve(origin, coding)
    keep_record(gateway, url)

    assert is_the_image(gateway.get(url))


@each_coding
def test_the_store_keeps_nothing_of_a_coded_file_that_ends_early(
    tmp_path: Path, origin: ScriptedServer, coding: str
) -> None:
    gateway = store_gateway(tmp_path, origin.address)
    url = origin.serve("/v/cat.png", CODED[coding][:-6], Content_Encoding=coding)
    keep_record(gateway, url)

    assert gateway.get(url).status_code == 451
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []


def keep_record(gateway: Gateway, url: str) -> None:
    headers = {"Authorization": f"Bearer {API_KEY}"}
    told = gateway.client.put(
        "/api/v1/records/task12345", json={"status": "SUCCESS", "resultUrls": [url]}, headers=headers
    )
    assert told.status_code == 200


def test_a_coded_download_that_breaks_off_is_cut_and_asked_for_no_more(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    large = PNG + b"".join(b"%d" % (number**7) for number in range(20_000))
    coded = gzip.compress(large)
    headers = {"Content-Encoding": "gzip", "ETag": '"v1"', "Accept-Ranges": "bytes", "Content-Length": str(len(coded))}
    response = gateway.get(origin.route("/v/cat.png", answer(200, coded[:-50_000], headers)))

    got: list[bytes] = []
    with pytest.raises(ConnectionResetError):
        got.extend(response.iter_encoded())

    assert large.startswith(b"".join(got))
    assert 0 < sum(map(len, got)) < len(large)
    assert len(origin.seen) == 1


def test_decoded_bytes_count_against_the_size_limit(origin: ScriptedServer) -> None:
    gateway = Gateway(make_settings(origin.address, max_bytes="50000"))
    response = gateway.get(origin.serve("/v/cat.png", gzip.compress(PNG * 10), Content_Encoding="gzip"))

    with pytest.raises(ConnectionResetError):
        _ = response.data
