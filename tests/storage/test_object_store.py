"""The contract of ObjectStore, for every implementation; then the promises of a bucket."""

import hashlib
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import Protocol
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from gateway.errors import StorageDown
from gateway.settings import Bucket
from gateway.storage.folder import FolderObjectStore
from gateway.storage.object_store import ObjectStore, StoredObject
from gateway.storage.s3 import S3ObjectStore
from tests.support.buckets import SECRET, Cable, S3Server
from tests.support.certificates import make_certificate, server_context
from tests.support.factories import PNG
from tests.support.live_gateway import ROOT, happens
from tests.support.servers import ScriptedServer, answer

BYTES = bytes(range(256)) * 100
LARGE = Random(7).randbytes(24 * 2**20)
NAMED = "attachment; filename=\"a cat.png\"; filename*=UTF-8''%D1%8F.png"


class Store(Protocol):
    """An empty store, and how a test looks behind it."""

    objects: ObjectStore

    def names(self) -> list[str]:
        """Everything that is in it."""

    def break_down(self, stored: StoredObject) -> None:
        """Have it fail for this object from now on."""


class FolderStore:
    def __init__(self, root: Path) -> None:
        self._root = root
        self.objects: ObjectStore = FolderObjectStore(root)

    def names(self) -> list[str]:
        return [path.name for path in self._root.rglob("*") if path.is_file()]

    def break_down(self, stored: StoredObject) -> None:
        for path in self._root.glob("??/*"):
            path.unlink()
            path.parent.rmdir()
        (self._root / stored.digest[:2]).touch()


class BucketStore:
    def __init__(self, server: S3Server, bucket: Bucket, cable: Cable) -> None:
        self._server, self._bucket, self._cable = server, bucket, cable
        self.objects: ObjectStore = S3ObjectStore(bucket, f"http://127.0.0.1:{cable.port}")

    def names(self) -> list[str]:
        return self._server.keys(self._bucket)

    def break_down(self, stored: StoredObject) -> None:  # noqa: ARG002 (for every object)
        self._cable.cut()


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "folder":
        yield FolderStore(tmp_path / "store")
        return
    server = request.getfixturevalue("s3")
    with Cable(server.port) as cable:
        yield BucketStore(server, request.getfixturevalue("bucket"), cable)


@pytest.fixture
def objects(store: Store) -> ObjectStore:
    return store.objects


def kept(objects: ObjectStore, content: bytes = BYTES) -> StoredObject:
    with objects.new_upload() as upload:
        for begin in range(0, len(content), 1000):
            upload.write(content[begin : begin + 1000])
        return objects.put(upload)


def everything(objects: ObjectStore, stored: StoredObject, first: int, last: int) -> bytes:
    with closing(objects.open(stored, first, last)) as reading:
        parts = list(iter(lambda: reading.read(777), b""))
    assert max(map(len, parts)) <= 777
    return b"".join(parts)


