"""What a response does to the client's socket."""

import socket
import struct
from typing import Any

from gateway.delivery.exchange import AlwaysWritable, ClientConnection
from gateway.observability.transfer_stats import TransferStats


def connection_of(environ: dict[str, Any]) -> ClientConnection:
    """The connection to the client; an always writable one under another server than ours."""
    visitor_socket: Any = environ.get("gunicorn.socket")
    return visitor_socket if hasattr(visitor_socket, "has_room") else AlwaysWritable()


def begin_stream(visitor_socket: Any) -> None:  # noqa: ANN401 (of any server)
    """Tell the server that the response is a stream, whose duration is not limited."""
    if hasattr(visitor_socket, "begin_stream"):
        visitor_socket.begin_stream()


def reset_when_broken(visitor_socket: socket.socket | None, protocol: str | None, stats: TransferStats) -> None:
    """Close an aborted HTTP/1.0 transfer by a TCP reset.

    Without chunks the end of the connection is the end of the file (RFC 9112 section 8): a cut file would look whole.
    """
    aborted = stats.aborted or stats.outcome == "left"
    if visitor_socket is not None and aborted and protocol == "HTTP/1.0":
        visitor_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
