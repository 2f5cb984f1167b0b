"""The visitor's socket, where a response must do something to it."""

import socket
import struct
from typing import Any

from gateway.delivery.exchange import AlwaysWritable, ClientConnection
from gateway.observability.transfer_stats import TransferStats


def connection_of(environ: dict[str, Any]) -> ClientConnection:
    """The connection to the visitor; a roomy one where the server is not ours and does not tell."""
    visitor_socket: Any = environ.get("gunicorn.socket")
    return visitor_socket if hasattr(visitor_socket, "has_room") else AlwaysWritable()


def begin_stream(visitor_socket: Any) -> None:  # noqa: ANN401 (of any server)
    """Tell the server that its answer is a stream, which may take as long as its visitor needs."""
    if hasattr(visitor_socket, "begin_stream"):
        visitor_socket.begin_stream()


def reset_when_broken(visitor_socket: socket.socket | None, protocol: str | None, stats: TransferStats) -> None:
    """Close a broken HTTP/1.0 transfer by a reset, whoever broke it: the origin, or the gateway at its own end.

    Without chunks the end of the connection is the end of the file (RFC 9112 section 8): a cut one would look whole.
    """
    broken = stats.aborted or stats.outcome == "left"
    if visitor_socket is not None and broken and protocol == "HTTP/1.0":
        visitor_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
