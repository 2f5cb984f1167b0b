"""Addresses that nobody may be led to, in every spelling somebody may think of, and odd URLs."""

import json
import time
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from urllib.parse import quote

from gateway.links.signer import SALT, KeyRing

CORPUS = Path(__file__).parents[4] / "shared" / "corpora" / "ssrf_ips.json"
DANGEROUS = (
    "0.0.0.0",
    "10.0.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "::1",
    "::ffff:127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "fd00:ec2::254",
)
REACHABLE = ("1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111")
# Fullwidth, circled and mathematical digits: Unicode normalisation turns them all into the plain ones.
DIGITS = "0123456789"
FULLWIDTH = str.maketrans(DIGITS, "".join(chr(0xFF10 + digit) for digit in range(10)))
CIRCLED = str.maketrans(DIGITS, "\u24ea" + "".join(chr(0x2460 + digit) for digit in range(9)))
MATHEMATICAL = str.maketrans(DIGITS, "".join(chr(0x1D7D8 + digit) for digit in range(10)))
ARABIC = str.maketrans(DIGITS, "".join(chr(0x0660 + digit) for digit in range(10)))


# --- an address as a URL's host


def plainly(address: IPv4Address | IPv6Address) -> list[str]:
    """The one form that a URL should have."""
    return [str(address) if address.version == 4 else f"[{address}]"]


def in_another_base(address: IPv4Address) -> list[str]:
    """Octal, hexadecimal, or one number."""
    a, b, c, d = address.packed
    number = int(address)
    return [
        f"{number}",
        f"{number:#x}",
        f"0X{number:08X}",
        f"{number:#o}".replace("0o", "0"),
        f"{number + 2**32}",
        f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        f"{a:04o}.{b:o}.{c:o}.{d:o}",
        f"{a:#x}.{b:#x}.{c:#x}.{d:#x}",
        f"{a:#x}.{b}.0{c:o}.{d}",
        f"{a:03d}.{b:03d}.{c:03d}.{d:03d}",
    ]


def shortened(address: IPv4Address) -> list[str]:
    """Fewer parts than four, or more."""
    a, b, c, d = address.packed
    return [
        f"{a}.{(b << 16) + (c << 8) + d}",
        f"{a}.{b}.{(c << 8) + d}",
        f"{a:#x}.{(b << 16) + (c << 8) + d:#x}",
        f"{a}.{b}.{c}",
        f"{a}.{b}.{c}.{d}.0",
    ]


def in_other_digits(address: IPv4Address) -> list[str]:
    """In digits that normalisation turns into the plain ones."""
    dotted = str(address)
    translated = [dotted.translate(digits) for digits in (FULLWIDTH, CIRCLED, MATHEMATICAL, ARABIC)]
    return [
        *translated,
        dotted.replace(".", "\u3002"),
        dotted.replace(".", "\uff0e"),
        dotted + "\u00ad",
        "\u200b" + dotted,
        quote(dotted, safe="").replace(".", "%2e"),
        "".join(f"%{ord(char):02x}" for char in dotted),
    ]


def dressed_up(address: IPv4Address | IPv6Address) -> list[str]:
    """With ports, user names and whatever else may stand beside a host."""
    host = plainly(address)[0]
    return [
        f"{host}.",
        f"{host}:443",
        f"{host}:80",
        f"{host}:22",
        f"{host}:",
        f"{host}:0443",
        f"user@{host}",
        f"cdn.example@{host}",
        f"cdn.example:443@{host}",
        f"cdn.example%40{host}",
        f"cdn.example\\@{host}",
        f"{host}\\@cdn.example",
        f"{host}%00.cdn.example",
        f"{host}%2f.cdn.example",
        f"{host}\t",
        f"{host};cdn.example",
    ]


