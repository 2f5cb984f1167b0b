"""The connections of a worker, and which of them are closed when there are too many."""

import socket
import struct
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.server.client_socket import VisitorSocket

_RESERVE = 0.05
_HELD = 0.25
_HELD_BY_ONE_CLIENT = 0.125
_READ_ON = 0.05
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Connections:
    """Tracks which connections can be closed, and closes those that have waited longest.

    A connection is *idle* while no complete request has come, and *held* while a request waits for its client: for
    more of its body, or for the client to read a response that is not a stream. Streams have limits of their own, and
    a request in progress is never closed.

    Args:
        most: how many connections the worker accepts.
    """

    def __init__(self, most: int) -> None:
        self._open = 0
        self._idle: OrderedDict[VisitorSocket, None] = OrderedDict()
        self._held: OrderedDict[VisitorSocket, None] = OrderedDict()
        self._held_by: Counter[str] = Counter()
        self._read_on = 0
        self._most_open = int(most * (1 - _RESERVE))
        self._most_held = max(4, int(most * _HELD))
        self._most_held_by_one = max(2, int(most * _HELD_BY_ONE_CLIENT))
        self._most_read_on = max(2, int(most * _READ_ON))

    def opened(self) -> None:
        """Count a connection; when connections are scarce, end another one."""
        self._open += 1
        if self._open <= self._most_open:
            return
        if self._idle:
            _end_input(self._idle.popitem(last=False)[0])
        elif self._held:
            self._reset(next(iter(self._held)))

    def closed(self) -> None:
        """Stop counting a connection."""
        self._open -= 1

    def begin_idle(self, connection: "VisitorSocket") -> None:
        """Mark a connection as one without a complete request."""
        self._idle[connection] = None

    def end_idle(self, connection: "VisitorSocket") -> None:
        """Remove the mark."""
        self._idle.pop(connection, None)

    @contextmanager
    def held(self, connection: "VisitorSocket") -> Iterator[None]:
        """Mark a connection as one that waits for its client; end another one when there are too many of them."""
        client = connection.client
        if self._held_by[client] >= self._most_held_by_one:
            self._reset(next(each for each in self._held if each.client == client))
        elif len(self._held) >= self._most_held:
            self._reset(next(iter(self._held)))
        self._held[connection] = None
        self._held_by[client] += 1
        try:
            yield
        finally:
            self._forget(connection)

    @contextmanager
    def reading_on(self) -> Iterator[bool]:
        """Count a connection that is read after its last answer; gives whether it may be, or there are too many.

        Reading what a refused client still sends takes time from others, so that only a few are read at once.
        """
        self._read_on += 1
        try:
            yield self._read_on <= self._most_read_on
        finally:
            self._read_on -= 1

    def _reset(self, connection: "VisitorSocket") -> None:
        """Reset a connection, so that the client sees a broken transfer and the kernel drops its buffers."""
        self._forget(connection)
        connection.ended = True
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            connection.shutdown(socket.SHUT_RDWR)

    def _forget(self, connection: "VisitorSocket") -> None:
        if connection not in self._held:
            return
        del self._held[connection]
        self._held_by[connection.client] -= 1
        if not self._held_by[connection.client]:
            del self._held_by[connection.client]


def _end_input(connection: "VisitorSocket") -> None:
    """End what the client may say, as if it had: a request that has just come is answered all the same."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RD)
