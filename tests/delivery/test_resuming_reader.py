"""A download goes on at the byte reached when its origin breaks off, and is never made of two files."""

import gzip
import hashlib
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings as hypothesis_settings
from hypothesis.strategies import integers, lists

from gateway.delivery import resuming_reader
from gateway.delivery.deliver import Deliverer
from gateway.delivery.etag import SALT, EntityTags
from gateway.delivery.exchange import DownloadRequest
from gateway.delivery.plan import Planner
from gateway.errors import (
    OriginNotFound,
    StorageDown,
)
from gateway.limits.stream_slots import SlotLimiter
from gateway.links.signer import KeyRing
from gateway.resolving.caching_resolver import MAX_RENEWALS
from gateway.settings import Bucket
from gateway.sources.public_urls import SignedFileUrl
from gateway.sources.stored import StoredSource
from gateway.storage.folder import FileRangeReader, FolderObjectStore
from gateway.storage.object_store import ObjectStore, StoredObject
from gateway.storage.s3 import S3ObjectStore
from tests.support.buckets import CREDENTIALS
from tests.support.factories import API_KEY, PNG, SECRET, Gateway, store_gateway
from tests.support.flaky import (
    BIG,
    DATE,
    PROVIDER_CALL,
    STRONG,
    Flaky,
    Spoil,
    beginning,
    chunked,
    closed,
    converted,
    deliver,
    image_url,
    instead,
    reset,
    stalled,
    taken,
    whole,
)
from tests.support.servers import Request, ScriptedServer, answer, envelope, file_answer

pytestmark = pytest.mark.usefixtures("short_pauses")


# --- it goes on


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(closed(5000), id="closed"),
        pytest.param(closed(len(PNG) - 1), id="closed-before-the-last-byte"),
        pytest.param(reset(5000), id="reset"),
        pytest.param(stalled(5000), id="stalled"),
    ],
)
def test_what_breaks_off_goes_on_at_the_byte_reached(gateway: Gateway, origin: ScriptedServer, spoil: Spoil) -> None:
    file = Flaky(PNG, spoil)

    delivered = deliver(gateway, origin.route("/v/cat.png", file))

    assert taken(delivered) == (PNG, True)
    assert (delivered.status, delivered.stats.outcome, delivered.stats.resumes) == (200, "completed", 1)
    assert file.asked[0] == ("", "")
    assert file.asked[1][0].endswith(f"-{len(PNG) - 1}")
    assert file.asked[1][1] == '"v1"'
    assert len(file.asked) == 2


@pytest.mark.parametrize(
    "last",
    [pytest.param(b"", id="no-last-chunk"), pytest.param(b"zz\r\n", id="no-size"), pytest.param(b"50\r\n", id="cut")],
)
def test_broken_chunks_go_on_under_a_strong_tag(gateway: Gateway, origin: ScriptedServer, last: bytes) -> None:
    file = Flaky(PNG, chunked(5000, last))

    delivered = deliver(gateway, origin.route("/v/cat.png", file))

    assert taken(delivered) == (PNG, True)
    assert "Content-Length" not in dict(delivered.headers)
    assert file.asked[1][1] == '"v1"'


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(closed(1000), id="closed"),
        pytest.param(reset(1000), id="reset"),
        pytest.param(stalled(1000), id="stalled"),
        pytest.param(chunked(1000, b"zz\r\n"), id="broken-chunk"),
    ],
)
@pytest.mark.parametrize(("asked", "byte_range"), [("bytes=5000-", PNG[5000:]), ("bytes=2000-7999", PNG[2000:8000])])
def test_a_part_goes_on_too_and_ends_where_it_should(
    gateway: Gateway, origin: ScriptedServer, spoil: Spoil, asked: str, byte_range: bytes
) -> None:
    file = Flaky(PNG, whole, spoil)

    delivered = deliver(gateway, origin.route("/v/cat.png", file), DownloadRequest(range=asked))

    assert (delivered.status, taken(delivered)) == (206, (byte_range, True))
    assert delivered.stats.resumes == 1


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(instead(b""), id="closed"),
        pytest.param(instead(answer(500)), id="500"),
        pytest.param(instead(answer(503, b"", {"Retry-After": "0"})), id="503"),
        pytest.param(instead(answer(206, b"x", {"Content-Range": "bytes 0-0/1"})), id="another-range"),
        pytest.param(instead(answer(206, b"x")), id="no-range"),
        pytest.param(closed(0), id="no-byte"),
        pytest.param(stalled(0), id="silent"),
    ],
)
def test_an_origin_that_also_fails_when_it_is_opened_again_is_opened_once_more(
    gateway: Gateway, origin: ScriptedServer, failure: Spoil
) -> None:
    file = Flaky(PNG, closed(5000), failure)

    assert taken(deliver(gateway, origin.route("/v/cat.png", file))) == (PNG, True)
    assert len(file.asked) == 3


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    late=lists(integers(64, len(PNG)), max_size=2),
    early=lists(integers(0, len(PNG)), max_size=2),  # more of them before the first byte would be too many
    begin=integers(0, len(PNG) - 1),
    end=integers(0, len(PNG) - 1),
)
def test_wherever_it_is_cut_the_file_arrives_unchanged(
    gateway: Gateway, origin: ScriptedServer, late: list[int], early: list[int], begin: int, end: int
) -> None:
    first, last = min(begin, end), max(begin, end)
    file = Flaky(PNG)
    url = origin.route("/v/cat.png", file)
    deliver(gateway, url, DownloadRequest("HEAD"))
    file.spoils = [(closed, reset)[after % 2](after) for after in late + early]

    assert taken(deliver(gateway, url, DownloadRequest(range=f"bytes={first}-{last}"))) == (PNG[first : last + 1], True)