def inside_ipv6(address: IPv4Address) -> list[str]:
    """Carried inside an IPv6 address."""
    high, low = divmod(int(address), 0x10000)
    return [
        f"[::ffff:{address}]",
        f"[::ffff:{high:x}:{low:x}]",
        f"[0:0:0:0:0:ffff:{high:04x}:{low:04x}]",
        f"[::{address}]",
        f"[::ffff:0:{high:x}:{low:x}]",
        f"[64:ff9b::{high:x}:{low:x}]",
        f"[64:ff9b:1::{high:x}:{low:x}]",
        f"[2002:{high:x}:{low:x}::1]",
        f"[2001:0:{high:x}:{low:x}::1]",
        f"[{address}]",
    ]


def otherwise_in_ipv6(address: IPv6Address) -> list[str]:
    """An IPv6 address in its other forms."""
    tail = IPv4Address(address.packed[12:])
    head = ":".join(f"{int.from_bytes(address.packed[i : i + 2]):x}" for i in range(0, 12, 2))
    return [
        f"[{address.exploded}]",
        f"[{address.exploded.upper()}]",
        f"[{head}:{tail}]",
        f"[{address}%25eth0]",
        f"[{address}%eth0]",
        f"[{address}%251]",
        f"[v1.{address}]",
        f"[{address}]cdn.example",
        f"cdn.example[{address}]",
        f"[[{address}]]",
        f"[{address}",
        f"{address}",
        f"%5b{address}%5d",
    ]


def spellings(address: str) -> list[str]:
    """An address as the host of a URL, in every way somebody may think of."""
    parsed = ip_address(address)
    if isinstance(parsed, IPv4Address):
        ways = (in_another_base, shortened, in_other_digits, inside_ipv6)
        return [*plainly(parsed), *(host for way in ways for host in way(parsed)), *dressed_up(parsed)]
    return [*plainly(parsed), *otherwise_in_ipv6(parsed), *dressed_up(parsed)]


# --- other odd URLs

