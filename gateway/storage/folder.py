"""Object store in a folder: files named by their digest, linked into place when they are complete."""

import math
import os
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from gateway.storage.object_store import DIGEST, StoredObject, Upload, disk_errors
from gateway.storage.thread_pool import run_in_thread

_STALE_UPLOAD_S = 3600
_TOUCH_EVERY_S = 600
_EXTRA_EVICTED = 0.05  # of the limit, so that not every new object causes an eviction
_SCAN_AFTER = 0.01  # of the limit, written by this worker since its last scan; other workers write too
_BATCH = 200

Evict = Callable[[Collection[str]], Collection[str]]


class FolderObjectStore:
    """Stores each object in a file. After a crash there are no partial objects, only temporary files, deleted later.

    Args:
        root: the folder; created if missing.
        max_bytes: maximum total size, beyond which the least recently used objects are evicted; None for no limit.
        clock: Unix seconds.
        evict: deletes the objects that can be fetched again, and returns their digests; by default deletes all.
    """

    def __init__(
        self,
        root: Path,
        max_bytes: int | None = None,
        clock: Callable[[], float] = time.time,
        evict: Evict | None = None,
    ) -> None:
        self._root, self._incoming = root, root / "incoming"
        self._max_bytes = max_bytes
        self._clock = clock
        self._evict = evict or self._delete_all
        self._written_bytes: float = math.inf  # since the last scan; none yet
        with suppress(OSError):  # the methods report a folder that cannot be used
            self._incoming.mkdir(parents=True, exist_ok=True)
            self._delete_stale_uploads()

    @contextmanager
    def new_upload(self) -> Iterator[Upload]:
        """A temporary file in the same file system."""
        with disk_errors():
            file = tempfile.NamedTemporaryFile(dir=self._incoming)  # noqa: SIM115 (closed by the block below)
        with file:
            yield Upload(cast("BinaryIO", file))

    def put(self, upload: Upload) -> StoredObject:
        """Sync the bytes to the disk, then link the file under its digest; the temporary name is deleted later."""
        upload.sync()
        stored = upload.stored
        path = self._path(stored.digest)
        with disk_errors():
            path.parent.mkdir(exist_ok=True)
            try:
                os.link(upload.file.name, path)
            except FileExistsError:
                with suppress(FileNotFoundError):  # deleted at the same time; ``exists`` reports it
                    os.utime(path)
            _sync_folder(path.parent)
        self._enforce_limit(stored)
        return stored

    def exists(self, stored: StoredObject) -> bool:
        """Whether the file exists. Its modification time is its last use, accurate to ten minutes."""
        path = self._path(stored.digest)
        with disk_errors():
            try:
                if self._clock() - path.stat().st_mtime > _TOUCH_EVERY_S:
                    os.utime(path, (self._clock(), self._clock()))
            except FileNotFoundError:
                return False
        return True

    def open(self, stored: StoredObject, first: int, last: int) -> "FileRangeReader":
        """Open a range of the file.

        Raises:
            FileNotFoundError: the file does not exist.
        """
        with disk_errors(FileNotFoundError):
            return FileRangeReader(f"{self._root}/{stored.digest[:2]}/{stored.digest[2:]}", first, last)

    def delete(self, digest: str) -> None:
        """Delete the file. Open readers can read it to its end."""
        with disk_errors():
            run_in_thread(partial(self._path(digest).unlink, missing_ok=True))  # freeing a large file's blocks is slow

    def list_unused_since(self, time_s: float) -> Iterator[Sequence[str]]:
        """List the folder, without files that are not objects."""
        with disk_errors():
            files = run_in_thread(self._files)
        yield [file.digest for file in files if file.used_at < time_s and DIGEST.fullmatch(file.digest)]

    def warm_up(self) -> None:
        """Do nothing."""

    def is_available(self) -> bool:
        """Whether files can be created in the folder."""
        return os.access(self._incoming, os.W_OK | os.X_OK)

    def _path(self, digest: str) -> Path:
        return self._root / digest[:2] / digest[2:]

    def _enforce_limit(self, newest: StoredObject) -> None:
        """From time to time scan the folder, and evict the least recently used objects beyond the limit."""
        if self._max_bytes is None:
            return
        self._written_bytes += newest.length
        if self._written_bytes < _SCAN_AFTER * self._max_bytes:
            return
        self._written_bytes = 0
        with disk_errors():
            files = run_in_thread(self._files)
        excess = sum(file.size for file in files) - self._max_bytes
        if excess > 0:
            self._evict_oldest(files, excess + _EXTRA_EVICTED * self._max_bytes, newest.digest)

    def _evict_oldest(self, files: list["_File"], excess: float, newest: str) -> None:
        """Evict files, the least recently used first, until ``excess`` bytes are deleted."""
        remaining = iter([file for file in files if file.digest != newest])
        while excess > 0 and (batch := _next_batch(remaining, excess)):
            evicted = self._evict([file.digest for file in batch])
            excess -= sum(file.size for file in batch if file.digest in evicted)

    def _delete_all(self, digests: Collection[str]) -> Collection[str]:
        for digest in digests:
            self.delete(digest)
        return digests

    def _files(self) -> list["_File"]:
        """All objects, the least recently used first."""
        files = []
        for folder in filter(Path.is_dir, self._root.glob("??")):
            for entry in os.scandir(folder):
                with suppress(FileNotFoundError):
                    stat = entry.stat()
                    files.append(_File(folder.name + entry.name, stat.st_size, stat.st_mtime))
        return sorted(files, key=lambda file: file.used_at)

    def _delete_stale_uploads(self) -> None:
        for path in self._incoming.iterdir():
            with suppress(FileNotFoundError):  # another worker deleted it
                if self._clock() - path.stat().st_mtime > _STALE_UPLOAD_S:
                    path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _File:
    digest: str
    size: int
    used_at: float


def _next_batch(files: Iterator[_File], size: float) -> list[_File]:
    """The next files with at least ``size`` bytes together; at most one batch."""
    batch: list[_File] = []
    for file in files:
        batch.append(file)
        size -= file.size
        if size <= 0 or len(batch) == _BATCH:
            break
    return batch


class FileRangeReader:
    """Reads a range of a file through a descriptor: opening a Python file object takes longer than reading it.

    Attributes:
        descriptor: the file descriptor, positioned at the start of the range; -1 when closed.
    """

    __slots__ = ("_at", "_end", "descriptor")

    def __init__(self, path: str, first: int, last: int) -> None:
        self._at, self._end = first, last + 1
        self.descriptor = os.open(path, os.O_RDONLY)
        if first:
            os.lseek(self.descriptor, first, os.SEEK_SET)

    def read(self, amount: int, /) -> bytes:
        """Read at most ``amount`` bytes; empty at the end of the range."""
        with disk_errors():
            part = os.pread(self.descriptor, min(amount, self._end - self._at), self._at)
        self._at += len(part)
        return part

    def close(self) -> None:
        """Close the file; calling it again does nothing."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Sync the folder: syncing a file does not sync its name."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        run_in_thread(partial(os.fsync, descriptor))
    finally:
        os.close(descriptor)
