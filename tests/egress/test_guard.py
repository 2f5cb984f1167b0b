"""What may be reached: the allow-list, the two policies, and the steps of a redirect."""

from ipaddress import ip_network
from typing import Any

import pytest
from ssrfguard import Policy, SSRFGuardError

from gateway.egress.guard import Guard, Zone, one_host_policy, public_policy
from gateway.errors import OriginNotAllowed, OriginUnsafe
from gateway.origins.allowlist import HostPattern, parse_origin

LISTED = "https://cdn.example/v/cat.png"
SERVER = "http://10.1.2.3:8080/v/cat.png"


# --- addresses


@pytest.mark.parametrize("allow_http", [False, True], ids=["https", "http-too"])
def test_the_public_policy_judges_every_address_of_the_corpus_right(
    corpora: dict[str, Any], *, allow_http: bool
) -> None:
    policy = public_policy(allow_http=allow_http)

    judged = {case["ip"]: policy.permits_address(case["ip"]) for case in corpora["ssrf_ips"]["cases"]}

    assert len(judged) == 272
    assert judged == {case["ip"]: case["expect"] == "allow" for case in corpora["ssrf_ips"]["cases"]}


@pytest.mark.parametrize("allow_http", [False, True], ids=["https", "http-too"])
def test_an_address_in_a_url_is_judged_as_an_address_that_a_name_has(
    corpora: dict[str, Any], *, allow_http: bool
) -> None:
    policy = public_policy(allow_http=allow_http)

    judged = {case["ip"]: takes(policy, f"https://{as_host(case['ip'])}/") for case in corpora["ssrf_ips"]["cases"]}

    assert judged == {case["ip"]: case["expect"] == "allow" for case in corpora["ssrf_ips"]["cases"]}