NAMES = [
    "localhost",
    "LOCALHOST",
    "localhost.localdomain",
    "localhost6",
    "ip6-localhost",
    "a.localhost",
    "loopback",
    "broadcasthost",
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "host.docker.internal",
    "gateway.docker.internal",
    "redis",
    "postgres.internal",
    "router.local",
    "wpad",
    "127.0.0.1.nip.io",
    "127-0-0-1.sslip.io",
    "169.254.169.254.nip.io",
    "0x7f000001.nip.io",
    "localtest.me",
    "lvh.me",
    "spoofed.burpcollaborator.net",
    "1u.ms",
    "xn--e1afmkfd.xn--p1ai",
    "\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444",
    "\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54",
    "\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3",
    "loc\u00adalhost",
    "localh\u200dost",
    "fa\u00df.example",
    "\u212aubernetes",
    "xn--",
    "xn--localhost-",
    "xn--a",
    "xn--127-0-0-1-.example",
]
HOSTS = [
    "0",
    "00",
    "0x",
    "0x0",
    "1",
    "127",
    "127.",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "127.0.0.1..",
    ".127.0.0.1",
    "127..0.0.1",
    "127.0.0.1.1",
    "127.0.0.256",
    "127.0.0.-1",
    "127.0.0.0x1",
    "0177.1",
    "0x7f.1",
    "0x7f.0x000001",
    "00000000177.1",
    "0x100000000",
    "4294967296",
    "6425673729",
    "99999999999999999999",
    "2852039166",
    "0xa9fea9fe",
    "025177524776",
    "0251.0376.0251.0376",
    "0xA9.0xFE.0xA9.0xFE",
    "169.254.43518",
    "169.16689662",
    "[::]",
    "[0:0:0:0:0:0:0:0]",
    "[::1]",
    "[0000::1]",
    "[::127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:0127.0.0.1]",
    "[fe80::1%lo]",
    "[::1%25lo]",
    "[::1]]",
    "[]",
    "[",
    "]",
    "[::1",
    "::1",
    "[127.0.0.1]",
    "[localhost]",
    "[v1.127.0.0.1]",
    "[1080:0:0:0:8:800:200C:417A]",
    "\uff10\uff58\uff17\uff46\uff10\uff10\uff10\uff10\uff10\uff11",
    "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460",
    "127\u30020\u30020\u30021",
    "127%2e0%2e0%2e1",
    "%31%32%37%2e%30%2e%30%2e%31",
    "127.0.0.1%2523.cdn.example",
    "cdn.example@127.0.0.1",
    "cdn.example:x@127.0.0.1",
    "127.0.0.1@cdn.example",
    "cdn.example%40127.0.0.1",
    "cdn.example\\@127.0.0.1",
    "127.0.0.1\\@cdn.example",
    "127.0.0.1\\.cdn.example",
    "inside.example#@127.0.0.1",
    "127.0.0.1#@cdn.example",
    "127.0.0.1?@cdn.example",
    "127.0.0.1;.cdn.example",
    "127.0.0.1%00.cdn.example",
    "127.0.0.1\x00.cdn.example",
    "127.0.0.1\r\n.cdn.example",
    "127.0.0.1\t.cdn.example",
    "127.0.0.1 .cdn.example",
    "cdn.example\r\nHost: 127.0.0.1",
    "cdn_example.127.0.0.1",
    "-127.0.0.1",
    "a" * 64 + ".example",
    "a." * 127 + "example",
    "1." * 2000 + "1",
    "",
    ".",
    "..",
    "*",
    "*.example",
    "%",
    "$(id)",
]
PORTS = [0, 1, 7, 21, 22, 23, 25, 53, 79, 111, 389, 445, 2375, 3306, 5432, 6379, 8080, 8443, 9200, 11211, 27017, 65536]
SCHEMES = ["ftp", "file", "gopher", "dict", "ldap", "tftp", "jar", "data", "javascript", "ws", "unix", "httpx", ""]
WHOLE = [
    "http:127.0.0.1/",
    "http:/127.0.0.1/",
    "http:///127.0.0.1/",
    "http:////127.0.0.1/",
    "http:\\\\127.0.0.1\\",
    "http://\\127.0.0.1/",
    "http:/\\127.0.0.1/",
    "\\\\127.0.0.1\\share",
    "h\nttp://127.0.0.1/",
    "\x00http://127.0.0.1/",
    " http://127.0.0.1/",
    "http ://127.0.0.1/",
    "http//127.0.0.1/",
    "hTTp://127.0.0.1/",
    "http://127.0.0.1:80:443/",
    "http://127.0.0.1:+80/",
    "http://127.0.0.1:8\uff10/",
    "http://127.0.0.1: 80/",
    "http://127.0.0.1:-80/",
    "http://127.0.0.1/\r\nSET x 1\r\n",
    "http://localhost/%0d%0aSET%20x%201",
    "http://localhost:6379/\r\nFLUSHALL",
    "http://127.0.0.1/" + "a" * 3000,
    "http://127.0.0.1/" + "a" * 9000,
    "http://" + "a" * 9000 + "/",
]
ODD = [
    *(f"https://{name}/latest/meta-data/" for name in NAMES),
    *(f"http://{host}/" for host in HOSTS),
    *(f"https://cdn.example:{port}/" for port in PORTS),
    *(f"{scheme}://127.0.0.1/etc/passwd" for scheme in SCHEMES),
    *WHOLE,
]


def judged(expected: str) -> list[str]:
    """The addresses of the shared corpus that are to be blocked (``block``) or reached (``allow``), or a few."""
    if not CORPUS.is_file():
        return list(DANGEROUS if expected == "block" else REACHABLE)
    cases = json.loads(CORPUS.read_text(encoding="utf-8"))["cases"]
    return [case["ip"] for case in cases if case["expect"] == expected]


def link_by_hand(secret: str, url: str, mode: str = "") -> str:
    """A link as somebody else's code signs it, who checks nothing."""
    expires = int(time.time()) + 600
    message = "\n".join(("v1", "task12345", url, str(expires), mode, "", ""))
    signature = KeyRing.derive([secret], SALT).sign(message.encode())
    named_mode = f"&mode={mode}" if mode else ""
    return f"/download/task12345?url={quote(url, safe='')}&expires={expires}{named_mode}&sig={signature}"