class TestEveryStore:
    def test_an_object_and_any_part_of_it_come_back_unchanged(self, objects: ObjectStore) -> None:
        stored = kept(objects)

        assert stored == StoredObject(hashlib.sha256(BYTES).hexdigest(), len(BYTES), BYTES[:64])
        assert objects.exists(stored)
        for first, last in ((0, len(BYTES) - 1), (0, 0), (1000, 1999), (25_599, 25_599)):
            assert everything(objects, stored, first, last) == BYTES[first : last + 1]
        assert everything(objects, kept(objects, b"x"), 0, 0) == b"x"

    def test_the_same_bytes_are_kept_once(self, store: Store) -> None:
        assert kept(store.objects) == kept(store.objects)

        assert len(store.names()) == 1

    def test_what_was_not_kept_leaves_nothing_behind(self, store: Store) -> None:
        with store.objects.new_upload() as upload:
            upload.write(BYTES)
            assert not store.objects.exists(upload.stored)

        assert store.names() == []

    def test_what_was_never_kept_is_not_there(self, objects: ObjectStore) -> None:
        unknown = StoredObject("0" * 64, 10, b"")

        assert not objects.exists(unknown)
        with pytest.raises(FileNotFoundError):
            objects.open(unknown, 0, 9)

    def test_a_deleted_object_is_gone(self, store: Store) -> None:
        stored, other = kept(store.objects), kept(store.objects, b"other")

        store.objects.delete(stored.digest)
        store.objects.delete(stored.digest)

        assert not store.objects.exists(stored)
        with pytest.raises(FileNotFoundError):
            store.objects.open(stored, 0, 1)
        assert len(store.names()) == 1
        assert everything(store.objects, other, 0, 4) == b"other"

    def test_a_deleted_object_can_be_kept_again(self, objects: ObjectStore) -> None:
        objects.delete(kept(objects).digest)

        assert everything(objects, kept(objects), 0, 9) == BYTES[:10]

    def test_reading_may_end_before_the_object_does(self, objects: ObjectStore) -> None:
        stored = kept(objects, LARGE)

        with closing(objects.open(stored, 0, len(LARGE) - 1)) as reading:
            assert reading.read(100) == LARGE[:100]

        assert everything(objects, stored, 0, 9) == LARGE[:10]

    def test_many_threads_may_use_a_store(self, objects: ObjectStore) -> None:
        def use(number: int) -> bool:
            content = BYTES + bytes([number % 4])
            stored = kept(objects, content)
            return objects.exists(stored) and everything(objects, stored, 5, len(content) - 1) == content[5:]

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(use, range(12)))
        assert objects.is_available()

    def test_every_operation_of_a_failed_store_raises_storage_down(self, store: Store) -> None:
        objects, stored = store.objects, kept(store.objects)
        store.break_down(stored)

        for ask in (
            lambda: kept(objects),
            lambda: objects.exists(stored),
            lambda: objects.open(stored, 0, 1),
            lambda: objects.delete(stored.digest),
        ):
            with pytest.raises(StorageDown):
                ask()


# --- what only a bucket promises


def test_the_bucket_has_an_object_under_its_digest_and_says_its_type(s3: S3Server, bucket: Bucket) -> None:
    stored = kept(S3ObjectStore(bucket, s3.url), PNG)

    assert s3.keys(bucket) == [f"images/kept/{stored.digest}"]
    head = s3.client.head_object(Bucket=bucket.name, Key=f"images/kept/{stored.digest}")
    assert (head["ContentType"], head["ContentLength"]) == ("image/png", len(PNG))


def test_without_a_prefix_the_key_is_the_digest(s3: S3Server, bucket: Bucket) -> None:
    stored = kept(S3ObjectStore(Bucket(bucket.name), s3.url))

    assert s3.keys(bucket) == [stored.digest]


def test_a_presigned_url_downloads_with_its_name_and_type(s3: S3Server, bucket: Bucket) -> None:
    objects = S3ObjectStore(bucket, s3.url)
    url = objects.presign(kept(objects, PNG), NAMED, "image/webp")

    with urlopen(url) as whole, urlopen(Request(url, headers={"Range": "bytes=5-9"})) as part:
        assert (whole.read(), part.read()) == (PNG, PNG[5:10])
        assert (whole.headers["Content-Disposition"], whole.headers["Content-Type"]) == (NAMED, "image/webp")
    assert "X-Amz-Expires=1200&" in url
    assert SECRET not in url


def test_an_altered_presigned_url_is_refused(s3: S3Server, bucket: Bucket) -> None:
    objects = S3ObjectStore(bucket, s3.url)
    url = objects.presign(kept(objects), NAMED, "image/png")

    for signed, altered in {"a%20cat.png": "a%20cat.exe", "Expires=1200": "Expires=9999"}.items():
        assert signed in url
        assert status_of(url.replace(signed, altered)) == 403


def test_an_expired_presigned_url_is_refused(s3: S3Server, bucket: Bucket) -> None:
    objects = S3ObjectStore(bucket, s3.url, url_life_s=2)
    url = objects.presign(kept(objects), NAMED, "image/png")

    assert status_of(url) == 200
    assert happens(lambda: status_of(url) == 403)


