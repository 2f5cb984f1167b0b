"""Which URLs may be fetched: the allowlist, the public and the private policy, and redirects."""

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


def test_the_public_policies_decide_as_the_corpus_for_names_and_literal_addresses(corpora: dict[str, Any]) -> None:
    cases = {case["ip"]: case["expect"] == "allow" for case in corpora["ssrf_ips"]["cases"]}
    assert len(cases) == 272
    for policy in (public_policy(allow_http=False), public_policy(allow_http=True)):
        assert {ip: policy.permits_address(ip) for ip in cases} == cases
        assert {ip: takes(policy, f"https://{as_host(ip)}/") for ip in cases} == cases
    assert {ip: one_host_policy("https://api.example").permits_address(ip) for ip in cases} == cases


def test_listing_private_networks_opens_nothing_to_the_public_policy() -> None:
    for network in ("10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "fd00::/8"):
        guard = guard_of("*", networks=(network,), allow_http=True)
        assert not guard.policy(Zone.PUBLIC).permits_address(str(ip_network(network)[1]))


def test_the_private_policy_takes_the_listed_networks_and_nothing_else(corpora: dict[str, Any]) -> None:
    policy = guard_of("10.1.2.3:8080", networks=("10.1.2.0/24",)).policy(Zone.PRIVATE)

    taken = [case["ip"] for case in corpora["ssrf_ips"]["cases"] if policy.permits_address(case["ip"])]

    assert taken == []
    assert policy.permits_address("10.1.2.3")
    assert not policy.permits_address("10.1.3.3")
    assert not policy.permits_address("8.8.8.8")


def test_without_a_listed_private_server_the_private_policy_takes_no_address() -> None:
    for hosts in ((), ("cdn.example",), ("*",), ("*.cdn.example:8080",)):
        policy = guard_of(*hosts).policy(Zone.PRIVATE)
        assert not any(map(policy.permits_address, ("10.1.2.3", "127.0.0.1", "::1", "8.8.8.8"))), hosts


# --- the list of origins


ADMITTED = [
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
]
REFUSED: dict[str, list[tuple[str, str]]] = {
    "names a host that is not on the list of origins": [
        ("cdn.example", "https://other.example/"),
        ("cdn.example", "https://evil-cdn.example/"),
        ("cdn.example", "https://a.cdn.example/"),
        ("cdn.example", "https://cdn.example.evil.example/"),
        ("cdn.example", "https://cdn.example:8443/"),
        ("cdn.example:8443", "https://cdn.example/"),
        ("*.cdn.example", "https://cdn.example/"),
        ("*.cdn.example", "https://xcdn.example/"),
        ("*", "https://anything.example:8443/"),
        ("", LISTED),
    ],
    "has a malformed international host name": [
        ("cdn.example", "https://xn--cdn-example.example/"),
    ],
    "names an address instead of a host": [
        ("*", "https://8.8.8.8/"),
        ("*", "https://[2606:4700:4700::1111]/"),
        ("*", "https://\uff11\uff12\uff17.0.0.1/"),
    ],
    "spells an address in an unusual way": [
        ("*", "https://127.1/"),
        ("*", "https://0x7f000001/"),
        ("*", "https://2130706433/"),
    ],
    "is plain http; use https": [
        ("cdn.example", "http://cdn.example/"),
        ("*", "http://cdn.example/"),
    ],
    "must begin with https:// or http://": [
        ("*", "ftp://cdn.example/"),
        ("*", "cdn.example/v/cat.png"),
    ],
    "must not hold a user name or a password": [
        ("*", "https://user:secret@cdn.example/"),
        ("*", "https://@cdn.example/"),
    ],
    "has a host or a port that cannot be read": [
        ("*", "https://cdn.example:99999/"),
        ("*", "https://cdn.example:0/"),
        ("*", "https://cdn.example:/"),
        ("*", "https://[::1/"),
    ],
    "has a malformed host name": [
        ("*", "https://cdn .example/"),
        ("*", "https://cdn_example/"),
        ("*", "https://cdn.example./"),
        ("*", "https://cdn..example/"),
        ("*", "https://cdn%2eexample/"),
    ],
    "has no host, or one longer than a name can be": [
        ("*", "https:///v/cat.png"),
        ("*", f"https://{'a.' * 130}example/"),
    ],
    "contains a control character or a backslash": [
        ("*", "https://cdn.example\\@127.0.0.1/"),
        ("*", "https://cdn.example/\r\nHost: x"),
    ],
    "has a malformed address": [
        ("*", "https://[::1%25eth0]/"),
    ],
}


def test_a_listed_url_is_admitted() -> None:
    for listed, url in ADMITTED:
        guard_of(listed).check_link_url(url)


def test_a_url_that_is_not_admitted_gets_the_rule_that_it_breaks_and_is_not_shown() -> None:
    for reason, cases in REFUSED.items():
        for listed, url in cases:
            with pytest.raises(OriginNotAllowed) as refusal:
                guard_of(*filter(None, [listed])).check_link_url(url)
            assert refusal.value.reason == reason, url
            assert "example" not in refusal.value.detail, url


def test_plain_http_is_admitted_where_it_is_allowed_and_for_a_listed_private_server() -> None:
    guard_of("cdn.example", allow_http=True).check_link_url("http://cdn.example/v/cat.png")
    guard_of("10.1.2.3:8080", networks=("10.0.0.0/8",)).check_link_url(SERVER)


# --- zones


def test_only_exactly_the_listed_host_and_port_is_private() -> None:
    for listed, url, zone in (
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
    ):
        guard = guard_of(listed, networks=("10.0.0.0/8", "fd00::/8"))
        assert guard.zone(parse_origin(url)) is zone, (listed, url)


def test_without_private_networks_nothing_is_private() -> None:
    guard = guard_of("10.1.2.3:8080")

    assert guard.zone(parse_origin(SERVER)) is Zone.PUBLIC
    with pytest.raises(OriginUnsafe):
        guard.check_fetch(SERVER)


def test_nothing_else_of_the_network_of_a_listed_private_server_is_reached() -> None:
    guard = guard_of("10.1.2.3:8080", "*", networks=("10.0.0.0/8",), allow_http=True)

    for url in (
        "http://10.1.2.3:8081/",
        "http://10.1.2.3/",
        "http://10.1.2.4:8080/",
        "http://10.9.9.9:8080/",
        "http://127.0.0.1:8080/",
        "http://[::1]:8080/",
        "https://10.1.2.3/",
        "http://[::ffff:10.1.2.3]:8080/",
        "http://[::ffff:a01:203]:8080/",
    ):
        with pytest.raises(OriginUnsafe):
            guard.check_fetch(url)


def test_ports_of_one_private_server_do_not_open_those_of_another() -> None:
    guard = guard_of("10.1.2.3:8080", "10.1.2.4:9090", networks=("10.0.0.0/8",), allow_http=True)

    assert guard.check_fetch("http://10.1.2.4:9090/") is Zone.PRIVATE
    with pytest.raises(OriginUnsafe):
        guard.check_fetch("http://10.1.2.4:8080/")
    with pytest.raises(OriginUnsafe):
        guard.check_fetch("http://10.1.2.3:9090/")


def test_a_private_server_outside_the_private_networks_cannot_be_reached() -> None:
    guard = guard_of("10.1.2.3:8080", "127.0.0.1:9090", networks=("10.1.2.0/24",))

    assert guard.check_fetch(SERVER) is Zone.PRIVATE
    with pytest.raises(OriginUnsafe, match="listed-private policy"):
        guard.check_fetch("http://127.0.0.1:9090/")


def test_public_hosts_are_reached_at_port_443_and_with_plain_http_at_port_80_too() -> None:
    https_only, with_http = guard_of("*"), guard_of("*", allow_http=True)
    assert with_http.check_fetch("http://cdn.example:80/") is Zone.PUBLIC
    for port in (0, 1, 21, 22, 23, 25, 53, 80, 110, 445, 3306, 5432, 6379, 8080, 8443, 9200, 11211):
        with pytest.raises(OriginUnsafe):
            https_only.check_fetch(f"https://cdn.example:{port}/")
        if port != 80:
            with pytest.raises(OriginUnsafe):
                with_http.check_fetch(f"http://cdn.example:{port}/")


def test_a_direct_url_may_have_a_host_that_is_not_listed() -> None:
    assert guard_of("cdn.example").check_fetch("https://bucket.r2.example/x?X-Amz-Signature=0") is Zone.PUBLIC


@pytest.mark.parametrize("redirected_from", [None, LISTED], ids=["direct-url", "location"])
def test_an_unlisted_name_without_a_dot_is_refused(redirected_from: str | None) -> None:
    with pytest.raises(OriginUnsafe, match="host is a special-use name"):
        guard_of("*").check_fetch("https://metadata/", redirected_from=redirected_from)


def test_a_name_without_a_dot_may_be_listed() -> None:
    guard = guard_of("cdn", "minio:9000", networks=("10.0.0.0/8",))

    assert guard.check_fetch("https://cdn/") is Zone.PUBLIC
    assert guard.check_fetch("http://minio:9000/") is Zone.PRIVATE


def test_a_browser_is_redirected_to_plain_http_only_where_it_is_allowed() -> None:
    for allow_http in (False, True):
        guard = guard_of("10.1.2.3:8080", networks=("10.0.0.0/8",), allow_http=allow_http)
        assert guard.may_redirect_to("https://cdn.example/")
        assert guard.may_redirect_to("http://10.1.2.3:8080/") is allow_http


# --- redirects


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
def test_a_redirect_that_leaves_https_or_the_public_network_is_refused(before: str, after: str, reason: str) -> None:
    guard = guard_of("*", "10.1.2.3:8080", "10.1.2.4:8443", networks=("10.0.0.0/8",), allow_http=True)

    guard.check_fetch(after)
    with pytest.raises(OriginUnsafe, match=reason):
        guard.check_fetch(after, redirected_from=before)


def test_any_other_redirect_is_followed() -> None:
    guard = guard_of("*", "10.1.2.3:8080", networks=("10.0.0.0/8",), allow_http=True)

    for before, after in (
        ("http://cdn.example/", "https://cdn.example/"),
        ("https://cdn.example/", "https://other.example/"),
        (SERVER, "https://cdn.example/"),
        (SERVER, "http://10.1.2.3:8080/other"),
        (SERVER, "http://cdn.example/"),
    ):
        guard.check_fetch(after, redirected_from=before)


def test_a_redirect_of_the_origin_resolver_stays_on_the_list() -> None:
    guard = guard_of("cdn.example", "*.cdn.example")

    guard.check_fetch("https://a.cdn.example/", redirected_from=LISTED, listed_only=True)
    with pytest.raises(OriginUnsafe, match="host is not listed"):
        guard.check_fetch("https://other.example/", redirected_from=LISTED, listed_only=True)
    for address in ("https://127.0.0.1/", "https://[::1]/", "https://8.8.8.8/"):
        with pytest.raises(OriginUnsafe):
            guard_of("*").check_fetch(address, redirected_from=LISTED, listed_only=True)


# --- the gateway itself


def test_the_gateway_never_fetches_from_itself() -> None:
    guard = guard_of("*", "get.example", own_url="https://get.example/below")

    for url in (
        "https://get.example/download/x",
        "https://GET.example/",
        "https://get.example:443/",
        "https://get%2eexample/",
        "https://get.example./",
        "https://\uff47\uff45\uff54.example/",
    ):
        with pytest.raises(OriginNotAllowed):
            guard.check_link_url(url)
        for redirected_from in (None, LISTED):
            with pytest.raises(OriginUnsafe):
                guard.check_fetch(url, redirected_from=redirected_from)


def test_a_neighbour_of_the_gateway_is_not_the_gateway() -> None:
    guard = guard_of("*", "10.1.2.3:8080", own_url="http://10.1.2.3:8000", networks=("10.0.0.0/8",))

    assert guard.check_fetch(SERVER) is Zone.PRIVATE


# --- servers that the operator configured


def test_a_one_host_policy_takes_no_other_scheme_host_or_port() -> None:
    policy = one_host_policy("https://api.example/prefix")

    assert takes(policy, "https://api.example/api/v1/x")
    for url in (
        *("https://other.example/", "https://a.api.example/", "https://api.example:8443/"),
        *("http://api.example/", "http://api.example:443/", "https://127.0.0.1/"),
    ):
        assert not takes(policy, url), url


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