@pytest.mark.parametrize("network", ["10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "fd00::/8"])
def test_listing_private_networks_opens_nothing_to_the_public_policy(network: str) -> None:
    guard = guard_of("*", networks=(network,), allow_http=True)

    assert not guard.policy(Zone.PUBLIC).permits_address(str(ip_network(network)[1]))


def test_the_private_policy_takes_the_listed_networks_and_nothing_else(corpora: dict[str, Any]) -> None:
    policy = guard_of("10.1.2.3:8080", networks=("10.1.2.0/24",)).policy(Zone.PRIVATE)

    taken = [case["ip"] for case in corpora["ssrf_ips"]["cases"] if policy.permits_address(case["ip"])]

    assert taken == []
    assert policy.permits_address("10.1.2.3")
    assert not policy.permits_address("10.1.3.3")
    assert not policy.permits_address("8.8.8.8")


@pytest.mark.parametrize(
    "guard_hosts", [(), ("cdn.example",), ("*",), ("*.cdn.example:8080",)], ids=["none", "host", "any", "suffix-port"]
)
def test_without_a_listed_private_server_the_private_policy_takes_no_address(guard_hosts: tuple[str, ...]) -> None:
    policy = guard_of(*guard_hosts).policy(Zone.PRIVATE)

    assert not policy.permits_address("10.1.2.3")
    assert not policy.permits_address("127.0.0.1")
    assert not policy.permits_address("::1")
    assert not policy.permits_address("8.8.8.8")


# --- the list of origins


@pytest.mark.parametrize(
    ("listed", "url"),
    [
        ("cdn.example", "https://cdn.example/v/cat.png"),
        ("cdn.example", "https://CDN.Example/v/cat.png"),
        ("cdn.example", "https://cdn.example:443/v/cat.png"),
        ("CDN.example", "https://cdn.example/"),
        ("*.cdn.example", "https://a.cdn.example/"),
        ("*.cdn.example", "https://a.b.cdn.example/"),
        ("*", "https://anything.example/"),
        ("*", "https://пример.испытание/кот.png"),
        ("*", "https://cdn.example/a b.png"),
        ("пример.испытание", "https://xn--e1afmkfd.xn--80akhbyknj4f/"),
        ("cdn.example:8443", "https://cdn.example:8443/"),
        ("8.8.8.8", "https://8.8.8.8/"),
        ("[2606:4700:4700::1111]", "https://[2606:4700:4700:0::1111]/"),
    ],
)
def test_a_listed_url_is_admitted(listed: str, url: str) -> None:
    guard_of(listed).admit(url)


@pytest.mark.parametrize(
    ("listed", "url", "reason"),
    [
        ("cdn.example", "https://other.example/", "names a host that is not on the list of origins"),
        ("cdn.example", "https://evil-cdn.example/", "names a host that is not on the list of origins"),
        ("cdn.example", "https://a.cdn.example/", "names a host that is not on the list of origins"),
        ("cdn.example", "https://cdn.example.evil.example/", "names a host that is not on the list of origins"),
        ("cdn.example", "https://cdn.example:8443/", "names a host that is not on the list of origins"),
        ("cdn.example", "https://xn--cdn-example.example/", "has a malformed international host name"),
        ("cdn.example:8443", "https://cdn.example/", "names a host that is not on the list of origins"),
        ("*.cdn.example", "https://cdn.example/", "names a host that is not on the list of origins"),
        ("*.cdn.example", "https://xcdn.example/", "names a host that is not on the list of origins"),
        ("*", "https://anything.example:8443/", "names a host that is not on the list of origins"),
        ("*", "https://8.8.8.8/", "names an address instead of a host"),
        ("*", "https://[2606:4700:4700::1111]/", "names an address instead of a host"),
        ("*", "https://\uff11\uff12\uff17.0.0.1/", "names an address instead of a host"),
        ("*", "https://127.1/", "spells an address in an unusual way"),
        ("*", "https://0x7f000001/", "spells an address in an unusual way"),
        ("*", "https://2130706433/", "spells an address in an unusual way"),
        ("cdn.example", "http://cdn.example/", "is plain http; use https"),
        ("*", "http://cdn.example/", "is plain http; use https"),
        ("*", "ftp://cdn.example/", "must begin with https:// or http://"),
        ("*", "cdn.example/v/cat.png", "must begin with https:// or http://"),
        ("*", "https://user:secret@cdn.example/", "must not hold a user name or a password"),
        ("*", "https://@cdn.example/", "must not hold a user name or a password"),
        ("*", "https://cdn.example:99999/", "has a host or a port that cannot be read"),
        ("*", "https://cdn .example/", "has a malformed host name"),
        ("*", "https://cdn.example:0/", "has a host or a port that cannot be read"),
        ("*", "https://cdn.example:/", "has a host or a port that cannot be read"),
        ("*", "https:///v/cat.png", "has no host, or one longer than a name can be"),
        ("*", f"https://{'a.' * 130}example/", "has no host, or one longer than a name can be"),
        ("*", "https://cdn_example/", "has a malformed host name"),
        ("*", "https://cdn.example./", "has a malformed host name"),
        ("*", "https://cdn..example/", "has a malformed host name"),
        ("*", "https://cdn%2eexample/", "has a malformed host name"),
        ("*", "https://cdn.example\\@127.0.0.1/", "contains a control character or a backslash"),
        ("*", "https://cdn.example/\r\nHost: x", "contains a control character or a backslash"),
        ("*", "https://[::1/", "has a host or a port that cannot be read"),
        ("*", "https://[::1%25eth0]/", "has a malformed address"),
        ("", LISTED, "names a host that is not on the list of origins"),
    ],
)
def test_a_url_that_is_not_admitted_is_told_the_rule_it_breaks(listed: str, url: str, reason: str) -> None:
    guard = guard_of(*filter(None, [listed]))

    with pytest.raises(OriginNotAllowed) as refusal:
        guard.admit(url)

    assert refusal.value.reason == reason
    assert "example" not in refusal.value.detail


def test_plain_http_is_admitted_where_it_is_allowed() -> None:
    guard_of("cdn.example", allow_http=True).admit("http://cdn.example/v/cat.png")


def test_a_listed_private_server_is_admitted_over_plain_http() -> None:
    guard_of("10.1.2.3:8080", networks=("10.0.0.0/8",)).admit(SERVER)


# --- zones


@pytest.mark.parametrize(
    ("listed", "url", "zone"),
    [
        ("10.1.2.3:8080", SERVER, Zone.PRIVATE),
        ("10.1.2.3:8080", "https://10.1.2.3:8080/", Zone.PRIVATE),
        ("10.1.2.3:8080", "http://10.1.2.3/", Zone.PUBLIC),
        ("10.1.2.3:8080", "http://10.1.2.3:8081/", Zone.PUBLIC),
        ("10.1.2.3:8080", "http://10.1.2.4:8080/", Zone.PUBLIC),
        ("10.1.2.3", "http://10.1.2.3/", Zone.PUBLIC),
        ("minio:9000", "http://minio:9000/", Zone.PRIVATE),
        ("minio:9000", "http://minio/", Zone.PUBLIC),
        ("minio:9000", "http://minio.evil.example:9000/", Zone.PUBLIC),
        ("*.intranet.example:9000", "http://a.intranet.example:9000/", Zone.PUBLIC),
        ("[fd00::5]:8080", "http://[fd00:0::5]:8080/", Zone.PRIVATE),
        ("*", "https://cdn.example/", Zone.PUBLIC),
    ],
)
def test_only_exactly_the_listed_host_and_port_is_private(listed: str, url: str, zone: Zone) -> None:
    guard = guard_of(listed, networks=("10.0.0.0/8", "fd00::/8"))

    assert guard.zone(parse_origin(url)) is zone


def test_without_private_networks_nothing_is_private() -> None:
    guard = guard_of("10.1.2.3:8080")

    assert guard.zone(parse_origin(SERVER)) is Zone.PUBLIC
    with pytest.raises(OriginUnsafe):
        guard.place(SERVER)


@pytest.mark.parametrize(
    "url",
    [
        "http://10.1.2.3:8081/",
        "http://10.1.2.3/",
        "http://10.1.2.4:8080/",
        "http://10.9.9.9:8080/",
        "http://127.0.0.1:8080/",
        "http://[::1]:8080/",
        "https://10.1.2.3/",
        "http://[::ffff:10.1.2.3]:8080/",
        "http://[::ffff:a01:203]:8080/",
    ],
)
def test_beside_the_listed_private_server_nothing_of_its_network_can_be_reached(url: str) -> None:
    guard = guard_of("10.1.2.3:8080", "*", networks=("10.0.0.0/8",), allow_http=True)

    with pytest.raises(OriginUnsafe):
        guard.place(url)


def test_ports_of_one_private_server_do_not_open_those_of_another() -> None:
    guard = guard_of("10.1.2.3:8080", "10.1.2.4:9090", networks=("10.0.0.0/8",), allow_http=True)

    assert guard.place("http://10.1.2.4:9090/") is Zone.PRIVATE
    with pytest.raises(OriginUnsafe):
        guard.place("http://10.1.2.4:8080/")
    with pytest.raises(OriginUnsafe):
        guard.place("http://10.1.2.3:9090/")


def test_a_private_server_outside_the_private_networks_cannot_be_reached() -> None:
    guard = guard_of("10.1.2.3:8080", "127.0.0.1:9090", networks=("10.1.2.0/24",))

    assert guard.place(SERVER) is Zone.PRIVATE
    with pytest.raises(OriginUnsafe, match="listed-private policy"):
        guard.place("http://127.0.0.1:9090/")


@pytest.mark.parametrize("port", [0, 1, 21, 22, 23, 25, 53, 80, 110, 445, 3306, 5432, 6379, 8080, 8443, 9200, 11211])
def test_the_public_policy_knows_no_port_but_443(port: int) -> None:
    with pytest.raises(OriginUnsafe):
        guard_of("*").place(f"https://cdn.example:{port}/")


@pytest.mark.parametrize("port", [22, 25, 81, 6379, 8080, 8443])
def test_with_plain_http_allowed_port_80_is_the_only_one_more(port: int) -> None:
    guard = guard_of("*", allow_http=True)

    assert guard.place("http://cdn.example:80/") is Zone.PUBLIC
    with pytest.raises(OriginUnsafe):
        guard.place(f"http://cdn.example:{port}/")


def test_a_direct_url_may_lie_on_a_host_that_is_not_listed() -> None:
    assert guard_of("cdn.example").place("https://bucket.r2.example/x?X-Amz-Signature=0") is Zone.PUBLIC


@pytest.mark.parametrize("came_from", [None, LISTED], ids=["direct-url", "location"])
def test_a_name_without_a_dot_that_nobody_listed_is_refused_unseen(came_from: str | None) -> None:
    with pytest.raises(OriginUnsafe, match="host is a special-use name"):
        guard_of("*").place("https://metadata/", came_from=came_from)


def test_a_name_without_a_dot_may_be_listed() -> None:
    guard = guard_of("cdn", "minio:9000", networks=("10.0.0.0/8",))

    assert guard.place("https://cdn/") is Zone.PUBLIC
    assert guard.place("http://minio:9000/") is Zone.PRIVATE


@pytest.mark.parametrize(
    ("url", "allow_http", "sendable"),
    [
        ("https://cdn.example/", False, True),
        ("https://cdn.example/", True, True),
        ("http://10.1.2.3:8080/", False, False),
        ("http://10.1.2.3:8080/", True, True),
    ],
)
def test_a_browser_is_sent_to_plain_http_only_where_it_is_allowed(
    url: str, *, allow_http: bool, sendable: bool
) -> None:
    guard = guard_of("10.1.2.3:8080", networks=("10.0.0.0/8",), allow_http=allow_http)

    assert guard.is_sendable(url) is sendable


# --- hops


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("https://cdn.example/", SERVER, "a redirect leads from https to http"),
        ("http://cdn.example/", SERVER, "a redirect leads from a public host to a private one"),
        ("https://cdn.example/", "https://10.1.2.4:8443/", "a redirect leads from a public host to a private one"),
        ("https://cdn.example/", "http://cdn.example/", "a redirect leads from https to http"),
        ("https://10.1.2.4:8443/", SERVER, "a redirect leads from https to http"),
    ],
    ids=["https-to-private", "public-to-private", "both-https", "downgrade", "private-downgrade"],
)
def test_a_hop_to_a_worse_place_is_refused(before: str, after: str, reason: str) -> None:
    guard = guard_of("*", "10.1.2.3:8080", "10.1.2.4:8443", networks=("10.0.0.0/8",), allow_http=True)

    guard.place(after)
    with pytest.raises(OriginUnsafe, match=reason):
        guard.place(after, came_from=before)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("http://cdn.example/", "https://cdn.example/"),
        ("https://cdn.example/", "https://other.example/"),
        (SERVER, "https://cdn.example/"),
        (SERVER, "http://10.1.2.3:8080/other"),
        (SERVER, "http://cdn.example/"),
    ],
    ids=["upgrade", "other-host", "private-to-public", "same-server", "private-to-public-http"],
)
def test_a_hop_to_a_place_as_good_is_taken(before: str, after: str) -> None:
    guard = guard_of("*", "10.1.2.3:8080", networks=("10.0.0.0/8",), allow_http=True)

    guard.place(after, came_from=before)


