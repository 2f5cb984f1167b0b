"""DNS lookups with a timeout; the hosts file is respected."""

import socket
import sys
import time
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, cast

from ssrfguard.resolvers import UdpResolver

Answer = tuple[int, int, int, str, tuple[Any, ...]]
HOSTS_FILE = Path("/etc/hosts")
_CHECK_EVERY_S = 5.0


class DnsLookup:
    """A replacement for :func:`socket.getaddrinfo` with a timeout.

    ``getaddrinfo`` has no timeout, and under gevent all lookups of a worker share ten threads, which a few slow names
    would block. Names with a dot are queried over UDP instead. IP literals, names in the hosts file and single labels
    (of intranets and containers; the guard refuses unlisted ones) go to ``getaddrinfo``.

    Args:
        timeout_s: in seconds.
        hosts_file: its names go to ``getaddrinfo``.
    """

    def __init__(self, timeout_s: float = 2.0, hosts_file: Path = HOSTS_FILE) -> None:
        self._udp = _datagram_resolver(timeout_s)
        self._hosts_file = hosts_file
        self._hosts: frozenset[str] = frozenset()
        self._checked_at, self._version = float("-inf"), (0, 0)

    def __call__(
        self, host: str, port: int, family: int = 0, socktype: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Answer]:
        """Return what ``getaddrinfo`` returns.

        Raises:
            socket.gaierror: the name has no address, or the lookup timed out.
        """
        local = flags & socket.AI_NUMERICHOST or "." not in host or host.rstrip(".") in self._local_names()
        if local or self._udp is None:
            return cast("list[Answer]", socket.getaddrinfo(host, port, family, socktype, proto, flags))
        return _alternating(self._udp(host, port, family, socktype, proto, flags))

    def _local_names(self) -> frozenset[str]:
        now = time.monotonic()
        if now - self._checked_at > _CHECK_EVERY_S:
            self._checked_at = now
            version = _version(self._hosts_file)
            if version != self._version:  # parsing takes long: block lists have 100,000 lines
                self._hosts, self._version = _names_in(self._hosts_file), version
        return self._hosts


def _datagram_resolver(timeout_s: float) -> UdpResolver | None:
    """None where the name servers are not in resolv.conf (macOS), or there are none."""
    if sys.platform == "darwin":
        return None
    try:
        return UdpResolver(timeout=timeout_s)
    except (OSError, ValueError):
        return None


def _alternating(answers: list[Answer]) -> list[Answer]:
    """IPv4 and IPv6 alternating: only four addresses are tried, and many hosts have a route for one family."""
    of_family = {f: [a for a in answers if a[0] == f] for f in (socket.AF_INET, socket.AF_INET6)}
    return [a for a in chain.from_iterable(zip_longest(*of_family.values())) if a is not None]


def _version(file: Path) -> tuple[int, int]:
    """Modification time and size; zeros for a file that cannot be read."""
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
