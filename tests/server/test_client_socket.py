"""Who accepts a little is waited for, however long it takes; who accepts nothing is not."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import gevent.socket
import pytest

from gateway.server.client_socket import ClientSocket, ClientTimeout
from gateway.server.connections import ConnectionLimiter

PATIENCE_S = 0.3
MUCH = 400_000
A_LITTLE = 8192
NOW_AND_THEN_S = 0.02  # so that all of it takes three times the patience


@pytest.fixture
def pair() -> Iterator[tuple[ClientSocket, socket.socket]]:
    """The gateway's end, whose kernel has much to send, and the visitor's, whose kernel takes little at a time."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as visitor:
        visitor.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, A_LITTLE)
        visitor.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with closing(
            ClientSocket(gevent.socket.socket(fileno=accepted.detach()), PATIENCE_S, ConnectionLimiter(100))
        ) as ours:
            ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MUCH)
            ours.begin_stream()
            assert ours.send(bytes(MUCH), timeout=0.0) == MUCH
            ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 1)  # it has room when all is sent
            yield ours, visitor


def test_who_accepts_a_little_is_waited_for_longer_than_the_timeout(pair: tuple[ClientSocket, socket.socket]) -> None:
    ours, visitor = pair
    gone = threading.Event()

    def read() -> None:
        while not gone.wait(NOW_AND_THEN_S):
            visitor.recv(A_LITTLE)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        ours.wait_for_room()
        room = ours.has_room()
    finally:
        gone.set()
        reader.join()

    assert room


def test_who_accepts_nothing_is_not(pair: tuple[ClientSocket, socket.socket]) -> None:
    ours, _ = pair

    with pytest.raises(ClientTimeout):
        ours.wait_for_room()


def test_a_response_that_is_no_stream_has_one_timeout_however_often_its_client_reads() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, A_LITTLE)
        client.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with closing(
            ClientSocket(gevent.socket.socket(fileno=accepted.detach()), PATIENCE_S, ConnectionLimiter(100))
        ) as ours:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, A_LITTLE)
            ours.begin_request("client")
            gone = threading.Event()

            def read() -> None:
                while not gone.wait(NOW_AND_THEN_S):
                    client.recv(1024)

            reader = threading.Thread(target=read)
            reader.start()
            try:
                with pytest.raises(ClientTimeout):
                    ours.sendall(bytes(MUCH))
            finally:
                gone.set()
                reader.join()