def status_of(url: str) -> int:
    try:
        with urlopen(url) as response:
            return int(response.status)
    except HTTPError as refused:
        with refused:
            return refused.code


def test_the_error_of_a_wrong_key_names_the_remedy(
    s3: S3Server, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is wrong"
    missing = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    cases: list[tuple[dict[str, str], str]] = [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, wrong),
        ({"AWS_ACCESS_KEY_ID": "test:nobody"}, wrong),
        ({"AWS_ACCESS_KEY_ID": "test:guest"}, "the key must be allowed to get, put and delete objects"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, missing),
        ({"AWS_SECRET_ACCESS_KEY": ""}, missing),
    ]
    for changed, remedy in cases:
        with monkeypatch.context() as environment:
            for name, value in changed.items():
                environment.setenv(name, value) if value else environment.delenv(name)

            with pytest.raises(StorageDown, match=remedy) as down:
                kept(S3ObjectStore(bucket, s3.url))

            assert SECRET not in str(down.value)
            assert not S3ObjectStore(bucket, s3.url).is_available()


def test_the_error_of_a_missing_bucket_names_the_remedy(s3: S3Server, bucket: Bucket) -> None:
    objects = S3ObjectStore(Bucket(bucket.name + "-other"), s3.url)

    with pytest.raises(StorageDown, match="create the bucket, or correct GATEWAY_STORE"):
        kept(objects)
    with pytest.raises(StorageDown):
        objects.open(StoredObject("0" * 64, 10, b""), 0, 9)
    assert not objects.is_available()


def test_the_error_of_a_server_that_does_not_listen_names_the_remedy(s3: S3Server, bucket: Bucket) -> None:
    with Cable(s3.port) as cable:
        objects = S3ObjectStore(bucket, f"http://127.0.0.1:{cable.port}")
    began = time.monotonic()

    with pytest.raises(StorageDown, match="no response from GATEWAY_S3_ENDPOINT_URL"):
        kept(objects)

    assert not objects.is_available()
    assert time.monotonic() - began < 4


def test_availability_is_cached_for_some_seconds(s3: S3Server, bucket: Bucket) -> None:
    with Cable(s3.port) as cable:
        objects = S3ObjectStore(bucket, f"http://127.0.0.1:{cable.port}")
        assert objects.is_available()

    assert objects.is_available()
    assert not S3ObjectStore(bucket, f"http://127.0.0.1:{cable.port}").is_available()


def test_a_silent_server_is_unavailable_within_seconds(s3: S3Server, bucket: Bucket) -> None:
    with Cable(s3.port, most_up=0) as cable:
        began = time.monotonic()

        assert not S3ObjectStore(bucket, f"http://127.0.0.1:{cable.port}").is_available()

    assert time.monotonic() - began < 4


def test_a_connection_that_breaks_during_a_read_is_an_error(s3: S3Server, bucket: Bucket) -> None:
    with Cable(s3.port) as cable:
        objects = S3ObjectStore(bucket, f"http://127.0.0.1:{cable.port}")
        stored = kept(objects, LARGE)
        with closing(objects.open(stored, 0, len(LARGE) - 1)) as reading:
            assert reading.read(1000) == LARGE[:1000]
            cable.cut()

            with pytest.raises(StorageDown):
                b"".join(iter(lambda: reading.read(65536), b""))


