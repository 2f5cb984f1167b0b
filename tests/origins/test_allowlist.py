"""What a host is: one spelling each, and lists that match whole labels."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given, settings, strategies as st

from gateway.origins.allowlist import HostPattern, Origin, parse_origin

LOOPBACK = IPv4Address("127.0.0.1")
ACCEPTED = "(accepted)"

REFUSED = {
    # spellings that some resolvers take for an address
    "two-parts": "https://127.1/",
    "three-parts": "https://127.0.1/",
    "hexadecimal": "https://0x7f000001/",
    "hexadecimal-part": "https://0x7f.0.0.1/",
    "hexadecimal-last-part": "https://127.0.0.0x1/",
    "hexadecimal-nothing": "https://0x/",
    "decimal": "https://2130706433/",
    "decimal-overflow": "https://4294967297/",
    "zero": "https://0/",
    "octal": "https://0177.0.0.1/",
    "leading-zeros": "https://127.000.000.001/",
    "part-too-large": "https://127.0.0.256/",
    "five-parts": "https://1.2.3.4.5/",
    "name-with-a-numeric-end": "https://example.1/",
    "circled-and-short": "https://①②⑦.①/",
    "fullwidth-and-short": "https://\N{FULLWIDTH DIGIT ONE}27.1/",
    "arabic-digits": "https://127.0.0.\N{ARABIC-INDIC DIGIT ONE}/",
    "address-with-trailing-dot": "https://127.0.0.1./",
    # brackets
    "ipv4-in-brackets": "https://[127.0.0.1]/",
    "name-in-brackets": "https://[example.com]/",
    "zone": "https://[fe80::1%25eth0]/",
    "zone-raw": "https://[fe80::1%eth0]/",
    "zone-number": "https://[fe80::1%251]/",
    "future-literal": "https://[v1.a]/",
    "open-bracket": "https://[::1/",
    "close-bracket": "https://::1]/",
    "no-brackets": "https://::1/",
    "empty-brackets": "https://[]/",
    "behind-the-brackets": "https://[::1]evil.example/",
    "dot-behind-the-brackets": "https://[::1]./",
    "behind-the-brackets-with-port": "https://[::1]evil.example:443/",
    "before-the-brackets": "https://evil.example[::1]/",
    # users
    "user": "https://user@example.com/",
    "user-and-password": "https://user:password@example.com/",
    "empty-user": "https://@example.com/",
    "user-that-looks-like-a-host": "https://example.com:443@evil.example/",
    "two-at-signs": "https://a@b@example.com/",
    # characters
    "backslash": "https://example.com\\@evil.example/",
    "backslash-in-path": "https://example.com/\\evil.example",
    "backslashes": "https:\\\\example.com\\",
    "blank-in-host": "https://exam ple.com/",
    "blank-before-the-host": "https:// example.com/",
    "blank-before-the-port": "https://example.com :443/",
    "blank-in-port": "https://example.com: 443/",
    "tab": "https://exam\tple.com/",
    "line-feed": "https://example.com/\n",
    "carriage-return": "https://example.com\r\n/",
    "nul": "https://example.com\x00.evil.example/",
    "delete": "https://example.com/\x7f",
    "c1-control": "https://example.com/\x85",
    "ideographic-blank": "https://exam\N{IDEOGRAPHIC SPACE}ple.com/",
    "percent": "https://ex%61mple.com/",
    "percent-slash": "https://example.com%2f.evil.example/",
    "percent-dot": "https://127%2e0.0.1/",
    "underscore": "https://a_b.example.com/",
    "comma": "https://a,b.example.com/",
    "semicolon": "https://a;b.example.com/",
    "asterisk": "https://*.example.com/",
    "exclamation-mark": "https://a!b.example.com/",
    "care-of": "https://exa℀mple.com/",
    "surrogate": "https://exa\ud800mple.com/",
    # labels
    "trailing-dot": "https://example.com./",
    "leading-dot": "https://.example.com/",
    "two-dots": "https://example..com/",
    "only-a-dot": "https://./",
    "hyphen-first": "https://-a.example.com/",
    "hyphen-last": "https://a-.example.com/",
    "64-characters": f"https://{'a' * 64}.com/",
    "254-characters": f"https://{'a.' * 126}aa/",
    "bad-punycode": "https://xn--a/",
    "empty-punycode": "https://xn--/",
    "fake-punycode": "https://xn--example-.com/",
    # no host
    "nothing": "",
    "only-a-scheme": "https://",
    "no-slashes": "https:example.com",
    "one-slash": "https:/example.com/",
    "empty-host": "https:///v/cat.png",
    "only-a-port": "https://:443/",
    "only-a-query": "https://?example.com",
    # ports
    "port-0": "https://example.com:0/",
    "port-00": "https://example.com:00/",
    "port-65536": "https://example.com:65536/",
    "port-huge": f"https://example.com:{'9' * 5000}/",
    "port-empty": "https://example.com:/",
    "port-negative": "https://example.com:-1/",
    "port-plus": "https://example.com:+443/",
    "port-word": "https://example.com:https/",
    "port-hexadecimal": "https://example.com:0x1bb/",
    "port-float": "https://example.com:443.0/",
    "port-underscore": "https://example.com:4_43/",
    "port-fullwidth": "https://example.com:\N{FULLWIDTH DIGIT FOUR}43/",
    "two-ports": "https://example.com:443:443/",
    "port-behind-brackets": "https://[::1]:x/",
    # schemes
    "ftp": "ftp://example.com/",
    "file": "file:///etc/passwd",
    "javascript": "javascript:alert(1)",
    "javascript-with-host": "javascript://example.com/%0aalert(1)",
    "data": "data:image/png;base64,AAAA",
    "gopher": "gopher://example.com/",
    "websocket": "wss://example.com/",
    "https-with-more": "https+unix://example.com/",
    "view-source": "view-source:https://example.com/",
    "scheme-relative": "//example.com/v/cat.png",
    "path": "/v/cat.png",
    "bare-host": "example.com/v/cat.png",
}
VALID = {
    "https": ("https://example.com/v/cat.png", Origin("https", "example.com", 443)),
    "http": ("http://example.com/", Origin("http", "example.com", 80)),
    "blank-before": (" https://example.com/", Origin("https", "example.com", 443)),
    "blank-behind": ("https://example.com ", Origin("https", "example.com", 443)),
    "blank-in-path": ("https://example.com/a b?c d", Origin("https", "example.com", 443)),
    "nothing-behind-the-host": ("https://example.com", Origin("https", "example.com", 443)),
    "query-behind-the-host": ("https://example.com?a=@b", Origin("https", "example.com", 443)),
    "fragment-behind-the-host": ("https://example.com#@b", Origin("https", "example.com", 443)),
    "at-sign-in-path": ("https://example.com/@evil.example/", Origin("https", "example.com", 443)),
    "port": ("https://example.com:8443/", Origin("https", "example.com", 8443)),
    "default-port": ("https://example.com:443/", Origin("https", "example.com", 443)),
    "http-on-443": ("http://example.com:443/", Origin("http", "example.com", 443)),
    "largest-port": ("https://example.com:65535/", Origin("https", "example.com", 65535)),
    "capitals": ("HTTPS://EXAMPLE.Com/", Origin("https", "example.com", 443)),
    "single-label": ("https://intranet/", Origin("https", "intranet", 443)),
    "63-characters": (f"https://{'a' * 63}.com/", Origin("https", f"{'a' * 63}.com", 443)),
    "253-characters": (f"https://{'a.' * 126}a/", Origin("https", f"{'a.' * 126}a", 443)),
    "digits-first": ("https://1a.2b.example/", Origin("https", "1a.2b.example", 443)),
    "international": ("https://пример.рф/", Origin("https", "xn--e1afmkfd.xn--p1ai", 443)),
    "international-capitals": ("https://ПРИМЕР.РФ/", Origin("https", "xn--e1afmkfd.xn--p1ai", 443)),
    "a-labels": ("https://xn--e1afmkfd.XN--P1AI/", Origin("https", "xn--e1afmkfd.xn--p1ai", 443)),
    "sharp-s": ("https://faß.example/", Origin("https", "xn--fa-hia.example", 443)),
    "ideographic-dot": ("https://example。com/", Origin("https", "example.com", 443)),
    "fullwidth-dot": ("https://example\N{FULLWIDTH FULL STOP}com/", Origin("https", "example.com", 443)),
    "halfwidth-dot": ("https://example\N{HALFWIDTH IDEOGRAPHIC FULL STOP}com/", Origin("https", "example.com", 443)),
    "fullwidth-letters": ("https://\N{FULLWIDTH LATIN SMALL LETTER E}x.example/", Origin("https", "ex.example", 443)),
    "soft-hyphen": ("https://ex\N{SOFT HYPHEN}ample.com/", Origin("https", "example.com", 443)),
}
ADDRESSES = {
    "ipv4": ("https://127.0.0.1/", LOOPBACK),
    "ipv4-with-port": ("https://127.0.0.1:8443/", LOOPBACK),
    "public-ipv4": ("https://192.0.2.7/", IPv4Address("192.0.2.7")),
    "circled-digits": ("https://①②⑦.⓪.⓪.①/", LOOPBACK),
    "fullwidth-digits": ("https://\N{FULLWIDTH DIGIT ONE}27.0.0.1/", LOOPBACK),
    "ideographic-dots": ("https://127。0。0。1/", LOOPBACK),
    "fullwidth-dots": ("https://127.0.0\N{FULLWIDTH FULL STOP}1/", LOOPBACK),
    "ipv6": ("https://[::1]/", IPv6Address("::1")),
    "ipv6-with-port": ("https://[2001:db8::1]:8443/", IPv6Address("2001:db8::1")),
    "ipv6-written-out": ("https://[0:0:0:0:0:0:0:1]/", IPv6Address("::1")),
    "ipv6-capitals": ("https://[2001:DB8::A]/", IPv6Address("2001:db8::a")),
    "mapped": ("https://[::ffff:127.0.0.1]/", IPv6Address("::ffff:127.0.0.1")),
    "mapped-hexadecimal": ("https://[::ffff:7f00:1]/", IPv6Address("::ffff:127.0.0.1")),
}


REASONS = {
    "contains a control character or a backslash",
    "has a host or a port that cannot be read",
    "has a malformed address",
    "has a malformed host name",
    "has a malformed international host name",
    "has no host, or one longer than a name can be",
    "must begin with https:// or http://",
    "must not hold a user name or a password",
    "spells an address in an unusual way",
}


def reason(url: str) -> str:
    """Why the URL is refused; or ``ACCEPTED``."""
    try:
        parse_origin(url)
    except ValueError as refused:
        return str(refused)
    return ACCEPTED


def test_a_malformed_url_is_refused_for_a_reason_that_does_not_show_it() -> None:
    assert {name: reason(url) for name, url in REFUSED.items() if reason(url) not in REASONS} == {}


def test_a_traceback_does_not_show_the_url_either() -> None:
    with pytest.raises(ValueError, match="user name") as refused:
        parse_origin(REFUSED["user-and-password"])

    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


def test_a_host_has_one_form() -> None:
    assert {name: parse_origin(url) for name, (url, _) in VALID.items()} == {
        name: origin for name, (_, origin) in VALID.items()
    }


def test_an_address_is_recognised_in_every_spelling() -> None:
    for name, (url, address) in ADDRESSES.items():
        origin = parse_origin(url)
        assert (origin.address, ip_address(origin.host)) == (address, address), name


@settings(deadline=None)
@given(
    st.text("aZ019.-:[]@%\\①。ßъ\u00ad\u200d", max_size=12).map(lambda text: f"https://{text}/") | st.text(max_size=12)
)
def test_an_accepted_url_is_parsed_the_same_when_it_is_rebuilt(url: str) -> None:
    if reason(url) != ACCEPTED:
        return
    origin = parse_origin(url)

    host = f"[{origin.host}]" if ":" in origin.host else origin.host

    assert parse_origin(f"{origin.scheme}://{host}:{origin.port}/") == origin
    assert set(origin.host) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-:")


COVERS = [
    # a host stands for itself, at the scheme's own port
    ("example.com", "https://example.com/", True),
    ("example.com", "http://example.com/", True),
    ("example.com", "https://EXAMPLE.com:443/", True),
    ("Example.COM", "https://example.com/", True),
    ("example.com", "https://example.com:8443/", False),
    ("example.com", "http://example.com:443/", False),
    ("example.com", "https://www.example.com/", False),
    ("example.com", "https://evilexample.com/", False),
    ("example.com", "https://example.com.evil.example/", False),
    ("example.com", "https://example.org/", False),
    ("пример.рф", "https://xn--e1afmkfd.xn--p1ai/", True),
    ("xn--e1afmkfd.xn--p1ai", "https://пример.рф/", True),
    # with a port, for exactly that one
    ("example.com:8443", "https://example.com:8443/", True),
    ("example.com:8443", "https://example.com/", False),
    ("example.com:8443", "https://example.com:8444/", False),
    ("example.com:443", "https://example.com/", True),
    ("example.com:443", "http://example.com/", False),
    # a suffix covers whole labels below it, and not itself
    ("*.example.com", "https://a.example.com/", True),
    ("*.example.com", "https://a.b.example.com/", True),
    ("*.example.com", "https://example.com/", False),
    ("*.example.com", "https://evilexample.com/", False),
    ("*.example.com", "https://a.example.com.evil.example/", False),
    ("*.example.com", "https://a.example.com:8443/", False),
    ("*.example.com:8443", "https://a.example.com:8443/", True),
    ("*.example.com:8443", "https://a.example.com/", False),
    ("*.рф", "https://пример.рф/", True),
    # everything is every public host, and no address
    ("*", "https://example.com/", True),
    ("*", "http://example.com/", True),
    ("*", "https://intranet/", True),
    ("*", "https://example.com:8443/", False),
    ("*", "https://192.0.2.7/", False),
    ("*", "https://[2001:db8::1]/", False),
    ("*", "https://①②⑦.⓪.⓪.①/", False),
    # an address is covered only by itself
    ("192.0.2.7", "https://192.0.2.7/", True),
    ("192.0.2.7", "https://192.0.2.8/", False),
    ("192.0.2.7:8443", "https://192.0.2.7:8443/", True),
    ("[2001:DB8::1]", "https://[2001:db8:0::1]/", True),
    ("[2001:db8::1]:8443", "https://[2001:db8::1]:8443/", True),
    ("[2001:db8::1]", "https://[2001:db8::1]:8443/", False),
    ("127.0.0.1", "https://[::ffff:127.0.0.1]/", False),
]


def test_an_entry_covers() -> None:
    for pattern, url, covered in COVERS:
        assert HostPattern.parse(pattern).matches(parse_origin(url)) is covered, (pattern, url)


def test_an_entry_that_is_no_host_is_refused() -> None:
    for entry in (
        *("", "https://example.com", "example.com/", "example.com/path", "example.com:", "example.com:0"),
        *(
            "example.com:65536",
            "example.com:http",
            "example.com:-1",
            "example.com:\N{FULLWIDTH DIGIT FOUR}43",
            "user@example.com",
            "example.com.",
        ),
        *(".example.com", "*example.com", "a.*.example.com", "*.*.example.com", "*.", "**"),
        *("*:8443", "127.1", "0x7f000001", "*.127.0.0.1", "*.[::1]", "*.1"),
        *("::1", "[::1", "[127.0.0.1]", "[fe80::1%eth0]", "exam ple.com", "a_b.example.com"),
    ):
        with pytest.raises(ValueError, match=r"^[a-z]") as refused:
            HostPattern.parse(entry)
        assert not entry or entry not in str(refused.value)


def test_only_the_asterisk_alone_is_everything() -> None:
    entries = ("*", "*.com", "example.com", "127.0.0.1")

    assert [entry for entry in entries if HostPattern.parse(entry).covers_all_hosts] == ["*"]
