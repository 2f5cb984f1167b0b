"""The address of a visitor, in the form that the limits count by."""

import ipaddress
from functools import lru_cache

LONGEST_ADDRESS = 128  # characters that a proxy may write; longer ones are cut, as each takes room in the cache
_IPV6_SUBSCRIBER = 64  # a subscriber has at least a /64, so single addresses are not counted


@lru_cache(maxsize=4096)
def visitor_of(address: str) -> str:
    """The IPv4 address, or the /64 network of an IPv6 address; ``unknown`` for anything else."""
    try:
        parsed = ipaddress.ip_address(_without_port(address))
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, _IPV6_SUBSCRIBER), strict=False).network_address)


def _without_port(address: str) -> str:
    """Remove the port, which some proxies write into X-Forwarded-For."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address
