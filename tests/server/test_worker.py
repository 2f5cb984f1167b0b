"""The end of a worker, step by step; what visitors see of it is in ``tests/live/test_deploys.py``."""

import socket
from types import SimpleNamespace
from typing import Any

from gevent.pool import Pool
from gevent.server import StreamServer

from gateway.server.worker import GatewayWorker


def test_who_has_connected_when_the_listener_closes_is_served() -> None:
    def serve(connection: Any, _address: object) -> None:
        connection.sendall(b"served")
        connection.close()

    server = StreamServer(("127.0.0.1", 0), handle=serve, spawn=Pool(10))
    server.start()
    worker: Any = SimpleNamespace(cfg=SimpleNamespace(graceful_timeout=5), notify=lambda: None, _stopped_at=None)

    visitors = [socket.create_connection(server.address, timeout=5) for _ in range(3)]  # nobody has run yet
    GatewayWorker._drain(worker, [server])  # noqa: SLF001 (the step itself: at no other time is it sure who waits)

    assert [visitor.recv(10) for visitor in visitors] == [b"served"] * 3
    for visitor in visitors:
        visitor.close()
