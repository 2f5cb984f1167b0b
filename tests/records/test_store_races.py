"""Images that are put in, replaced and deleted at the same time: none is lost, and nothing is left behind."""

import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest

from gateway.errors import InvalidBody, StorageDown
from gateway.records.record import MAX_RESULTS, Record
from gateway.services.store_services import StoreServices
from gateway.storage.database import Database
from gateway.storage.object_deleter import EXPIRES_AFTER_S, ObjectDeleter
from gateway.storage.object_index import ObjectIndex
from gateway.storage.object_store import StoredObject, Upload
from tests.support.factories import PNG, Clock, Gateway, store_gateway
from tests.support.live_gateway import happens

URL = "https://origin.example/v/cat.png"
DIGEST = "a" * 64


@pytest.fixture(params=["folder", "bucket"])
def gateway(request: pytest.FixtureRequest, tmp_path: Any) -> Gateway:
    """A gateway that keeps images in each kind of store."""
    if request.param == "folder":
        return store_gateway(tmp_path)
    changes = {"store": str(request.getfixturevalue("bucket")), "s3_endpoint_url": request.getfixturevalue("s3").url}
    return store_gateway(tmp_path, **changes)


@pytest.fixture
def own(gateway: Gateway) -> StoreServices:
    """What it keeps."""
    assert gateway.services.store is not None
    return gateway.services.store


def put(own: StoreServices, task_id: str = "task1", name: str = "cat.png", body: bytes = PNG) -> Record:
    return own.record_files.put_file(task_id, name, io.BytesIO(body).read, len(body))


def read(own: StoreServices, task_id: str, name: str = "cat.png") -> bytes:
    stored = own.index.find(task_id, f"gateway:{name}")
    assert stored is not None
    with closing(own.objects.open(stored, 0, stored.length - 1)) as reading:
        return b"".join(iter(lambda: reading.read(65536), b""))


def everything(own: StoreServices, gateway: Gateway) -> list[str]:
    """The digests of all objects in the store."""
    return [digest for page in own.objects.list_unused_since(gateway.clock.now + 1e6) for digest in page]


