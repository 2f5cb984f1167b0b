"""Operations of a response on the client's socket."""

import socket
import struct
from typing import Any
from wsgiref.types import WSGIEnvironment

from gateway.delivery.exchange import AlwaysWritable, ClientConnection
from gateway.observability.transfer_stats import TransferStats


def client_connection(environ: WSGIEnvironment) -> ClientConnection:
    """The connection to the client; always writable under other servers than the gateway's."""
    client_socket: Any = environ.get("gunicorn.socket")
    return client_socket if hasattr(client_socket, "has_room") else AlwaysWritable()


def begin_stream(client_socket: Any) -> None:  # noqa: ANN401 (of any server)
    """Tell the server that the response is a stream, whose duration is not limited."""
    if hasattr(client_socket, "begin_stream"):
        client_socket.begin_stream()


def reset_when_broken(client_socket: socket.socket | None, protocol: str | None, stats: TransferStats) -> None:
    """Close an aborted HTTP/1.0 transfer by a TCP reset.

    Without chunks the end of the connection is the end of the file (RFC 9112 section 8): a cut file would look whole.
    """
    aborted = stats.aborted or stats.outcome == "left"
    if client_socket is not None and aborted and protocol == "HTTP/1.0":
        client_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