def test_a_hop_of_the_origin_resolver_stays_on_the_list() -> None:
    guard = guard_of("cdn.example", "*.cdn.example")

    guard.place("https://a.cdn.example/", came_from=LISTED, listed_only=True)
    with pytest.raises(OriginUnsafe, match="host is not listed"):
        guard.place("https://other.example/", came_from=LISTED, listed_only=True)


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://[::1]/", "https://8.8.8.8/"])
def test_a_hop_to_an_address_is_not_listed_by_a_wildcard(url: str) -> None:
    with pytest.raises(OriginUnsafe):
        guard_of("*").place(url, came_from=LISTED, listed_only=True)


# --- ourselves


@pytest.mark.parametrize(
    "url",
    [
        "https://get.example/download/x",
        "https://GET.example/",
        "https://get.example:443/",
        "https://get%2eexample/",
        "https://get.example./",
        "https://\uff47\uff45\uff54.example/",
    ],
)
def test_the_gateway_never_fetches_from_itself(url: str) -> None:
    guard = guard_of("*", "get.example", own_url="https://get.example/below")

    with pytest.raises(OriginNotAllowed):
        guard.admit(url)
    with pytest.raises(OriginUnsafe):
        guard.place(url)
    with pytest.raises(OriginUnsafe):
        guard.place(url, came_from=LISTED)


