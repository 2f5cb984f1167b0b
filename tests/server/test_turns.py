"""A client that sends without pause shares the event loop with everybody else."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from threading import Thread

import gevent
import gevent.socket
import pytest

from gateway.server.client_socket import ClientSocket
from gateway.server.connections import ConnectionLimiter

MUCH = 64 * 2**20
PIECE = 8192


@pytest.fixture
def pair() -> Iterator[tuple[ClientSocket, socket.socket]]:
    """The gateway's end of a connection, and the client's."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        client.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with closing(ClientSocket(gevent.socket.socket(fileno=accepted.detach()), 5, ConnectionLimiter(100))) as ours:
            yield ours, client


def turns_of_another_during(work: Callable[[], None]) -> int:
    """Run ``work``, and count how often another greenlet ran meanwhile."""
    turns = 0

    def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            gevent.sleep(0)

    greenlet = gevent.spawn(other)
    try:
        work()
    finally:
        greenlet.kill()
    return turns


def test_receiving_what_never_ends_gives_others_their_turn(pair: tuple[ClientSocket, socket.socket]) -> None:
    ours, client = pair
    flood = Thread(target=client.sendall, args=(bytes(MUCH),))
    flood.start()
    ours.begin_request("client")

    def receive() -> None:
        left = MUCH
        while left:
            left -= len(ours.recv(PIECE))

    turns = turns_of_another_during(receive)
    flood.join()

    assert turns > 20


def test_sending_to_a_client_that_takes_everything_gives_others_their_turn(
    pair: tuple[ClientSocket, socket.socket],
) -> None:
    ours, client = pair

    def take() -> None:
        while client.recv(2**20):
            pass

    reader = Thread(target=take)
    reader.start()

    def send() -> None:
        for _ in range(MUCH // PIECE):
            ours.sendall(bytes(PIECE))

    turns = turns_of_another_during(send)
    ours.shutdown(socket.SHUT_WR)
    reader.join()

    assert turns > 20
