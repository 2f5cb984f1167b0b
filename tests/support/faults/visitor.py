"""A visitor of raw sockets: reads an answer as strictly as the RFC allows, or misbehaves as told."""

import re
import selectors
import socket
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

PATIENCE_S = 30.0
_STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d{3}) [\x20-\x7e]*")
_HEADER_LINE = re.compile(rb"([A-Za-z0-9-]+): ([\x20-\x7e]*)")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")
_CODE = re.compile(rb"(\d{3}) (\w+):")


class BrokenAnswer(ValueError):
    """What came is no HTTP."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a visitor saw.

    Attributes:
        status: 0 when the connection ended before any answer.
        complete: whether the body ended as its framing says.
    """

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)
    complete: bool = False
    took_s: float = 0.0

    def outcome(self, right: bytes) -> str:
        """One word for it: ``whole``, ``cut``, ``nothing``, ``WRONG BYTES``, or a status and an error's code."""
        if self.status == 0:
            return "nothing"
        if self.status not in {200, 206}:
            told = _CODE.match(self.body)
            return f"{self.status} {told[2].decode() if told else '?'}"
        if self.complete:
            return "whole" if self.body == right else "WRONG BYTES"
        return "cut" if right.startswith(self.body) else "WRONG BYTES"


class Visitor:
    """One connection to a gateway on loopback; as a context manager it is closed at the end.

    Args:
        port: the gateway's.
        address: where it comes from: each address of 127.0.0.0/8 is a visitor of its own.
        every_s: how long to wait before each KiB that is read; 0 to read as fast as it comes.
    """

    def __init__(self, port: int, address: str = "127.0.0.1", every_s: float = 0.0) -> None:
        self._every_s = every_s
        self._patient_until = time.monotonic() + PATIENCE_S
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # its port stays free for servers
        self._socket.settimeout(PATIENCE_S)
        self._socket.bind((address, 0))
        self._socket.connect(("127.0.0.1", port))
        self._unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.leave()

    def ask(self, *paths: str, headers: Mapping[str, str] | None = None, close: bool = False) -> None:
        """Send a request for each path, all at once."""
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        more += "Connection: close\r\n" if close else ""
        whole = "".join(f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n{more}\r\n" for path in paths)
        self._socket.sendall(whole.encode("latin-1"))

    def see(self) -> Seen:
        """Read one answer to its end, or as far as it comes while the visitor has patience.

        Raises:
            BrokenAnswer: it is not one that the RFC allows.
        """
        begun_at = time.monotonic()
        head = self._until(b"\r\n\r\n")
        if head is None:
            if self._unread:
                raise BrokenAnswer("an answer cut amid its headers")
            return Seen(took_s=time.monotonic() - begun_at)
        status, headers = _parsed(head)
        body, complete = self._body(status, dict(headers))
        return Seen(status, headers, body, complete, time.monotonic() - begun_at)

    def take(self, amount: int) -> int:
        """Read so many bytes of what comes, or all there are, and tell how many that was."""
        return len(self._exactly(amount))

    def take_until(self, over: threading.Event) -> None:
        """Read what comes as fast as 100 Mbit/s bring it, keep nothing of it, and end with it or when it is over."""
        with selectors.DefaultSelector() as selector:  # `select` takes no descriptor above 1023
            selector.register(self._socket, selectors.EVENT_READ)
            while not over.wait(0.005):
                if selector.select(0.01) and not self._receive(65536):
                    return

    @staticmethod
    def idle(seconds: float) -> None:
        """Read nothing for some time."""
        time.sleep(seconds)

    def half_close(self) -> None:
        """Say that nothing more will be asked."""
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Go away by a reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def leave(self) -> None:
        """Go away."""
        self._socket.close()

    def _body(self, status: int, headers: Mapping[str, str]) -> tuple[bytes, bool]:
        if status in {204, 304}:
            return b"", True
        if headers.get("transfer-encoding") == "chunked":
            return self._chunks()
        if "content-length" not in headers:
            raise BrokenAnswer("neither a length nor chunks")
        length = int(headers["content-length"])
        body = self._exactly(length)
        return body, len(body) == length

    def _chunks(self) -> tuple[bytes, bool]:
        body = bytearray()
        while (size := self._until(b"\r\n")) is not None:
            if not _CHUNK_SIZE.fullmatch(size):
                raise BrokenAnswer(f"a chunk of size {size!r}")
            part = self._exactly(int(size, 16) + 2)
            body += part[: int(size, 16)]
            if len(part) < int(size, 16) + 2:
                break
            if not part.endswith(b"\r\n"):
                raise BrokenAnswer("a chunk without its end")
            if part == b"\r\n":
                return bytes(body), True
        return bytes(body), False

    def _until(self, end: bytes) -> bytes | None:
        while end not in self._unread:
            part = self._receive(65536)
            if not part:
                return None
            self._unread += part
        read, _, self._unread = self._unread.partition(end)
        return read

    def _exactly(self, amount: int) -> bytes:
        parts = [self._unread[:amount]]
        self._unread = self._unread[amount:]
        left = amount - len(parts[0])
        while left and (part := self._receive(min(left, 65536))):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def _receive(self, amount: int) -> bytes:
        time.sleep(self._every_s)
        self._socket.settimeout(max(0.001, self._patient_until - time.monotonic()))
        try:
            return self._socket.recv(min(amount, 1024) if self._every_s else amount)
        except (ConnectionResetError, TimeoutError):
            return b""


def fetch(port: int, path: str, headers: Mapping[str, str] | None = None, address: str = "127.0.0.1") -> Seen:
    """Ask for one path on a connection of its own, and read the answer."""
    with Visitor(port, address) as visitor:
        visitor.ask(path, headers=headers, close=True)
        return visitor.see()


def _parsed(head: bytes) -> tuple[int, tuple[tuple[str, str], ...]]:
    first, *lines = head.split(b"\r\n")
    status = _STATUS_LINE.fullmatch(first)
    if not status:
        raise BrokenAnswer(f"a status line {first!r}")
    headers = []
    for line in lines:
        match = _HEADER_LINE.fullmatch(line)
        if not match:
            raise BrokenAnswer(f"a header line {line!r}")
        headers.append((match[1].decode().lower(), match[2].decode()))
    if len({name for name, _ in headers}) < len(headers):
        raise BrokenAnswer("a header that comes twice")
    return int(status[1]), tuple(headers)
