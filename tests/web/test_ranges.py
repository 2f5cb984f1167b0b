"""Parts of a file: Range, If-Range, If-None-Match, and files that change between two requests."""

from itertools import count

import pytest

from tests.support.downloads import DATE, PRIVATE_HEADERS, STREAM_HEADERS, names, read_until_cut
from tests.support.factories import PNG, Gateway
from tests.support.servers import Request, ScriptedServer, answer, file_answer

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(200)) * 30
SIZE = len(PNG)


def test_a_part_of_the_file_is_sent_with_206(gateway: Gateway, origin: ScriptedServer) -> None:
    parts = {
        "bytes=0-0": (0, 0),
        "bytes=0-99": (0, 99),
        "bytes=5000-5999": (5000, 5999),
        "bytes=5000-": (5000, SIZE - 1),
        "bytes=-100": (SIZE - 100, SIZE - 1),
        "bytes=10247-": (SIZE - 1, SIZE - 1),
        "bytes=0-": (0, SIZE - 1),
        "bytes=10000-99999": (10000, SIZE - 1),
        "bytes=-99999": (0, SIZE - 1),
    }

    for number, (range_header, (first, last)) in enumerate(parts.items()):
        url = origin.serve(f"/v/{number}.png", PNG, ETag='"v1"')
        for _ in ("a file seen for the first time", "a file with cached metadata"):
            response = gateway.get(url, {"Range": range_header})
            assert (response.status_code, response.data) == (206, PNG[first : last + 1]), range_header
            assert response.headers["Content-Range"] == f"bytes {first}-{last}/{SIZE}"
            assert response.headers["Content-Length"] == str(last + 1 - first)