def test_tls_that_breaks_during_a_read_is_an_error(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as other:
        other.submit(send_half_and_garbage, listener, server_context(certificate))
        objects = S3ObjectStore(bucket, f"https://127.0.0.1:{listener.getsockname()[1]}")
        with closing(objects.open(StoredObject("0" * 64, 10, b""), 0, 9)) as reading, pytest.raises(StorageDown):
            reading.read(10)


def send_half_and_garbage(listener: socket.socket, tls: ssl.SSLContext) -> None:
    plain, _ = listener.accept()
    with plain.dup() as below, tls.wrap_socket(plain, server_side=True) as connection:
        connection.recv(65536)
        head = {"Content-Range": "bytes 0-9/10", "Content-Length": "10"}
        connection.sendall(answer(206, b"01234", head))
        below.sendall(b"no record of TLS")


def test_the_error_of_an_untrusted_certificate_names_the_remedy(bucket: Bucket, tmp_path: Path) -> None:
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as other:
        other.submit(shake_hands, listener, server_context(make_certificate(tmp_path)), done)
        objects = S3ObjectStore(bucket, f"https://127.0.0.1:{listener.getsockname()[1]}")

        try:
            with pytest.raises(StorageDown, match="set AWS_CA_BUNDLE if the server uses a private certificate"):
                objects.delete("0" * 64)
        finally:
            done.set()


def shake_hands(listener: socket.socket, tls: ssl.SSLContext, done: threading.Event) -> None:
    """Once for each attempt of the client."""
    listener.settimeout(0.2)
    while not done.is_set():
        with suppress(OSError), tls.wrap_socket(listener.accept()[0], server_side=True):
            pass


def test_an_upload_that_breaks_off_leaves_nothing(s3: S3Server, bucket: Bucket) -> None:
    with Cable(s3.port, most_up=2**20) as cable, ThreadPoolExecutor(1) as other:
        objects = S3ObjectStore(bucket, f"http://127.0.0.1:{cable.port}")
        upload = other.submit(kept, objects, LARGE)
        assert cable.stopped_up.wait(10)
        cable.cut()

        with pytest.raises(StorageDown):
            upload.result(20)

    assert s3.keys(bucket) == []
    assert "Uploads" not in s3.client.list_multipart_uploads(Bucket=bucket.name)


def test_another_part_than_the_one_asked_for_is_an_error(origin: ScriptedServer, bucket: Bucket) -> None:
    stored = StoredObject("0" * 64, 10, b"")
    for sent in (
        answer(200, b"0123456789"),
        answer(206, b"0123", {"Content-Range": "bytes 0-3/10"}),
        answer(206, b"2345", {"Content-Range": "bytes 2-5/11"}),
    ):
        origin.route(f"/{bucket.name}/images/kept/{stored.digest}", sent)
        with pytest.raises(StorageDown):
            S3ObjectStore(bucket, origin.url("")).open(stored, 2, 5)


def test_no_proxy_and_no_endpoint_of_the_environment_is_used(
    s3: S3Server, bucket: Bucket, origin: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, origin.url(""))

    assert S3ObjectStore(bucket, s3.url).exists(kept(S3ObjectStore(bucket, s3.url)))
    assert origin.seen == []
    assert (
        S3ObjectStore(bucket)
        .presign(StoredObject("0" * 64, 1, b""), NAMED, "image/png")
        .startswith(f"https://{bucket.name}.s3.amazonaws.com/images/kept/000")
    )


def test_a_large_object_takes_no_more_memory_than_a_small_one(s3: S3Server, bucket: Bucket) -> None:
    small, large = (peak_mib(s3, bucket, mib) for mib in (2, 48))

    assert large - small < 16


def peak_mib(s3: S3Server, bucket: Bucket, mib: int) -> int:
    """How much memory a process takes at most to keep and read an object of so many MiB."""
    program = f"""
from pathlib import Path
from gateway.settings import Bucket
from gateway.storage.s3 import S3ObjectStore
objects = S3ObjectStore(Bucket({bucket.name!r}), {s3.url!r})
with objects.new_upload() as incoming:
    for number in range({mib}):
        incoming.write(bytes([number % 256]) * 2**20)
    stored = objects.put(incoming)
reading = objects.open(stored, 0, stored.length - 1)
assert sum(len(part) for part in iter(lambda: reading.read(256 * 1024), b"")) == stored.length
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=os.environ, capture_output=True, check=True)
    return int(run.stdout) // 1024
