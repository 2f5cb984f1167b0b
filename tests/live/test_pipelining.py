"""Clients that pipeline requests without pause: everybody else is answered all the same."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from subprocess import Popen
from sys import executable

from tests.support.live_gateway import LiveGateway

CLIENTS = 3
MOST_S = 5.0  # without turns nobody is answered before the master kills the worker, a minute later
_FLOOD = """
import socket, sys, threading
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def read():
    while connection.recv(2**20):
        pass
threading.Thread(target=read, daemon=True).start()
request = b"GET /download/t?sig=x HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" * 200
connection.sendall(request)
print("begun", flush=True)
while True:
    connection.sendall(request)
"""


@contextmanager
def pipelining(gateway: LiveGateway) -> Iterator[None]:
    """A client in a process of its own that sends one request after the other, and reads the answers."""
    with Popen([executable, "-c", _FLOOD, str(gateway.port)], stdout=-1, stderr=-3) as client:
        try:
            assert client.stdout is not None
            client.stdout.readline()
            yield
        finally:
            client.kill()


def test_clients_that_pipeline_without_pause_keep_nobody_waiting(live: LiveGateway) -> None:
    with ExitStack() as clients:
        for _ in range(CLIENTS):
            clients.enter_context(pipelining(live))
        began_at = time.monotonic()
        answered = []
        for _ in range(10):
            with live.visit() as visitor:
                visitor.request("GET", "/healthz")
                answered.append(visitor.getresponse().status)
        took_s = time.monotonic() - began_at

    assert answered == [200] * 10
    assert took_s < MOST_S
