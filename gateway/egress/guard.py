"""The guard against SSRF: the allow-list of origins, and the network policies *public* and *listed-private*."""

from collections.abc import Iterable
from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_network

from ssrfguard import DEFAULT_DENIED, AddressTable, Block, Policy, Reach, SSRFGuardError

from gateway.egress.urls import to_uri
from gateway.errors import OriginNotAllowed, OriginUnsafe
from gateway.origins.allowlist import HostPattern, Origin, parse_origin
from gateway.origins.upload_urls import is_upload_url

Network = IPv4Network | IPv6Network
MAX_URL_LENGTH = 8192


class Zone(Enum):
    """The network policy of a URL."""

    PUBLIC = "public"
    PRIVATE = "listed-private"


class Guard:
    """Decides which URLs links may name, which may be fetched, and under which network policy.

    Args:
        origin_hosts: the allow-list; its entries with a port are also the private servers that may be reached.
        private_networks: the networks of the private servers; empty for none.
        allow_http: whether the public policy also permits plain http on port 80.
        own_url: the gateway's public URL, which is never fetched; empty when unknown.
        uploads: whether links may name uploaded images, which have no origin.
    """

    def __init__(
        self,
        origin_hosts: Iterable[HostPattern],
        private_networks: Iterable[Network] = (),
        *,
        allow_http: bool = False,
        own_url: str = "",
        uploads: bool = False,
    ) -> None:
        self._patterns = tuple(origin_hosts)
        self._networks = tuple(private_networks)
        self._allow_http = allow_http
        self._uploads = uploads
        self._own = parse_origin(own_url) if own_url else None
        self._policies = {
            Zone.PUBLIC: public_policy(allow_http=allow_http),
            Zone.PRIVATE: _private_policy(self._patterns, self._networks),
        }

    def check_link_url(self, url: str) -> None:
        """Check that a link may name a URL.

        Raises:
            OriginNotAllowed: with the rule that the URL breaks.
        """
        if self._uploads and is_upload_url(url):
            return
        try:
            origin = parse_origin(url)
        except ValueError as reason:
            raise OriginNotAllowed(str(reason)) from None
        if self._is_own(origin):
            raise OriginNotAllowed("names this gateway itself")
        if not self._is_listed(origin):
            raise OriginNotAllowed(_unlisted_reason(origin), "list it in GATEWAY_ORIGIN_HOSTS")
        if self.zone(origin) is Zone.PUBLIC and self._is_unlisted_special_use(origin):
            raise OriginNotAllowed("names a host of a private network")
        if self.zone(origin) is Zone.PUBLIC and origin.scheme == "http" and not self._allow_http:
            raise OriginNotAllowed("is plain http; use https")

    def check_fetch(self, url: str, *, redirected_from: str | None = None, listed_only: bool = False) -> Zone:
        """Check that a URL may be fetched: a direct URL, or the next hop of a redirect.

        Args:
            url: the URL to fetch.
            redirected_from: the URL that redirected to it; None for the first request.
            listed_only: also refuse public hosts that the allow-list does not cover.

        Returns:
            The zone whose policy applies.

        Raises:
            OriginUnsafe: with the rule that the URL breaks.
        """
        try:
            origin = parse_origin(url)
        except ValueError as reason:
            raise OriginUnsafe(f"url {reason}") from None
        zone = self.zone(origin)
        if self._is_own(origin):
            raise OriginUnsafe("url names this gateway itself")
        if listed_only and not self._is_listed(origin):
            raise OriginUnsafe("host is not listed")
        if zone is Zone.PUBLIC and self._is_unlisted_special_use(origin):
            raise OriginUnsafe("host is a special-use name")
        if redirected_from is not None:
            self._check_hop(parse_origin(redirected_from), origin)
        try:
            self._policies[zone].check_url(to_uri(url))
        except SSRFGuardError:
            raise OriginUnsafe(f"url is refused by the {zone.value} policy") from None
        return zone

    def zone(self, origin: Origin) -> Zone:
        """The zone of an origin: private for the listed ``host:port`` entries, public for all others."""
        private = self._networks and any(p.port and not p.is_wildcard and p.matches(origin) for p in self._patterns)
        return Zone.PRIVATE if private else Zone.PUBLIC

    def may_redirect_to(self, url: str) -> bool:
        """Whether a browser may be redirected to a URL that :meth:`check_fetch` accepted: http only when allowed."""
        return self._allow_http or parse_origin(url).scheme == "https"

    def policy(self, zone: Zone) -> Policy:
        """The network policy of a zone, which is checked again at connect time."""
        return self._policies[zone]

    def _is_listed(self, origin: Origin) -> bool:
        return any(pattern.matches(origin) for pattern in self._patterns)

    def _is_own(self, origin: Origin) -> bool:
        if self._own is None or origin.host != self._own.host:
            return False
        return origin.port == self._own.port or self.zone(origin) is Zone.PUBLIC

    def _is_unlisted_special_use(self, origin: Origin) -> bool:
        """Whether the host has no meaning in the public DNS, and the allow-list does not name it exactly.

        A visitor's browser would resolve such a name in the visitor's network.
        """
        return origin.is_special_use and not any(p.matches(origin) for p in self._patterns if not p.is_wildcard)

    def _check_hop(self, before: Origin, after: Origin) -> None:
        if before.scheme == "https" and after.scheme == "http":
            raise OriginUnsafe("a redirect leads from https to http")
        if self.zone(before) is Zone.PUBLIC and self.zone(after) is Zone.PRIVATE:
            raise OriginUnsafe("a redirect leads from a public host to a private one")