@contextmanager
def halted(own: StoreServices, method: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Halt whoever calls a method of the store before it does anything; the event tells that somebody does."""
    begun, go_on = threading.Event(), threading.Event()
    real: Callable[..., object] = getattr(own.objects, method)

    def halting(*arguments: object) -> object:
        if not begun.is_set():
            begun.set()
            assert go_on.wait(30)
        return real(*arguments)

    monkeypatch.setattr(own.objects, method, halting)
    try:
        yield begun
    finally:
        go_on.set()


def test_concurrent_uploads_of_one_name_leave_one_object(own: StoreServices, gateway: Gateway) -> None:
    with ThreadPoolExecutor(8) as crowd:
        list(crowd.map(lambda number: put(own, body=PNG + bytes([number])), range(16)))

    assert len(everything(own, gateway)) == 1
    assert read(own, "task1")[:-1] == PNG


def test_concurrent_uploads_respect_the_maximum_number_of_results(own: StoreServices, gateway: Gateway) -> None:
    full = tuple(f"https://origin.example/{number}.png" for number in range(MAX_RESULTS - 3))
    own.records.put(Record("task1", "SUCCESS", full, int(gateway.clock.now * 1000)))

    def outcome(number: int) -> bool:
        try:
            put(own, name=f"{number}.png", body=PNG + bytes([number]))
        except InvalidBody:
            return False
        return True

    with ThreadPoolExecutor(8) as crowd:
        kept = list(crowd.map(outcome, range(16)))

    record = own.records.find("task1")
    assert record is not None
    assert len(record.result_urls or ()) == MAX_RESULTS
    assert kept.count(True) == len(everything(own, gateway)) == 3


@pytest.mark.parametrize("deletes", ["record", "eviction"])
def test_an_image_uploaded_while_the_same_bytes_are_deleted_is_kept(
    own: StoreServices, monkeypatch: pytest.MonkeyPatch, deletes: str
) -> None:
    put(own, "task1")
    stored = own.index.find("task1", "gateway:cat.png")
    assert stored is not None
    if deletes == "eviction":  # of an image that was fetched, and could be fetched again
        own.records.delete("task1")
        own.index.put("task1", URL, stored)

    def own_delete(digest: str) -> None:
        own.objects.delete(digest)  # looked up when it is called, as it is replaced below

    evicting = ObjectDeleter(own.records._database, own_delete)  # noqa: SLF001

    with ThreadPoolExecutor(2) as workers:
        with halted(own, "delete", monkeypatch) as is_deleting:
            deleting: Future[object] = (
                workers.submit(own.record_files.delete, "task1")
                if deletes == "record"
                else workers.submit(evicting.delete, [stored.digest], evict=True)
            )
            assert is_deleting.wait(30)
            putting = workers.submit(put, own, "task2")
            assert not happens(putting.done, within_s=0.2)
        deleting.result(30)
        putting.result(30)

    assert read(own, "task2") == PNG


def test_an_object_deleted_before_it_is_registered_is_stored_again(
    own: StoreServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deletion happens between the upload and its registration."""
    put(own, "task1")
    real = own.objects.put

    def put_then_delete(upload: Upload) -> StoredObject:
        stored = real(upload)
        own.record_files.delete("task1")
        return stored

    monkeypatch.setattr(own.objects, "put", put_then_delete)
    put(own, "task2")

    assert read(own, "task2") == PNG


def test_reconcile_deletes_only_unreferenced_objects(own: StoreServices, gateway: Gateway) -> None:
    put(own, "task1")
    with own.objects.new_upload() as incoming:
        incoming.write(PNG + b"orphan")
        orphan = own.objects.put(incoming)

    young = own.sweep.reconcile()
    gateway.clock.now += 7200
    old = own.sweep.reconcile()

    assert (young, old) == (0, 1)
    assert not own.objects.exists(orphan)
    assert read(own, "task1") == PNG


def test_reconcile_keeps_an_image_uploaded_at_the_same_time(
    own: StoreServices, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    with own.objects.new_upload() as incoming:
        incoming.write(PNG)
        own.objects.put(incoming)
    gateway.clock.now += 7200

    with ThreadPoolExecutor(2) as workers:
        with halted(own, "delete", monkeypatch) as is_deleting:
            reconciling = workers.submit(own.sweep.reconcile)
            assert is_deleting.wait(30)
            putting = workers.submit(put, own, "task2")
            assert not happens(putting.done, within_s=0.2)
        assert reconciling.result(30) == 1
        putting.result(30)

    assert read(own, "task2") == PNG


def test_a_deletion_waits_for_a_registration_and_then_deletes_nothing(database: Database) -> None:
    index, dropped = ObjectIndex(database), list[str]()
    deletions = ObjectDeleter(database, dropped.append)

    with ThreadPoolExecutor(1) as worker:
        with database.write_transaction() as connection:
            index.put_in(connection, "task1", "gateway:cat.png", StoredObject(DIGEST, 1, b"x"))
            deleting = worker.submit(deletions.delete, [DIGEST])
            assert not happens(deleting.done, within_s=0.3)
        assert deleting.result(30) == set()

    assert dropped == []


def test_the_mark_of_a_killed_worker_expires(database: Database, clock: Clock) -> None:
    index = ObjectIndex(database, clock)
    killed = ObjectDeleter(database, lambda _digest: None, clock)
    killed._mark([DIGEST], evict=False)  # noqa: SLF001 (and no more)

    with pytest.raises(Exception, match=DIGEST):
        index.put("task1", URL, StoredObject(DIGEST, 1, b"x"))
    clock.now += EXPIRES_AFTER_S + 1
    index.put("task1", URL, StoredObject(DIGEST, 1, b"x"))

    assert index.find("task1", URL) is not None


def test_an_upload_times_out_waiting_for_a_deletion(own: StoreServices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.storage.ingest.DELETION_TIMEOUT_S", 0.2)
    put(own, "task1")
    stored = own.index.find("task1", "gateway:cat.png")
    assert stored is not None
    own.records.delete("task1")
    ObjectDeleter(own.records._database, own.objects.delete)._mark([stored.digest], evict=False)  # noqa: SLF001

    with pytest.raises(StorageDown, match="try again"):
        put(own, "task2")
    assert own.records.find("task2") is None