def test_a_part_is_sent_although_the_whole_file_came_without_accept_ranges(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    def silent(request: Request) -> bytes:
        sent = file_answer(request, PNG, {"ETag": '"v1"'})
        return sent.replace(b"Accept-Ranges: bytes\r\n", b"")

    url = origin.route("/v/cat.png", silent)

    whole = gateway.get(url)
    part = gateway.get(url, {"Range": "bytes=100-199"})

    assert (whole.status_code, whole.data) == (200, PNG)
    assert (part.status_code, part.data) == (206, PNG[100:200])


def test_a_part_has_the_headers_the_type_and_the_name_of_the_whole_file(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    url = origin.serve("/v/cat.jpg", PNG, Content_Type="text/html", ETag='"v1"', Last_Modified=DATE)

    response = gateway.get(url, {"Range": "bytes=5000-"})

    assert names(response) == STREAM_HEADERS | {"content-range"}
    assert len(list(response.headers)) == len(STREAM_HEADERS) + 1
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["Content-Disposition"].startswith('attachment; filename="cat.png"')


def test_the_origin_is_asked_for_the_same_part(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG)
    gateway.get(url)

    gateway.get(url, {"Range": "bytes=-100"})

    assert [request.headers.get("range") for request in origin.seen] == [None, "bytes=10148-10247"]


def test_an_interrupted_download_is_resumed_with_range_and_if_range(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.serve("/v/cat.png", PNG * 10, ETag='"v1"'))
    begun = gateway.client.get(link)
    first = next(begun.iter_encoded())
    begun.close()

    rest = gateway.client.get(link, headers={"Range": f"bytes={len(first)}-", "If-Range": begun.headers["ETag"]})

    assert rest.status_code == 206
    assert first + rest.data == PNG * 10
    assert rest.headers["ETag"] == begun.headers["ETag"]


def test_if_range_with_any_other_validator_gives_the_whole_file(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG, ETag='"v1"', Last_Modified=DATE)
    tag = gateway.get(url).headers["ETag"]

    for if_range in (f"W/{tag}", '"other"', '"v1"', DATE, "wrong"):
        response = gateway.get(url, {"Range": "bytes=5-9", "If-Range": if_range})
        assert (response.status_code, response.data) == (200, PNG), if_range
        assert "Content-Range" not in response.headers


def test_if_none_match_with_the_files_tag_is_304_and_does_not_ask_the_origin(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    url = origin.serve("/v/cat.png", PNG, ETag='"v1"')
    tag = gateway.get(url).headers["ETag"]
    requests = len(origin.seen)

    for condition in (tag, f"W/{tag}", f'"a", {tag}', f'W/"a" , W/{tag}'):
        response = gateway.get(url, {"If-None-Match": condition})
        assert (response.status_code, response.data, response.headers["ETag"]) == (304, b"", tag), condition
        assert names(response) == PRIVATE_HEADERS | {"etag"}
    assert len(origin.seen) == requests

    for condition in ('"v1"', '"other"', "garbage"):
        response = gateway.get(url, {"If-None-Match": condition})
        assert (response.status_code, response.data) == (200, PNG), condition


def test_a_file_without_a_tag_never_answers_304(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG, ranges=False)

    response = gateway.get(url, {"If-None-Match": "*"})

    assert (response.status_code, response.data) == (200, PNG)


def test_a_range_beyond_the_file_is_416_with_the_length(gateway: Gateway, origin: ScriptedServer) -> None:
    for number, range_header in enumerate(["bytes=10248-", "bytes=99999-100000", "bytes=-0"]):
        response = gateway.get(origin.serve(f"/v/{number}.png", PNG), {"Range": range_header})
        assert (response.status_code, response.headers["Content-Range"]) == (416, "bytes */10248"), range_header
        assert "Content-Disposition" not in response.headers


def test_several_ranges_and_malformed_ones_give_the_whole_file(gateway: Gateway, origin: ScriptedServer) -> None:
    url = origin.serve("/v/cat.png", PNG)

    for range_header in ("bytes=0-1,5-8", "bytes=0-0,-1", "bytes=9-5", "items=0-4", "bytes=", "garbage"):
        response = gateway.get(url, {"Range": range_header})
        assert (response.status_code, response.data) == (200, PNG), range_header
        assert "Content-Range" not in response.headers


def test_an_origin_without_ranges_gives_the_whole_file_and_no_promise_to_resume(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    url = origin.serve("/v/cat.png", PNG, ranges=False, ETag='"v1"')
    promised = origin.serve("/v/dog.png", PNG, ranges=False, Accept_Ranges="bytes")

    response = gateway.get(url, {"Range": "bytes=5-9"})

    assert (response.status_code, response.data) == (200, PNG)
    assert names(response) == STREAM_HEADERS - {"accept-ranges", "etag"}
    assert gateway.get(promised, {"Range": "bytes=5-9"}).data == PNG


def test_an_origin_without_a_validator_gives_parts_and_no_tag(gateway: Gateway, origin: ScriptedServer) -> None:
    response = gateway.get(origin.serve("/v/cat.png", PNG), {"Range": "bytes=5-9"})

    assert (response.status_code, response.data) == (206, PNG[5:10])
    assert "ETag" not in response.headers


def test_a_part_other_than_the_requested_one_is_an_error(gateway: Gateway, origin: ScriptedServer) -> None:
    """``tests/sources/test_remote.py`` has the other ways in which a part can differ."""

    def route(request: Request) -> bytes:
        if request.headers.get("range") != "bytes=5-9":
            return file_answer(request, PNG, {})
        return answer(206, PNG[6:11], {"Content-Range": "bytes 6-10/10248"})

    response = gateway.get(origin.route("/v/cat.png", route), {"Range": "bytes=5-9"})

    assert response.status_code == 502
    assert "origin_failed" in response.text


def test_a_part_that_ends_before_its_first_byte_is_an_error_page(gateway: Gateway, origin: ScriptedServer) -> None:
    def route(request: Request) -> bytes:
        if request.headers.get("range") != "bytes=5000-5999":
            return file_answer(request, PNG, {"ETag": '"v1"'})
        return answer(206, b"", {"Content-Range": f"bytes 5000-5999/{SIZE}", "Content-Length": "1000"})

    assert gateway.get(origin.route("/v/cat.png", route), {"Range": "bytes=5000-5999"}).status_code == 502


def test_a_part_that_cannot_be_resumed_is_cut_where_the_origin_breaks_off(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    def route(request: Request) -> bytes:
        whole = file_answer(request, PNG, {})
        return whole[:-1] if request.headers["range"] == "bytes=5000-10247" else whole

    response = gateway.get(origin.route("/v/cat.png", route), {"Range": "bytes=5000-"})

    assert response.status_code == 206
    assert read_until_cut(response) == (SIZE - 5001, False)


# --- a file that changes


class Changing:
    """A file with several editions: each request takes the next one, the last one stays."""

    def __init__(self, *editions: bytes) -> None:
        self.editions = list(editions)

    def __call__(self, request: Request) -> bytes:
        body = self.editions.pop(0) if len(self.editions) > 1 else self.editions[0]
        return file_answer(request, body, {"ETag": f'"{hash(body)}"'})


def test_a_part_is_of_the_file_as_it_is_now(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.route("/v/cat.png", Changing(PNG, JPEG)))
    before = gateway.client.head(link)

    response = gateway.client.get(link, headers={"Range": "bytes=100-199"})

    assert (response.status_code, response.data) == (206, JPEG[100:200])
    assert response.headers["Content-Range"] == f"bytes 100-199/{len(JPEG)}"
    assert response.headers["Content-Type"] == "image/jpeg"
    assert response.headers["ETag"] != before.headers["ETag"]


@pytest.mark.parametrize("first", [100, 9000], ids=["inside-the-new-file", "beyond-the-new-file"])
def test_resuming_a_file_that_changed_gives_the_whole_new_file(
    gateway: Gateway, origin: ScriptedServer, first: int
) -> None:
    link = gateway.link(origin.route("/v/cat.png", Changing(PNG, JPEG)))
    tag = gateway.client.head(link).headers["ETag"]

    response = gateway.client.get(link, headers={"Range": f"bytes={first}-", "If-Range": tag})

    assert (response.status_code, response.data) == (200, JPEG)


def test_a_part_beyond_a_file_that_shrank_is_416_with_the_new_length(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.route("/v/cat.png", Changing(PNG, JPEG)))
    gateway.client.head(link)

    response = gateway.client.get(link, headers={"Range": "bytes=9000-"})

    assert (response.status_code, response.headers["Content-Range"]) == (416, f"bytes */{len(JPEG)}")


def test_parts_of_a_file_that_keeps_changing_are_never_mixed(gateway: Gateway, origin: ScriptedServer) -> None:
    editions = [PNG[: 9000 + number] for number in range(20)]
    tags = count()
    changing = origin.route("/v/cat.png", Changing(*editions))
    retagged = origin.route("/v/dog.png", lambda request: file_answer(request, PNG, {"ETag": f'"{next(tags)}"'}))

    response = gateway.get(changing, {"Range": "bytes=100-199"})
    same_bytes = gateway.get(retagged, {"Range": "bytes=100-199"})

    assert response.status_code == 200
    assert response.data in editions
    assert (same_bytes.status_code, same_bytes.data) == (200, PNG)
