"""The surroundings of a gateway in a trial of faults, applied inside the gateway's own process.

Deadlines are short, DNS is asked on loopback, one public address is served from loopback, and a connection to any
other address is refused and recorded.
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

SHORT_TIMEOUTS_CONF = Path(__file__).with_name("short_timeouts.conf.py")
PUBLIC = "93.184.216.34"
SHORT = {
    "gateway.egress.connection_pool.CONNECT_TIMEOUT_S": 1.0,
    "gateway.egress.buffered_reader.HEADER_DEADLINE_S": 1.5,
    "gateway.egress.buffered_reader.STALL_TIMEOUT_S": 1.0,
    "gateway.provider.client.ATTEMPT_TIMEOUT_S": 1.0,
    "gateway.provider.client.DEADLINE_S": 3.0,
    "gateway.sources.base.THROUGHPUT_WINDOW_S": 1.5,
    "gateway.sources.remote.OPEN_DEADLINE_S": 2.5,
}


@dataclass(frozen=True, slots=True)
class FaultEnvironment:
    """The surroundings of one gateway.

    Attributes:
        constants: module constants to replace, by full name.
        name_server: the DNS server's port on loopback; 0 for the system's.
        public: the port that serves ``PUBLIC``; 0 to leave connections alone.
        open_ports: ports on loopback that may be connected to; any other address is refused.
        refused_log: the file that gets a line for every refused address.
    """

    constants: dict[str, float] = field(default_factory=lambda: dict(SHORT))
    name_server: int = 0
    public: int = 0
    open_ports: tuple[int, ...] = ()
    refused_log: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """The variable to add to the gateway's environment."""
        return {"FAULT_ENVIRONMENT": json.dumps(asdict(self))}

    @classmethod
    def from_variable(cls) -> Self:
        """Read what :attr:`environment` has."""
        return cls(**json.loads(os.environ["FAULT_ENVIRONMENT"]))

    def apply(self) -> None:
        """Apply everything in this process, which gevent has patched already."""
        for name, value in self.constants.items():
            module, _, constant = name.rpartition(".")
            if not hasattr(import_module(module), constant):
                raise AttributeError(name)
            setattr(import_module(module), constant, value)
        if self.name_server:
            dns: Any = import_module("gateway.egress.dns_lookup")
            options = {"nameservers": ("127.0.0.1",), "nameserver_port": self.name_server}
            dns.UdpResolver = partial(dns.UdpResolver, **options)
        if self.public:
            self._replace_connect()

    def _replace_connect(self) -> None:
        connect, peer_of = socket.socket.connect, socket.socket.getpeername
        peers: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()

        def connect_in_trial(sock: Any, address: Any) -> None:
            if address[0] == PUBLIC:
                peers[sock] = address
                return connect(sock, ("127.0.0.1", self.public))
            if address[0] == "127.0.0.1" and address[1] in {*self.open_ports, self.name_server}:
                return connect(sock, address)
            with Path(self.refused_log).open("a", encoding="utf-8") as log:
                log.write(f"{address[0]}:{address[1]}\n")
            raise OSError(errno.ECONNREFUSED, "not part of the trial")

        kind: Any = socket.socket
        kind.connect, kind.getpeername = connect_in_trial, lambda sock: peers.get(sock) or peer_of(sock)
