"""Servers and attackers in processes of their own, so that they do not slow down what measures."""

import multiprocessing
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from tests.support.faults.raw_server import Act, RawServer
from tests.support.faults.visitor import Visitor

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_SPAWN = multiprocessing.get_context("spawn")


@contextmanager
def running_server(act: Act) -> Iterator[int]:
    """Run a :class:`RawServer` in another process; yields its port."""
    here, there = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_serve, args=(act, there), daemon=True)
    process.start()
    try:
        yield int(here.recv())
    finally:
        process.kill()
        process.join()


def _serve(act: Act, parent: "Connection[int, None]") -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to answer, which kills this process
    server = RawServer(act)
    parent.send(server.port)
    server.serve()


@dataclass(frozen=True, slots=True)
class Attack:
    """A request that is repeated.

    Attributes:
        port: the gateway's.
        path: the path to ask for.
        headers: the headers of each request.
        every_s: the pause between two requests.
    """

    port: int
    path: str
    headers: Mapping[str, str]
    every_s: float = 0.1


class Attacker:
    """A process that attacks on demand; a context manager that ends it."""

    def __init__(self) -> None:
        self._here, there = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_attack_on_demand, args=(there,), daemon=True)
        self._process.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._process.kill()
        self._process.join()

    @contextmanager
    def attacking(self, attack: Attack) -> Iterator[None]:
        """Attack while the block runs; it begins once the first request is sent."""
        self._here.send(attack)
        self._here.recv()
        try:
            yield
        finally:
            self._here.send(None)
            self._here.recv()


def _attack_on_demand(parent: "Connection[None, Attack | None]") -> None:
    while attack := parent.recv():
        over, asked = threading.Event(), threading.Event()
        thread = threading.Thread(target=_attack, args=(attack, over, asked))
        thread.start()
        asked.wait()
        parent.send(None)
        parent.recv()
        over.set()
        thread.join()
        parent.send(None)


def _attack(attack: Attack, over: threading.Event, asked: threading.Event) -> None:
    while not over.is_set():
        with Visitor(attack.port, "127.0.4.1") as visitor:
            visitor.ask(attack.path, headers=attack.headers, close=True)
            asked.set()
            visitor.take_until(over)
        over.wait(attack.every_s)
