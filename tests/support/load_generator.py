"""A load generator in a process of its own: it asks as fast as it is answered, counts, and throws the bodies away.

It keeps so many connections busy on raw sockets, and has the kernel drop what it need not look at (``MSG_TRUNC``), so
that what is measured is the server and not this.
"""

import multiprocessing
import re
import resource
import selectors
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from statistics import median, quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.connection import Connection as Pipe

_SPAWN = multiprocessing.get_context("spawn")
_SMALL_READ = 64 * 1024  # where the bytes are looked at
_LARGEST_READ = 4 * 2**20
_DISCARD = socket.MSG_TRUNC if sys.platform == "linux" else 0  # tcp(7): dropped without being copied
_PATIENCE_S = 30.0
_MOST_IN_A_ROW = 100
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


def get(path: str, *headers: str) -> bytes:
    """The bytes of a GET that keeps its connection, with further header lines."""
    return "\r\n".join((f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: */*", *headers, "", "")).encode()


@dataclass(frozen=True, slots=True)
class Load:
    """What to ask for, and for how long: so many requests, or so many seconds.

    Attributes:
        port: where, on loopback.
        requests: whole requests as bytes, sent in turn.
        connections: how many ask at once; each sends its next request when it has the whole answer.
        count: how many requests altogether; 0 for no end but the time's.
        seconds: after so long no answer is waited for; 0 for no end but the count's.
        lead_s: before that, so many seconds in which nothing is counted, as hundreds take a while to connect.
    """

    port: int
    requests: Sequence[bytes]
    connections: int = 1
    count: int = 0
    seconds: float = 0.0
    lead_s: float = 0.0


@dataclass(slots=True)
class Measured:
    """What came of a load.

    Attributes:
        seconds: how long it took.
        statuses: how many whole answers there were of each status.
        body_bytes: what came of bodies, those of unfinished answers included; framing is not counted.
        broken: how many answers broke off.
        first_byte_s: of each whole answer, the seconds to its first byte, connecting included where it had to.
        whole_s: the same to its last.
        busy: which part of the time this process was itself at work; near 1, it is what was measured.
    """

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    body_bytes: int = 0
    broken: int = 0
    first_byte_s: list[float] = field(default_factory=list)
    whole_s: list[float] = field(default_factory=list)
    busy: float = 0.0

    @property
    def per_second(self) -> float:
        """Whole answers a second."""
        return self.statuses.total() / self.seconds

    @property
    def mb_per_second(self) -> float:
        """Megabytes (10⁶ bytes) of bodies a second."""
        return self.body_bytes / 1e6 / self.seconds

    def check(self, status: int) -> "Measured":
        """Let it pass when every answer came whole and with this status.

        Raises:
            RuntimeError: what came instead.
        """
        if self.broken or set(self.statuses) != {status}:
            raise RuntimeError(f"answered {dict(self.statuses)}, {self.broken} broken off, where {status} was expected")
        return self


def p50(seconds: list[float]) -> float:
    """The median, in milliseconds."""
    return median(seconds) * 1000


def p95(seconds: list[float]) -> float:
    """The 95th percentile, in milliseconds."""
    return quantiles(seconds, n=20)[-1] * 1000


class Generator:
    """The process, from outside."""

    def __init__(self, pipe: "Pipe[Load, Measured | str]") -> None:
        self._pipe = pipe

    def run(self, load: Load) -> Measured:
        """Put on a load and wait for its end.

        Raises:
            RuntimeError: nobody listens, or nothing came for half a minute.
        """
        self._pipe.send(load)
        measured = self._pipe.recv()
        if isinstance(measured, str):
            raise RuntimeError(measured)  # noqa: TRY004 (the text tells what went wrong)
        return measured


@contextmanager
def load_generator() -> Iterator[Generator]:
    """Start the process, for any number of loads one after the other."""
    here, there = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    there.close()
    try:
        yield Generator(here)
    finally:
        process.kill()
        process.join()


def _serve(parent: "Pipe[Measured | str, Load]") -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to answer, which kills this process
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    while True:
        load = parent.recv()
        try:
            parent.send(_Run(load).measure())
        except (OSError, RuntimeError) as trouble:
            parent.send(f"127.0.0.1:{load.port}: {trouble!r}")


class _Run:
    """One load: the connections, what is left to ask, and what was counted."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.requests = cycle(load.requests)
        self.left = load.count or sys.maxsize
        self.measured = Measured()
        self.selector = selectors.DefaultSelector()
        self.running = 0
        self.broken_in_a_row = 0
        self.buffer = memoryview(bytearray(_LARGEST_READ))

    def measure(self) -> Measured:
        worked, begun_at = time.process_time(), time.perf_counter()
        lines = [_Line(self) for _ in range(self.load.connections)]
        try:
            for line in lines:
                line.ask()
            if self.load.lead_s:
                self._read_until(begun_at + self.load.lead_s)
                self.measured, worked, begun_at = Measured(), time.process_time(), time.perf_counter()
            self._read_until(begun_at + self.load.seconds if self.load.seconds else float("inf"))
        finally:
            for line in lines:
                line.close()
            self.selector.close()
        self.measured.seconds = time.perf_counter() - begun_at
        self.measured.busy = (time.process_time() - worked) / self.measured.seconds
        return self.measured

    def answered(self, line: "_Line", status: int) -> None:
        now, measured = time.perf_counter(), self.measured
        measured.statuses[status] += 1
        measured.first_byte_s.append(line.first_byte_at - line.asked_at)
        measured.whole_s.append(now - line.asked_at)
        self.broken_in_a_row = 0

    def broke(self) -> None:
        self.measured.broken += 1
        self.broken_in_a_row += 1
        if self.broken_in_a_row > _MOST_IN_A_ROW:
            raise RuntimeError("every answer breaks off")

    def _read_until(self, until: float) -> None:
        while self.running and time.perf_counter() < until:
            if not (events := self.selector.select(min(_PATIENCE_S, max(0, until - time.perf_counter())))):
                self._check_patience(until)
            for key, _ in events:
                key.data.read()

    def _check_patience(self, until: float) -> None:
        if time.perf_counter() < until:
            raise RuntimeError(f"no byte came for {_PATIENCE_S:.0f} s; {self.measured.statuses.total()} were answered")


class _Line:
    """A connection: it asks, reads the answer, and asks again."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._socket: socket.socket | None = None
        self._request = b""
        self._served = 0
        self.asked_at = self.first_byte_at = 0.0
        self._begin()

    def ask(self) -> None:
        """Send the next request, if there is one left; on a new connection where the last was closed."""
        if not self._run.left:
            self.close()
            return
        self._run.left -= 1
        self._request = next(self._run.requests)
        self._send()

    def close(self) -> None:
        if self._socket is not None:
            self._run.selector.unregister(self._socket)
            self._socket.close()
            self._socket = None
            self._run.running -= 1

    def read(self) -> None:
        """Take what is there of the answer."""
        assert self._socket is not None
        buffer = self._run.buffer
        try:
            if self._left is None or self._left < 0:
                count = self._socket.recv_into(buffer, _SMALL_READ)
            else:
                count = self._socket.recv_into(buffer, min(self._left, _LARGEST_READ), _DISCARD)
        except BlockingIOError:
            return
        except OSError:
            count = 0
        if not count:
            self._closed()
        elif self._left is None:
            self._read_head(bytes(buffer[:count]))
        else:
            self._read_body(buffer[:count])

    def _begin(self) -> None:
        self._head = b""
        self._status = 0
        self._closes = False
        self._left: int | None = None  # of the body: None before its head is in, -1 while its end is not known
        self._chunks: _Chunks | None = None

    def _send(self) -> None:
        self._begin()
        self.asked_at = time.perf_counter()
        if self._socket is None:
            self._connect()
        assert self._socket is not None
        try:
            self._socket.sendall(self._request)
        except OSError:
            self._closed()

    def _connect(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._run.load.port), timeout=_PATIENCE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(0)
        self._run.selector.register(self._socket, selectors.EVENT_READ, self)
        self._run.running += 1
        self._served = 0

    def _closed(self) -> None:
        """Tell an end from a break, and a kept connection that was closed before we asked from both."""
        kept = self._served > 0 and not self._head
        ended = self._left == -1 and self._chunks is None
        self.close()
        if ended:
            self._done()
        elif kept:
            self._send()
        else:
            self._run.broke()
            self.ask()

    def _read_head(self, part: bytes) -> None:
        if not self._head:
            self.first_byte_at = time.perf_counter()
        self._head += part
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if not end:
            return
        self._head = head
        self._status, self._closes = int(head[9:12]), bool(_CLOSES.search(head))
        if length := _LENGTH.search(head):
            self._left = int(length[1])
        elif _CHUNKED.search(head):
            self._left, self._chunks = -1, _Chunks()
        else:
            self._left, self._closes = (0, self._closes) if self._status in {204, 304} else (-1, True)
        if rest or not self._left:
            self._read_body(memoryview(rest))

    def _read_body(self, part: memoryview) -> None:
        assert self._left is not None
        if self._chunks is not None:
            self._run.measured.body_bytes += self._chunks.feed(part)
            over = self._chunks.over
        else:
            self._run.measured.body_bytes += len(part)
            if self._left > 0:
                self._left -= len(part)
            over = self._left == 0
        if over:
            self._done()

    def _done(self) -> None:
        self._served += 1
        self._run.answered(self, self._status)
        if self._closes:
            self.close()
        self.ask()


class _Chunks:
    """Walks a chunked body (RFC 9112 section 7.1) without looking into the chunks. Trailers are not expected."""

    def __init__(self) -> None:
        self.over = False
        self._skip = 0  # of the chunk, and the line end behind it
        self._line = b""

    def feed(self, part: memoryview) -> int:
        """Take the next bytes, and tell how many of them were data."""
        data, at = 0, 0
        while at < len(part) and not self.over:
            if self._skip:
                step = min(self._skip, len(part) - at)
                data += min(step, max(0, self._skip - 2))
                self._skip -= step
                at += step
            else:
                at = self._read_size(part, at)
        return data

    def _read_size(self, part: memoryview, at: int) -> int:
        line = self._line + bytes(part[at : at + 32])
        size, end, _ = line.partition(b"\r\n")
        if not end:
            self._line = line
            return len(part) if len(part) - at <= 32 else _fail(line)
        taken = len(size) + 2 - len(self._line)
        self._line = b""
        if size == b"":
            self.over = True
        elif (length := int(size.partition(b";")[0], 16)) > 0:
            self._skip = length + 2
        return at + taken


def _fail(line: bytes) -> int:
    raise RuntimeError(f"no chunk begins with {line!r}")
