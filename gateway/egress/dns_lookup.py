"""How names are looked up: never longer than a deadline, and names in the hosts file still work."""

import socket
import sys
import time
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, cast

from ssrfguard.resolvers import UdpResolver

Answer = tuple[int, int, int, str, tuple[Any, ...]]
HOSTS_FILE = Path("/etc/hosts")
_LOOK_EVERY_S = 5.0


class Lookup:
    """A stand-in for :func:`socket.getaddrinfo` with a deadline.

    ``getaddrinfo`` takes no timeout, and under gevent all lookups of a worker share ten threads, so a few slow names
    would stop everybody's. Names with a dot are asked for over our own datagram socket instead. Literals, names in the
    hosts file and names of a single label (an intranet's, a container's: the guard refuses those that the operator did
    not list) go to the platform.

    Args:
        timeout_s: the longest a lookup may take, in seconds.
    """

    def __init__(self, timeout_s: float = 2.0, hosts_file: Path = HOSTS_FILE) -> None:
        self._udp = _datagram_resolver(timeout_s)
        self._hosts_file = hosts_file
        self._hosts: frozenset[str] = frozenset()
        self._looked_at, self._version = float("-inf"), (0, 0)

    def __call__(
        self, host: str, port: int, family: int = 0, socktype: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Answer]:
        """Answer like ``getaddrinfo``.

        Raises:
            socket.gaierror: the name has no address, or none was told in time.
        """
        local = flags & socket.AI_NUMERICHOST or "." not in host or host.rstrip(".") in self._local_names()
        if local or self._udp is None:
            return cast("list[Answer]", socket.getaddrinfo(host, port, family, socktype, proto, flags))
        return _alternating(self._udp(host, port, family, socktype, proto, flags))

    def _local_names(self) -> frozenset[str]:
        now = time.monotonic()
        if now - self._looked_at > _LOOK_EVERY_S:
            self._looked_at = now
            version = _version(self._hosts_file)
            if version != self._version:  # a list of blocked names has 100,000 lines, which take a while to parse
                self._hosts, self._version = _names_in(self._hosts_file), version
        return self._hosts


def _datagram_resolver(timeout_s: float) -> UdpResolver | None:
    """None where the platform keeps its name servers elsewhere (macOS) or has none."""
    if sys.platform == "darwin":
        return None
    try:
        return UdpResolver(timeout=timeout_s)
    except (OSError, ValueError):
        return None


def _alternating(answers: list[Answer]) -> list[Answer]:
    """IPv4 and IPv6 in turn: only four addresses are tried, and a host often has a route for one family alone."""
    of_family = {f: [a for a in answers if a[0] == f] for f in (socket.AF_INET, socket.AF_INET6)}
    return [a for a in chain.from_iterable(zip_longest(*of_family.values())) if a is not None]


def _version(file: Path) -> tuple[int, int]:
    """What tells one state of a file from the next; zeros for a file that cannot be read."""
    try:
        status = file.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def _names_in(hosts_file: Path) -> frozenset[str]:
    try:
        lines = hosts_file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(name.lower() for line in lines for name in line.partition("#")[0].split()[1:])
