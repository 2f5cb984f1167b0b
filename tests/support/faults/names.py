"""A name server on loopback that answers as it is told: rightly, differently each time, late, or never."""

import ipaddress
import socket
import struct
import threading
import time
from contextlib import suppress
from typing import Self

from tests.support.faults.fault_environment import PUBLIC

TYPES = {1: 4, 28: 6}
HEADER = struct.Struct("!HHHHHH")
LATE_S = 0.8
DEAD = tuple(f"dead{number}.example" for number in range(40))


class NameServer:
    """Answers over datagrams. A name that it does not know has no addresses; a dead one is never answered."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._names: dict[str, list[list[str]]] = {}
        self._all_others: list[str] | None = None
        self._dead: set[str] = set()
        self._late: set[str] = set()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def tell(self, name: str, *addresses: str) -> None:
        """Set the addresses of a name."""
        self._names[name] = [list(addresses)]

    def tell_all_others(self, *addresses: str) -> None:
        """Set the addresses of every name that is not set itself."""
        self._all_others = list(addresses)

    def flip(self, name: str, *addresses: str) -> None:
        """Have a name be at another address at every lookup, and at the last from then on."""
        self._names[name] = [[address] for address in addresses]

    def purge(self, *names: str) -> None:
        """Never answer for these names."""
        self._dead.update(names)

    def delay(self, name: str) -> None:
        """Answer late for a name."""
        self._late.add(name)

    def close(self) -> None:
        """Stop."""
        self._socket.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while question := self._socket.recvfrom(4096):
            query, sender = question
            if not query:
                return
            name, end = name_in(query)
            self.asked.append(name)
            if name in self._late:
                threading.Thread(target=self._answer_late, args=(query, name, end, sender), daemon=True).start()
            elif name not in self._dead:
                self._socket.sendto(self._answer(query, name, end), sender)

    def _answer_late(self, query: bytes, name: str, end: int, sender: tuple[str, int]) -> None:
        time.sleep(LATE_S)
        with suppress(OSError):  # closed meanwhile
            self._socket.sendto(self._answer(query, name, end), sender)

    def _answer(self, query: bytes, name: str, end: int) -> bytes:
        (kind,) = struct.unpack_from("!H", query, end)
        answers = self._names.get(name, [self._all_others or []])
        found = [ipaddress.ip_address(text) for text in answers[0]]
        if len(answers) > 1 and kind == 1:
            answers.pop(0)
        records = [address.packed for address in found if address.version == TYPES[kind]]
        rcode = 3 if name not in self._names and self._all_others is None else 0
        head = HEADER.pack(int.from_bytes(query[:2]), 0x8180 | rcode, 1, len(records), 0, 0)
        rows = (struct.pack("!HHHIH", 0xC00C, kind, 1, 60, len(packed)) + packed for packed in records)
        return head + query[12 : end + 4] + b"".join(rows)


def name_in(query: bytes) -> tuple[str, int]:
    """The name in a question, and where it ends."""
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels), at + 1


def answer_for_trial_names(server: NameServer) -> None:
    """Tell the names that the table of origins uses."""
    server.tell("cdn.example", PUBLIC)
    server.tell("inside.example", "10.0.0.1")
    server.tell("mixed.example", PUBLIC, "169.254.169.254")
    server.tell("mixed6.example", PUBLIC, "fd00:ec2::254")
    server.flip("flip.example", PUBLIC, "127.0.0.1")
    server.tell("late.example", PUBLIC)
    server.delay("late.example")
    server.purge("dead.example", *DEAD)
