"""Normalized client addresses, as used by the rate limits."""

import ipaddress
from functools import lru_cache

LONGEST_ADDRESS = 128  # characters; longer ones are truncated before they are cached
_IPV6_PREFIX_LENGTH = 64  # a subscriber has at least a /64


@lru_cache(maxsize=4096)
def normalize_address(address: str) -> str:
    """An IPv4 address, or the /64 network of an IPv6 address; ``unknown`` for anything else."""
    try:
        parsed = ipaddress.ip_address(_without_port(address))
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, _IPV6_PREFIX_LENGTH), strict=False).network_address)


def _without_port(address: str) -> str:
    """Remove the port, which some proxies write into X-Forwarded-For."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address
