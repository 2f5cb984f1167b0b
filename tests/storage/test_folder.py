"""What only a folder promises; its contract is in test_objects.py."""

import os
import shutil
from pathlib import Path

import pytest

from gateway.errors import StorageDown, StorageFull
from gateway.storage.folder import FolderObjectStore
from gateway.storage.object_store import StoredObject
from tests.support.factories import Clock

BYTES = bytes(range(256)) * 100


@pytest.fixture
def objects(tmp_path: Path) -> FolderObjectStore:
    return FolderObjectStore(tmp_path / "store")


def kept(objects: FolderObjectStore, content: bytes = BYTES) -> StoredObject:
    with objects.new_upload() as upload:
        for begin in range(0, len(content), 1000):
            upload.write(content[begin : begin + 1000])
        return objects.put(upload)


def files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "store").rglob("*") if path.is_file()]


def test_the_next_start_deletes_temporary_files_of_a_crash(tmp_path: Path) -> None:
    FolderObjectStore(tmp_path / "store")
    leftover = tmp_path / "store" / "incoming" / "half"
    leftover.write_bytes(BYTES)
    os.utime(leftover, (1, 1))

    FolderObjectStore(tmp_path / "store")

    assert files(tmp_path) == []


def test_a_deleted_object_can_be_read_to_its_end_by_open_readers(objects: FolderObjectStore) -> None:
    stored = kept(objects)
    reading = objects.open(stored, 0, len(BYTES) - 1)

    objects.delete(stored.digest)

    assert reading.read(len(BYTES)) == BYTES
    reading.close()


def test_a_deleted_folder_is_not_available(objects: FolderObjectStore, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "store")

    assert not objects.is_available()
    with pytest.raises(StorageDown), objects.new_upload():
        pass


def test_using_a_folder_that_cannot_be_created_raises(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    objects = FolderObjectStore(tmp_path / "file" / "store")

    assert not objects.is_available()
    with pytest.raises(StorageDown), objects.new_upload():
        pass


def test_foreign_files_in_the_folder_are_ignored(tmp_path: Path) -> None:
    objects = FolderObjectStore(tmp_path / "store", max_bytes=2500)
    (tmp_path / "store" / "me").touch()

    assert objects.exists(kept(objects))


def test_beyond_its_limit_the_store_evicts_the_least_recently_used_objects(tmp_path: Path) -> None:
    clock = Clock()
    objects = FolderObjectStore(tmp_path / "store", max_bytes=2500, clock=clock)
    first, second = kept(objects, b"1" * 1000), kept(objects, b"2" * 1000)
    for stored, used_at in ((first, 100), (second, 200)):
        os.utime(tmp_path / "store" / stored.digest[:2] / stored.digest[2:], (used_at, used_at))
    assert objects.exists(first)  # which is a use

    third = kept(objects, b"3" * 1000)

    assert [objects.exists(stored) for stored in (first, second, third)] == [True, False, True]


def test_a_full_disk_raises_storage_full(objects: FolderObjectStore) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")

    with objects.new_upload() as upload, Path("/dev/full").open("wb", buffering=0) as full:
        upload.file = full
        with pytest.raises(StorageFull):
            upload.write(BYTES)