def test_the_old_connection_is_closed_before_a_new_one_is_opened(gateway: Gateway, origin: ScriptedServer) -> None:
    left = threading.Event()

    def stall(request: Request, sent: bytes) -> None:
        stalled(5000)(request, sent)
        left.set()

    def rest(_request: Request, sent: bytes) -> bytes:
        return sent if left.wait(5) else b""

    assert taken(deliver(gateway, origin.route("/v/cat.png", Flaky(PNG, stall, rest)))) == (PNG, True)


def test_healed_streams_and_broken_ones_give_their_places_back(gateway: Gateway, origin: ScriptedServer) -> None:
    tags = EntityTags(KeyRing.derive([SECRET], SALT))
    planner = Planner(tags, "auto", gateway.settings.max_bytes)
    deliverer = Deliverer(planner, SlotLimiter(2), gateway.services.ledger, gateway.services.resolver.renew)
    gateway = Gateway(gateway.settings, replace(gateway.services, deliverer=deliverer))

    ended = [
        taken(deliver(gateway, origin.route(f"/v/{cuts}.png", Flaky(PNG, *[closed(100)] * cuts))))[1]
        for cuts in (1, 99, 0)
    ]

    assert ended == [True, False, True]


# --- an origin that ignores ranges


def test_what_was_sent_is_read_again_where_a_strong_tag_vouches_for_it(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    file = Flaky(BIG, closed(2**20), closed(3 * 2**20), ranges=False)

    delivered = deliver(gateway, origin.route("/v/big.png", file))

    assert taken(delivered) == (BIG, True)
    assert delivered.stats.resumes == 2


def test_not_more_than_so_much_is_read_again(
    gateway: Gateway, origin: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resuming_reader, "MOST_SKIPPED", 3 * 2**20)
    file = Flaky(BIG, closed(2 * 2**20), closed(4 * 2**20), ranges=False)

    got, ended = taken(deliver(gateway, origin.route("/v/big.png", file)))

    assert (got, ended) == (BIG[: len(got)], False)
    assert len(got) > 3 * 2**20


def test_a_part_whose_rest_comes_as_the_whole_file_ends_where_it_should(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    def ignore_ranges(request: Request, _sent: bytes) -> bytes:
        return file_answer(request, PNG, STRONG, ranges=False)

    file = Flaky(PNG, whole, closed(1000), ignore_ranges)

    delivered = deliver(gateway, origin.route("/v/cat.png", file), DownloadRequest(range="bytes=2000-7999"))

    assert (delivered.status, taken(delivered)) == (206, (PNG[2000:8000], True))


def test_reading_again_what_was_sent_ends_when_the_visitor_has_waited_too_long(
    gateway: Gateway, origin: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resuming_reader, "LONGEST_SILENCE_S", 0.2)

    def drip(request: Request, sent: bytes) -> None:
        for begin in range(0, len(sent), 10_000):
            request.connection.sendall(sent[begin : begin + 10_000])
            time.sleep(0.05)  # what the origin takes, not what the test waits for

    file = Flaky(BIG, closed(2**20), drip, ranges=False)

    assert taken(deliver(gateway, origin.route("/v/big.png", file))) == (BIG[: 2**20], False)


# --- it is cut where it cannot go on


@pytest.mark.parametrize("headers", [pytest.param({}, id="no-validator")])
def test_what_nothing_vouches_for_is_cut_and_asked_for_no_more(
    gateway: Gateway, origin: ScriptedServer, headers: dict[str, str]
) -> None:
    file = Flaky(PNG, closed(5000), headers=headers)

    got, ended = taken(deliver(gateway, origin.route("/v/cat.png", file)))

    assert (got, ended) == (PNG[:5000], False)
    assert len(file.asked) == 1


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(PNG, {"ETag": '"v2"'}, id="another-tag"),
        pytest.param(PNG, {"ETag": 'W/"v1"'}, id="the-tag-made-weak"),
        pytest.param(PNG, {"Last-Modified": DATE}, id="another-kind-of-validator"),
        pytest.param(PNG, {}, id="no-validator-any-more"),
        pytest.param(PNG + b"x", STRONG, id="longer"),
        pytest.param(PNG[:-1], STRONG, id="shorter"),
        pytest.param(PNG[:100], STRONG, id="shorter-than-what-was-sent"),
        pytest.param(gzip.compress(PNG), {**STRONG, "Content-Encoding": "gzip"}, id="coded"),
    ],
)
@pytest.mark.parametrize("ranges", [True, False], ids=["part", "whole"])
@pytest.mark.parametrize("asked", ["", "bytes=1000-"], ids=["whole-asked", "part-asked"])
def test_two_files_are_never_spliced(
    gateway: Gateway, origin: ScriptedServer, body: bytes, headers: dict[str, str], *, ranges: bool, asked: str
) -> None:
    first = 1000 if asked else 0
    file = Flaky(PNG, *([whole] if asked else []), closed(4000))
    other = Flaky(body, headers=headers, ranges=ranges)

    def route(request: Request) -> bytes | None:
        return file(request) if file.spoils else other(request)

    delivered = deliver(gateway, origin.route("/v/cat.png", route), DownloadRequest(range=asked))

    assert taken(delivered) == (PNG[first : first + 4000], False)
    assert delivered.stats.aborted
    assert delivered.stats.resumes == 0
    assert len(other.asked) == 1


