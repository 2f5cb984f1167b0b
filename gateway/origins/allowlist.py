"""Parse the origin of a URL strictly, and match it against host patterns."""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

import idna

DEFAULT_PORTS = {"http": 80, "https": 443}
_CONTROL_OR_BACKSLASH = re.compile(r"[\x00-\x1f\x7f-\x9f\\\ud800-\udfff]")
_PLAIN_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER_SHAPED = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LONGEST_NAME = 253
_LARGEST_PORT = 65535
# Top-level domains that are not in the public DNS or have a local meaning: special-use domain names (RFC 6761, 6762,
# 7686, 8375, 9476, and ICANN's reservation of "internal"), the infrastructure domain (RFC 3172), and names common in
# private networks (RFC 6762 appendix G). Not "example": applications treat it like any other (RFC 6761 section 6.5).
_SPECIAL_USE = frozenset({
    "alt", "arpa", "corp", "home", "internal", "intranet", "invalid",
    "lan", "local", "localdomain", "localhost", "onion", "private", "test",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a URL (RFC 6454 section 4).

    ``host`` is lower case, international names are A-labels, and IPv6 literals have no brackets.
    """

    scheme: str
    host: str
    port: int
    address: IPv4Address | IPv6Address | None = None

    @property
    def is_special_use(self) -> bool:
        """Whether the host has no meaning in the public DNS: a single label, or a special-use domain."""
        if self.address is not None:
            return False
        _, dot, top = self.host.rpartition(".")
        return not dot or top in _SPECIAL_USE


@lru_cache(maxsize=1024)
def parse_origin(url: str) -> Origin:
    """Parse the origin of an absolute http or https URL.

    Spaces around the URL and within its path and query are accepted; ``gateway.egress.urls`` encodes them.

    Raises:
        ValueError: with a short reason that does not repeat the URL.
    """
    if _CONTROL_OR_BACKSLASH.search(url):
        raise ValueError("contains a control character or a backslash")
    url = url.strip(" ")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("has a host or a port that cannot be read") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError("must begin with https:// or http://")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user name or a password")
    after_brackets = parts.netloc.rpartition("]")[2] if "[" in parts.netloc else ""
    if port == 0 or parts.netloc.endswith(":") or after_brackets[:1] not in {"", ":"}:
        raise ValueError("has a host or a port that cannot be read")
    host, address = normalize_host(
        parts.netloc.partition("]")[0] + "]" if "[" in parts.netloc else parts.hostname or ""
    )
    return Origin(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], address)


def normalize_host(text: str) -> tuple[str, IPv4Address | IPv6Address | None]:
    """Normalise a host; IPv6 literals are given in brackets.

    Returns:
        The host, and the address when it is an IP literal.

    Raises:
        ValueError: not a host name. Unusual spellings of an address (``127.1``, ``0x7f000001``, ``2130706433``), which
            some DNS resolvers accept, are refused.
    """
    if text.startswith("["):
        return _literal(text)
    host = text.lower()
    if not host or len(host) > _LONGEST_NAME:
        raise ValueError("has no host, or one longer than a name can be")
    if not host.isascii():
        host = _to_ascii(host)
    if _NUMBER_SHAPED.fullmatch(host.rpartition(".")[2]):
        return _plain_ipv4(host)
    if not _PLAIN_NAME.fullmatch(host):
        raise ValueError("has a malformed host name")
    if "xn--" in host:
        host = _to_ascii(host)
    return host, None


def _literal(text: str) -> tuple[str, IPv6Address]:
    try:
        address = ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise ValueError("has a malformed address") from None
    if not isinstance(address, IPv6Address) or address.scope_id is not None:
        raise ValueError("has a malformed address")
    return str(address), address


def _plain_ipv4(text: str) -> tuple[str, IPv4Address]:
    try:
        address = IPv4Address(text)
    except ValueError:
        raise ValueError("spells an address in an unusual way") from None
    return str(address), address


def _to_ascii(host: str) -> str:
    try:
        return idna.encode(host, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        raise ValueError("has a malformed international host name") from None


@dataclass(frozen=True, slots=True)
class HostPattern:
    """One entry of an allow-list: ``host[:port]``, ``*.suffix[:port]`` or ``*``.

    ``host`` is empty for ``*``. Without a port, the entry covers the scheme's default port.
    """

    host: str
    port: int | None = None
    is_wildcard: bool = False

    @classmethod
    def parse(cls, text: str) -> "HostPattern":
        """Parse one entry.

        Raises:
            ValueError: malformed; with the remedy.
        """
        if text == "*":
            return cls("", None, is_wildcard=True)
        is_wildcard = text.startswith("*.")
        name, port = _split_port(text.removeprefix("*."))
        host, address = normalize_host(name)
        if is_wildcard and address is not None:
            raise ValueError("an address cannot follow '*.'; list the address itself")
        return cls(host, port, is_wildcard)

    def matches(self, origin: Origin) -> bool:
        """Whether this entry covers the origin. A wildcard covers whole labels, and no address."""
        if origin.port != (self.port or DEFAULT_PORTS[origin.scheme]):
            return False
        if not self.is_wildcard:
            return origin.host == self.host
        return origin.address is None and (not self.host or origin.host.endswith("." + self.host))

    @property
    def covers_all_hosts(self) -> bool:
        """Whether this is ``*``."""
        return self.is_wildcard and not self.host


def _split_port(text: str) -> tuple[str, int | None]:
    name, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        return text, None
    if not port.isascii() or not port.isdigit() or not 0 < int(port) <= _LARGEST_PORT:
        raise ValueError("write an entry as host, host:port, *.suffix or *; without scheme and path")
    return name, int(port)
