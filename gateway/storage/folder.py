"""ObjectStore in a folder: content-addressed files, written whole and then renamed into place."""

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

_LEFTOVER_AGE_S = 3600
_NOTE_USE_EVERY_S = 600
_ROOM_MADE = 0.05  # of the limit, so that not every new object makes room anew
_LOOK_AFTER = 0.01  # of the limit, taken in since the last look: other workers take in objects too
_BATCH = 200

Evict = Callable[[Collection[str]], Collection[str]]


class FolderObjectStore:
    """Keeps each object in a file named by its digest. After a crash there is no half file: only a leftover to clear.

    Args:
        root: the folder; made when it is missing.
        most_bytes: beyond it the least recently used objects go; None for no limit.
        evict: deletes those of the objects that could be fetched again, and gives their digests; None deletes them all.
    """

    def __init__(
        self,
        root: Path,
        most_bytes: int | None = None,
        clock: Callable[[], float] = time.time,
        evict: Evict | None = None,
    ) -> None:
        self._root, self._incoming = root, root / "incoming"
        self._most_bytes = most_bytes
        self._clock = clock
        self._evict = evict or self._delete_all
        self._taken_in: float = math.inf  # nobody has looked yet
        with suppress(OSError):  # a folder that cannot be used is told by whoever uses it, and by ``answers``
            self._incoming.mkdir(parents=True, exist_ok=True)
            self._clear_leftovers()

    @contextmanager
    def new_upload(self) -> Iterator[Upload]:
        """A temporary file in the same file system; gone when the block ends."""
        with disk_errors():
            file = tempfile.NamedTemporaryFile(dir=self._incoming)  # noqa: SIM115 (closed by the block below)
        with file:
            yield Upload(cast("BinaryIO", file))

    def put(self, upload: Upload) -> StoredObject:
        """Bring the bytes to the disk, then give them their name: a link, as the temporary name goes by itself."""
        upload.sync()
        stored = upload.stored
        path = self._path(stored.digest)
        with disk_errors():
            path.parent.mkdir(exist_ok=True)
            try:
                os.link(upload.file.name, path)
            except FileExistsError:
                with suppress(FileNotFoundError):  # dropped in this very moment: whoever asks finds it missing
                    os.utime(path)
            _sync_folder(path.parent)
        self._make_room(stored)
        return stored

    def exists(self, stored: StoredObject) -> bool:
        """Tell whether the file is there; its time is its last use, to within ten minutes."""
        path = self._path(stored.digest)
        with disk_errors():
            try:
                if self._clock() - path.stat().st_mtime > _NOTE_USE_EVERY_S:
                    os.utime(path, (self._clock(), self._clock()))
            except FileNotFoundError:
                return False
        return True

    def open(self, stored: StoredObject, first: int, last: int) -> "FileRangeReader":
        """Open a span of the file.

        Raises:
            FileNotFoundError: it was evicted or deleted meanwhile.
        """
        with disk_errors(FileNotFoundError):
            return FileRangeReader(f"{self._root}/{stored.digest[:2]}/{stored.digest[2:]}", first, last)

    def delete(self, digest: str) -> None:
        """Drop the file. Who has it open reads it to its end."""
        with disk_errors():
            run_in_thread(
                partial(self._path(digest).unlink, missing_ok=True)
            )  # a large file's blocks take a while to free

    def list_unused_since(self, time_s: float) -> Iterator[Sequence[str]]:
        """List the folder; files of others in it are left out."""
        with disk_errors():
            files = run_in_thread(self._files)
        yield [file.digest for file in files if file.used_at < time_s and DIGEST.fullmatch(file.digest)]

    def warm_up(self) -> None:
        """Nothing to prepare."""

    def is_available(self) -> bool:
        """Tell whether files can be made in the folder."""
        return os.access(self._incoming, os.W_OK | os.X_OK)

    def _path(self, digest: str) -> Path:
        return self._root / digest[:2] / digest[2:]

    def _make_room(self, newest: StoredObject) -> None:
        """Look, now and then, whether there is more than there may be, and drop what was used longest ago."""
        if self._most_bytes is None:
            return
        self._taken_in += newest.length
        if self._taken_in < _LOOK_AFTER * self._most_bytes:
            return
        self._taken_in = 0
        with disk_errors():
            files = run_in_thread(self._files)
        excess = sum(file.size for file in files) - self._most_bytes
        if excess > 0:
            self._drop(files, excess + _ROOM_MADE * self._most_bytes, newest.digest)

    def _drop(self, files: list["_File"], wanted: float, newest: str) -> None:
        """Evict files, the one used longest ago first, until so many bytes are gone."""
        left = iter([file for file in files if file.digest != newest])
        while wanted > 0 and (batch := _of_size(left, wanted)):
            evicted = self._evict([file.digest for file in batch])
            wanted -= sum(file.size for file in batch if file.digest in evicted)

    def _delete_all(self, digests: Collection[str]) -> Collection[str]:
        for digest in digests:
            self.delete(digest)
        return digests

    def _files(self) -> list["_File"]:
        """Every object, the one used longest ago first."""
        files = []
        for folder in filter(Path.is_dir, self._root.glob("??")):
            for entry in os.scandir(folder):
                with suppress(FileNotFoundError):
                    stat = entry.stat()
                    files.append(_File(folder.name + entry.name, stat.st_size, stat.st_mtime))
        return sorted(files, key=lambda file: file.used_at)

    def _clear_leftovers(self) -> None:
        for path in self._incoming.iterdir():
            with suppress(FileNotFoundError):  # another worker clears too, or has just kept it
                if self._clock() - path.stat().st_mtime > _LEFTOVER_AGE_S:
                    path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _File:
    digest: str
    size: int
    used_at: float


def _of_size(files: Iterator[_File], wanted: float) -> list[_File]:
    """The next files, as many as have so many bytes together, and not more than one batch."""
    taken: list[_File] = []
    for file in files:
        taken.append(file)
        wanted -= file.size
        if wanted <= 0 or len(taken) == _BATCH:
            break
    return taken


class FileRangeReader:
    """A part of a file, open for reading; by its descriptor, as Python's own files take longer to open than to read.

    Attributes:
        descriptor: the file's, positioned at the beginning of the part; -1 when it is closed.
    """

    __slots__ = ("_at", "_end", "descriptor")

    def __init__(self, path: str, first: int, last: int) -> None:
        self._at, self._end = first, last + 1
        self.descriptor = os.open(path, os.O_RDONLY)
        if first:
            os.lseek(self.descriptor, first, os.SEEK_SET)

    def read(self, amount: int, /) -> bytes:
        """Read at most ``amount`` bytes; empty at the end of the span."""
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
    """Make a rename last (the file's own sync does not bring its name to the disk)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        run_in_thread(partial(os.fsync, descriptor))
    finally:
        os.close(descriptor)