def test_an_origin_that_asks_for_more_patience_than_a_visitor_has_is_the_end(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    file = Flaky(PNG, closed(5000), instead(answer(503, b"", {"Retry-After": "120"})))

    assert taken(deliver(gateway, origin.route("/v/cat.png", file))) == (PNG[:5000], False)
    assert len(file.asked) == 2


def test_looking_at_a_file_does_not_heal_anything(gateway: Gateway, origin: ScriptedServer) -> None:
    file = Flaky(PNG)
    url = origin.route("/v/cat.png", file)

    head = deliver(gateway, url, DownloadRequest("HEAD"))
    not_modified = deliver(gateway, url, DownloadRequest(if_none_match=dict(head.headers)["ETag"]))

    assert [head.status, not_modified.status] == [200, 304]
    assert len(file.asked) == 1


# --- a direct URL that dies on the way


def dying(origin: ScriptedServer, status: int, path: str = "/direct/1.png") -> str:
    """A direct URL that breaks off, and then is dead."""
    return origin.route(path, Flaky(PNG, closed(5000), *[instead(answer(status))] * 99))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_direct_url_that_dies_on_the_way_is_renewed_however_young_it_is(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, status: int
) -> None:
    fresh = Flaky(PNG)
    converted(provider, dying(origin, status), origin.route("/direct/2.png", fresh))

    delivered = deliver(upstream_gateway, image_url(origin))

    assert taken(delivered) == (PNG, True)
    assert fresh.asked[0][1] == '"v1"'
    assert fresh.asked[0][0] != ""
    assert len(provider.seen) == 2


def test_the_renewed_direct_url_serves_the_next_visitor(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    converted(provider, dying(origin, 403), origin.serve("/direct/2.png", PNG, ETag='"v1"'))
    first = deliver(upstream_gateway, image_url(origin))
    taken(first)

    second = deliver(upstream_gateway, image_url(origin))

    assert taken(second) == (PNG, True)
    assert len(provider.seen) == 2
    assert dict(second.headers)["ETag"] == dict(first.headers)["ETag"]


def test_many_visitors_whose_direct_url_dies_share_one_renewal(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    many = 50
    together = threading.Barrier(many)

    def direct(request: Request) -> bytes:
        if "range" in request.headers:
            return answer(403)
        together.wait(10)
        return beginning(file_answer(request, PNG, STRONG), 5000)

    converted(provider, origin.route("/direct/1.png", direct), origin.serve("/direct/2.png", PNG, ETag='"v1"'))
    url = image_url(origin)

    with ThreadPoolExecutor(many) as pool:
        got = list(pool.map(lambda _: taken(deliver(upstream_gateway, url)), range(many)))

    assert got == [(PNG, True)] * many
    assert len(provider.seen) == 2


def test_a_direct_url_whose_time_is_over_is_renewed_before_its_origin_is_asked(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    signed_at = datetime.fromtimestamp(time.time() - 60, UTC)
    old = Flaky(PNG, closed(5000))
    url = origin.route("/direct/1.png", old) + f"?X-Amz-Date={signed_at:%Y%m%dT%H%M%SZ}&X-Amz-Expires=60"
    converted(provider, url, origin.serve("/direct/2.png", PNG, ETag='"v1"'))

    assert taken(deliver(upstream_gateway, image_url(origin))) == (PNG, True)
    assert len(old.asked) == 1
    assert len(provider.seen) == 2


@pytest.mark.parametrize("refusal", [envelope(500, "down", status=500), envelope(404, "no image")])
def test_a_direct_url_whose_time_is_over_by_our_clock_alone_goes_on_when_there_is_no_other(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, refusal: bytes
) -> None:
    signed_at = datetime.fromtimestamp(time.time() - 60, UTC)
    url = origin.route("/direct/1.png", Flaky(PNG, closed(5000)))
    converted(provider, f"{url}?X-Amz-Date={signed_at:%Y%m%dT%H%M%SZ}&X-Amz-Expires=60")
    delivered = deliver(upstream_gateway, image_url(origin))
    provider.route(PROVIDER_CALL, refusal)

    assert taken(delivered) == (PNG, True)


def test_an_origin_that_breaks_off_costs_the_provider_nothing_while_the_direct_url_lives(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    converted(provider, origin.route("/direct/1.png", Flaky(PNG, closed(5000), closed(2000))))

    assert taken(deliver(upstream_gateway, image_url(origin))) == (PNG, True)
    assert len(provider.seen) == 1


def test_a_renewed_direct_url_to_another_file_is_the_end(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    converted(provider, dying(origin, 403), origin.serve("/direct/2.png", PNG, ETag='"v2"'))

    assert taken(deliver(upstream_gateway, image_url(origin))) == (PNG[:5000], False)


def test_a_direct_url_that_cannot_be_renewed_is_the_end(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    direct_url, calls = dying(origin, 403), []

    def convert(_request: Request) -> bytes:
        calls.append(1)
        return envelope(data=direct_url) if len(calls) == 1 else envelope(404, "no image")

    provider.route(PROVIDER_CALL, convert)

    assert taken(deliver(upstream_gateway, image_url(origin))) == (PNG[:5000], False)
    assert len(calls) == 2


def test_direct_urls_that_all_die_at_once_do_not_hammer_the_provider(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    def begins_and_dies(request: Request) -> bytes:
        return answer(403) if "range" in request.headers else beginning(file_answer(request, PNG, STRONG), 5000)

    converted(provider, origin.route("/direct/1.png", begins_and_dies))

    for _ in range(5):
        assert taken(deliver(upstream_gateway, image_url(origin))) == (PNG[:5000], False)

    assert len(provider.seen) == 1 + MAX_RENEWALS


# --- what we keep ourselves


class Shaky(FolderObjectStore):
    """A folder on a disk that fails now and then."""

    failures = 0
    readings = most_readings = 0

    def open(self, stored: StoredObject, first: int, last: int) -> "ShakySpan":
        self.failures -= 1
        self.readings += 1
        self.most_readings = max(self.most_readings, self.readings)
        byte_range = ShakySpan(str(self._path(stored.digest)), first, last)
        byte_range.store, byte_range.breaks = self, self.failures >= 0
        return byte_range


class ShakySpan(FileRangeReader):
    store: Shaky
    breaks = False
    begun = False

    def read(self, amount: int, /) -> bytes:
        if self.begun and self.breaks:
            raise StorageDown("the disk fails")
        self.begun = True
        return super().read(min(amount, 1000))

    def close(self) -> None:
        self.store.readings -= 1
        super().close()


def kept(objects: ObjectStore, body: bytes = PNG) -> StoredSource:
    """An object as it is served at its own URL."""
    with objects.new_upload() as incoming:
        incoming.write(body)
        return StoredSource(objects, objects.put(incoming), SignedFileUrl(named), math.inf)


@pytest.mark.parametrize(("asked", "part"), [("", PNG), ("bytes=4000-", PNG[4000:]), ("bytes=10-5000", PNG[10:5001])])
def test_a_disk_that_fails_on_the_way_is_asked_again(gateway: Gateway, tmp_path: Path, asked: str, part: bytes) -> None:
    objects = Shaky(tmp_path)
    source = kept(objects)
    objects.failures = 4

    delivered = deliver(gateway, "file:cat", DownloadRequest(range=asked), source)

    assert taken(delivered) == (part, True)
    assert delivered.stats.resumes == 4
    assert (objects.most_readings, objects.readings) == (1, 0)


def test_a_disk_that_goes_on_failing_is_the_end(gateway: Gateway, tmp_path: Path) -> None:
    objects = Shaky(tmp_path)
    source = kept(objects, BIG)
    objects.failures = 999

    got, ended = taken(deliver(gateway, "file:cat", None, source))

    assert (got, ended) == (BIG[: len(got)], False)
    assert objects.readings == 0


def test_an_object_that_was_shortened_on_the_disk_never_looks_whole(gateway: Gateway, tmp_path: Path) -> None:
    source = kept(FolderObjectStore(tmp_path))
    path = next(path for path in tmp_path.glob("??/*"))
    path.write_bytes(PNG[:5000])

    assert taken(deliver(gateway, "file:cat", None, source)) == (PNG[:5000], False)


def test_an_object_that_was_dropped_on_the_way_is_fetched_again(origin: ScriptedServer, tmp_path: Path) -> None:
    gateway = store_gateway(tmp_path, origin.address)
    url = origin.serve("/v/big.png", BIG)
    put_record(gateway, url)
    source = gateway.services.resolver.resolve("task12345", url)
    shaky = Shaky(tmp_path / "store")
    shaky.failures = 1
    delivered = deliver(
        gateway, url, None, StoredSource(shaky, stored_of(BIG), SignedFileUrl(named), source.expires_at)
    )
    assert isinstance(source, StoredSource)
    shaky.delete(source.stored.digest)

    assert taken(delivered) == (BIG, True)
    assert len(origin.seen) == 2


@pytest.mark.parametrize(("asked", "part"), [("", PNG), ("bytes=4000-", PNG[4000:])])
def test_a_bucket_that_breaks_off_is_asked_again(
    gateway: Gateway, origin: ScriptedServer, monkeypatch: pytest.MonkeyPatch, asked: str, part: bytes
) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    stored = stored_of(PNG)
    file = Flaky(PNG, closed(3000), reset(2000))
    origin.route(f"/bucket/{stored.digest}", file)
    objects = S3ObjectStore(Bucket("bucket", ""), origin.url(""))

    delivered = deliver(
        gateway, "file:cat", DownloadRequest(range=asked), StoredSource(objects, stored, SignedFileUrl(named), math.inf)
    )

    assert taken(delivered) == (part, True)
    assert delivered.stats.resumes == 2


def named(digest: str, name: str) -> str:
    return f"/files/{digest}/{name}"


def stored_of(body: bytes) -> StoredObject:
    return StoredObject(hashlib.sha256(body).hexdigest(), len(body), body[:64])


def put_record(gateway: Gateway, url: str) -> None:
    """Tell the gateway of a task."""
    gateway.client.put(
        "/api/v1/records/task12345",
        json={"status": "SUCCESS", "resultUrls": [url]},
        headers={"Authorization": f"Bearer {API_KEY}"},
    )


def test_an_object_that_was_dropped_is_not_looked_for_as_if_it_were_a_task(tmp_path: Path) -> None:
    gateway = store_gateway(tmp_path)
    objects = FolderObjectStore(tmp_path / "objects")
    source = kept(objects)
    objects.delete(source.stored.digest)

    with pytest.raises(OriginNotFound):
        deliver(gateway, "file:cat", None, source)
