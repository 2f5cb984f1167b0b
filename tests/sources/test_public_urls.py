"""When a visitor is redirected to the bucket's server, and when the gateway streams the bytes itself."""

from ipaddress import ip_network
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from gateway.egress.client import Client
from gateway.egress.dns_lookup import DnsLookup
from gateway.egress.guard import Guard
from gateway.errors import StorageDown
from gateway.origins.allowlist import HostPattern
from gateway.sources.public_urls import PresignedUrl, SignedFileUrl
from gateway.storage.object_store import StoredObject
from tests.support.factories import Clock
from tests.support.servers import Request, ScriptedServer, answer

OBJECT = StoredObject("5" * 64, 10, b"")
NAMED = "attachment; filename=\"cat.png\"; filename*=UTF-8''cat.png"
OURS = f"{OBJECT.digest}/cat.png"
PATH = "/bucket/key"


def honest(request: Request) -> bytes:
    """Send the name that was signed."""
    return part({"Content-Disposition": request.query["say"][0]})


def part(headers: dict[str, str]) -> bytes:
    return answer(206, b"0", {"Content-Range": "bytes 0-0/10", **headers})


class Bucket:
    """A scripted server and a signer of its URLs, which puts the wanted headers in the query."""

    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        self.has_key = True
        server.route(PATH, honest)

    def presign(self, stored: StoredObject, disposition: str, content_type: str) -> str:
        if not self.has_key:
            raise StorageDown("NoCredentialsError")
        query = urlencode({"say": disposition, "type": content_type, "key": stored.digest})
        return self.server.url(f"{PATH}?{query}")

    def public_url(self, clock: Clock, *, listed: bool = True, allow_http: bool = True) -> PresignedUrl:
        hosts = [HostPattern.parse(self.server.address)] if listed else []
        guard = Guard(hosts, [ip_network("127.0.0.0/8")], allow_http=allow_http)
        return PresignedUrl(self.presign, SignedFileUrl("{}/{}".format), Client(guard, DnsLookup()), guard, clock)


@pytest.fixture
def bucket(origin: ScriptedServer) -> Bucket:
    return Bucket(origin)


def test_a_signed_file_url_has_the_name_and_is_not_redirected_to() -> None:
    public_url = SignedFileUrl("{}/{}".format)

    assert public_url.redirect_blocker(OBJECT) == "own-bytes"
    url = public_url.url(OBJECT, "attachment; filename=\"_ b.png\"; filename*=UTF-8''%D1%8F%20b.png", "image/png")
    assert url == f"{OBJECT.digest}/я b.png"


def test_a_server_that_sends_the_name_is_redirected_to(bucket: Bucket, clock: Clock) -> None:
    public_url = bucket.public_url(clock)

    assert public_url.redirect_blocker(OBJECT) == ""
    url = public_url.url(OBJECT, NAMED, "image/png")
    assert parse_qs(urlsplit(url).query) == {"say": [NAMED], "type": ["image/png"], "key": [OBJECT.digest]}


def test_the_server_is_tried_once_and_with_one_byte(bucket: Bucket, clock: Clock) -> None:
    public_url = bucket.public_url(clock)
    for _ in range(3):
        public_url.redirect_blocker(OBJECT)
        public_url.url(OBJECT, NAMED, "image/png")
        clock.now += 86_400

    assert [request.headers["range"] for request in bucket.server.seen] == ["bytes=0-0"]


def test_a_server_that_ignores_the_name_is_not_redirected_to(bucket: Bucket, clock: Clock) -> None:
    for said in ("", "attachment", "inline", "attachment; filename=key"):
        bucket.server.seen.clear()
        bucket.server.route(PATH, part({"Content-Disposition": said} if said else {}))
        public_url = bucket.public_url(clock)

        assert public_url.redirect_blocker(OBJECT) == "name-ignored", said
        assert public_url.url(OBJECT, NAMED, "image/png") == OURS, said
        assert len(bucket.server.seen) == 1, said


def test_a_private_or_plain_http_server_is_not_redirected_to(bucket: Bucket, clock: Clock) -> None:
    private = bucket.public_url(clock, listed=False)

    assert private.redirect_blocker(OBJECT) == "private-endpoint"
    assert private.url(OBJECT, NAMED, "image/png") == OURS
    assert bucket.server.seen == []
    assert bucket.public_url(clock, allow_http=False).redirect_blocker(OBJECT) == "private-endpoint"


def test_a_server_that_fails_is_tried_again_after_a_minute(bucket: Bucket, clock: Clock) -> None:
    for failed in (answer(503), answer(403), answer(404), b""):
        bucket.server.route(PATH, failed)
        public_url = bucket.public_url(clock)
        assert public_url.redirect_blocker(OBJECT) == "endpoint-failed", failed
        bucket.server.route(PATH, honest)

        clock.now += 59
        assert public_url.redirect_blocker(OBJECT) == "endpoint-failed", failed
        assert public_url.url(OBJECT, NAMED, "image/png") == OURS, failed

        clock.now += 2
        assert public_url.redirect_blocker(OBJECT) == "", failed


def test_a_missing_key_is_an_error_that_is_not_remembered(bucket: Bucket, clock: Clock) -> None:
    public_url, bucket.has_key = bucket.public_url(clock), False
    for _ in range(2):
        with pytest.raises(StorageDown):
            public_url.redirect_blocker(OBJECT)

    bucket.has_key = True

    assert public_url.redirect_blocker(OBJECT) == ""