def test_a_neighbour_of_the_gateway_is_not_the_gateway() -> None:
    guard = guard_of("*", "10.1.2.3:8080", own_url="http://10.1.2.3:8000", networks=("10.0.0.0/8",))

    assert guard.place(SERVER) is Zone.PRIVATE


# --- servers that the operator configured


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example/",
        "https://a.api.example/",
        "https://api.example:8443/",
        "http://api.example/",
        "http://api.example:443/",
        "https://127.0.0.1/",
    ],
)
def test_a_one_host_policy_takes_no_other_scheme_host_or_port(url: str) -> None:
    policy = one_host_policy("https://api.example/prefix")

    assert takes(policy, "https://api.example/api/v1/x")
    assert not takes(policy, url)


def test_a_one_host_policy_takes_no_private_address_for_a_public_name(corpora: dict[str, Any]) -> None:
    policy = one_host_policy("https://api.example")

    judged = {case["ip"]: policy.permits_address(case["ip"]) for case in corpora["ssrf_ips"]["cases"]}

    assert judged == {case["ip"]: case["expect"] == "allow" for case in corpora["ssrf_ips"]["cases"]}


def test_a_one_host_policy_takes_the_address_that_its_url_is_and_no_other() -> None:
    policy = one_host_policy("http://127.0.0.1:9000")

    assert takes(policy, "http://127.0.0.1:9000/api")
    assert not policy.permits_address("127.0.0.2")


def test_a_one_host_policy_takes_private_addresses_where_the_operator_says_so() -> None:
    policy = one_host_policy("https://api.intranet.example", (ip_network("10.1.0.0/16"),))

    assert policy.permits_address("10.1.2.3")
    assert not policy.permits_address("10.2.2.3")


def guard_of(*listed: str, networks: tuple[str, ...] = (), allow_http: bool = False, own_url: str = "") -> Guard:
    patterns = [HostPattern.parse(entry) for entry in listed]
    return Guard(patterns, [ip_network(net) for net in networks], allow_http=allow_http, own_url=own_url)


def takes(policy: Policy, url: str) -> bool:
    try:
        policy.check_url(url)
    except SSRFGuardError:
        return False
    return True


def as_host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
