"""Where a gateway plays in a trial; the gateway itself knows nothing of it.

Deadlines of seconds become short, names are asked for on loopback, one public address is played by a server on
loopback, and a connection to anywhere else is refused and written down.
"""

import errno
import json
import os
import socket
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Self
from weakref import WeakKeyDictionary

HURRIED = Path(__file__).with_name("hurried.conf.py")
PUBLIC = "93.184.216.34"
SHORT = {
    "gateway.egress.connection_pool.CONNECT_TIMEOUT_S": 1.0,
    "gateway.egress.buffered_reader.HEADER_DEADLINE_S": 1.5,
    "gateway.egress.buffered_reader.STALL_TIMEOUT_S": 1.0,
    "gateway.provider.client.ATTEMPT_TIMEOUT_S": 1.0,
    "gateway.provider.client.DEADLINE_S": 3.0,
    "gateway.sources.throughput.RATE_WINDOW_S": 1.5,
    "gateway.sources.remote.OPEN_DEADLINE_S": 2.5,
}


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a gateway plays.

    Attributes:
        constants: what to set, by full name.
        name_server: a port on loopback; 0 to leave names alone.
        public: the port that plays ``PUBLIC``; 0 to leave connections alone.
        open_ports: ports on loopback that may be connected to; any other place is refused.
        places: the file that has a line for every place that was refused.
    """

    constants: dict[str, float] = field(default_factory=lambda: dict(SHORT))
    name_server: int = 0
    public: int = 0
    open_ports: tuple[int, ...] = ()
    slots: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """What to add to the process's environment."""
        return {"STAGE": json.dumps(asdict(self))}

    @classmethod
    def given(cls) -> Self:
        """The stage that the environment describes."""
        return cls(**json.loads(os.environ["STAGE"]))

    def build(self) -> None:
        """Set everything up, in this process; it must be patched by gevent already."""
        for name, value in self.constants.items():
            module, _, constant = name.rpartition(".")
            if not hasattr(import_module(module), constant):
                raise AttributeError(name)
            setattr(import_module(module), constant, value)
        if self.name_server:
            names: Any = import_module("gateway.egress.dns_lookup")
            where = {"nameservers": ("127.0.0.1",), "nameserver_port": self.name_server}
            names.UdpResolver = partial(names.UdpResolver, **where)
        if self.public:
            self._play()

    def _play(self) -> None:
        connect, peer_of = socket.socket.connect, socket.socket.getpeername
        peers: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()

        def connect_on_stage(sock: Any, place: Any) -> None:
            if place[0] == PUBLIC:
                peers[sock] = place
                return connect(sock, ("127.0.0.1", self.public))
            if place[0] == "127.0.0.1" and place[1] in {*self.open_ports, self.name_server}:
                return connect(sock, place)
            with Path(self.slots).open("a", encoding="utf-8") as slots:
                slots.write(f"{place[0]}:{place[1]}\n")
            raise OSError(errno.ECONNREFUSED, "nobody plays there")

        kind: Any = socket.socket
        kind.connect, kind.getpeername = connect_on_stage, lambda sock: peers.get(sock) or peer_of(sock)
