"""The connections of a worker, and which of them are closed when there are too many."""

import socket
import struct
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.server.client_socket import ClientSocket

_RESERVED_SHARE = 0.05
_WAITING_SHARE = 0.25
_WAITING_SHARE_PER_CLIENT = 0.125
_LINGERING_SHARE = 0.05
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class ConnectionLimiter:
    """Tracks which connections can be closed, and closes those that have waited longest.

    A connection is *idle* while no complete request has arrived, and *waiting* while a request waits for its client:
    for more of the body, or for the client to read a response that is not a stream. Streams have their own limits. A
    request in progress is never aborted.

    Args:
        max_connections: the number of connections that the worker accepts.
    """

    def __init__(self, max_connections: int) -> None:
        self._open = 0
        self._idle: OrderedDict[ClientSocket, None] = OrderedDict()
        self._waiting: OrderedDict[ClientSocket, None] = OrderedDict()
        self._waiting_by_client: Counter[str] = Counter()
        self._lingering = 0
        self._max_open = int(max_connections * (1 - _RESERVED_SHARE))
        self._max_waiting = max(4, int(max_connections * _WAITING_SHARE))
        self._max_waiting_per_client = max(2, int(max_connections * _WAITING_SHARE_PER_CLIENT))
        self._max_lingering = max(2, int(max_connections * _LINGERING_SHARE))

    def opened(self) -> None:
        """Count a new connection; when connections are scarce, close another one."""
        self._open += 1
        if self._open <= self._max_open:
            return
        if self._idle:
            _end_input(self._idle.popitem(last=False)[0])
        elif self._waiting:
            self._reset(next(iter(self._waiting)))

    def closed(self) -> None:
        """Stop counting a connection."""
        self._open -= 1

    def begin_idle(self, connection: "ClientSocket") -> None:
        """Mark a connection as idle."""
        self._idle[connection] = None

    def end_idle(self, connection: "ClientSocket") -> None:
        """Remove the mark."""
        self._idle.pop(connection, None)

    @contextmanager
    def waiting(self, connection: "ClientSocket") -> Iterator[None]:
        """Mark a connection as waiting in the block; reset another one when there are too many."""
        client = connection.client
        if self._waiting_by_client[client] >= self._max_waiting_per_client:
            self._reset(next(each for each in self._waiting if each.client == client))
        elif len(self._waiting) >= self._max_waiting:
            self._reset(next(iter(self._waiting)))
        self._waiting[connection] = None
        self._waiting_by_client[client] += 1
        try:
            yield
        finally:
            self._end_waiting(connection)

    @contextmanager
    def lingering(self) -> Iterator[bool]:
        """Count a connection that is read after its last response; yields False when there are too many."""
        self._lingering += 1
        try:
            yield self._lingering <= self._max_lingering
        finally:
            self._lingering -= 1

    def _reset(self, connection: "ClientSocket") -> None:
        """Reset a connection, so that the client sees an aborted transfer and the kernel frees its buffers."""
        self._end_waiting(connection)
        connection.is_reset = True
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            connection.shutdown(socket.SHUT_RDWR)

    def _end_waiting(self, connection: "ClientSocket") -> None:
        if connection not in self._waiting:
            return
        del self._waiting[connection]
        self._waiting_by_client[connection.client] -= 1
        if not self._waiting_by_client[connection.client]:
            del self._waiting_by_client[connection.client]


def _end_input(connection: "ClientSocket") -> None:
    """Stop receiving; a request that has just arrived is still answered."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RD)