def _unlisted_reason(origin: Origin) -> str:
    if origin.address is not None:
        return "names an address instead of a host"
    return "names a host that is not on the list of origins"


def _private_policy(patterns: Iterable[HostPattern], networks: tuple[Network, ...]) -> Policy:
    """Permits the listed networks, hosts and ports; no address when nothing is listed."""
    listed = [p for p in patterns if p.port and not p.is_wildcard] if networks else []
    return Policy(
        denied_networks=_EVERYTHING,
        allowed_networks=networks,
        allowed_ports=frozenset(p.port for p in listed if p.port) or frozenset({443}),
        allowed_hosts=frozenset(p.host for p in listed),
        max_url_length=MAX_URL_LENGTH,
    )


def public_policy(*, allow_http: bool) -> Policy:
    """Permits any public address: https on port 443, and http on port 80 when allowed."""
    return _PUBLIC_WITH_HTTP if allow_http else _PUBLIC


def one_host_policy(url: str, private_networks: Iterable[Network] = ()) -> Policy:
    """Permits one server that the operator configured, by scheme, host and port.

    A private address is permitted only when the URL itself is that address, or it is in ``private_networks``.
    """
    origin = parse_origin(url)
    itself = (ip_network(str(origin.address)),) if origin.address is not None else ()
    return Policy(
        allowed_schemes=frozenset({origin.scheme}),
        allowed_hosts=frozenset({origin.host}),
        allowed_ports=frozenset({origin.port}),
        allowed_networks=(*itself, *private_networks),
        denied_networks=STRICT,
        max_url_length=MAX_URL_LENGTH,
    )


def _strict_table() -> AddressTable:
    """Permits global unicast, except prefixes that embed another address and special services.

    Stricter than ssrfguard's own table.
    """
    rows = []
    for block in DEFAULT_DENIED.blocks:
        if block.reach is Reach.PERMITTED:  # anycast services without downloads
            continue
        decoded = (
            block.reach is Reach.TRANSLATED
        )  # NAT64, 6to4, Teredo, v4-compatible, v4-mapped: refused, not unwrapped
        mapped = str(block.network).startswith("::ffff")
        rows.append(Block(block.network, block.name, block.rfc, Reach.DENIED) if decoded and not mapped else block)
    rows += [Block(ip_network(net), name, rfc, reach) for net, name, rfc, reach in _STRICTER]
    return AddressTable(tuple(rows))


_STRICTER = (
    ("::/0", "outside global unicast", "RFC 4291", Reach.DENIED),
    ("2000::/3", "global unicast", "RFC 4291", Reach.PERMITTED),
    ("168.63.129.16/32", "Azure WireServer", "-", Reach.DENIED),
    ("192.31.196.0/24", "AS112", "RFC 7535", Reach.DENIED),
    ("192.52.193.0/24", "AMT", "RFC 7450", Reach.DENIED),
    ("192.175.48.0/24", "AS112", "RFC 7534", Reach.DENIED),
    ("2620:4f:8000::/48", "AS112", "RFC 7534", Reach.DENIED),
)
STRICT = _strict_table()
_EVERYTHING = AddressTable(
    tuple(Block(ip_network(net), "not a listed private network", "-", Reach.DENIED) for net in ("0.0.0.0/0", "::/0"))
)
_PUBLIC = Policy(
    allowed_schemes=frozenset({"https"}),
    allowed_ports=frozenset({443}),
    denied_networks=STRICT,
    max_url_length=MAX_URL_LENGTH,
)
_PUBLIC_WITH_HTTP = Policy(allowed_ports=frozenset({80, 443}), denied_networks=STRICT, max_url_length=MAX_URL_LENGTH)
