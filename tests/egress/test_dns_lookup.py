"""Names are looked up at a name server on loopback, and only some at the platform."""

import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from ssrfguard.resolvers import UdpResolver

from gateway.egress.dns_lookup import DnsLookup
from tests.support.faults.names import HEADER, NameServer, name_in
from tests.support.live_gateway import ROOT

TIMEOUT_S = 0.3


@pytest.fixture
def name_server() -> Iterator[NameServer]:
    with NameServer() as server:
        yield server


@pytest.fixture
def hosts_file(tmp_path: Path) -> Path:
    path = tmp_path / "hosts"
    path.write_text(
        "127.0.0.1 localhost\n"
        "# 10.0.0.9 commented.example\n"
        "127.0.0.1\tLocalhost.LocalDomain localhost.localdomain  # and not.this.one\n"
        "::1 ip6.localdomain\n"
        "\n",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def lookup(name_server: NameServer, hosts_file: Path, monkeypatch: pytest.MonkeyPatch) -> DnsLookup:
    ours = partial(UdpResolver, nameservers=("127.0.0.1",), nameserver_port=name_server.port)
    monkeypatch.setattr("gateway.egress.dns_lookup.UdpResolver", ours)
    return DnsLookup(TIMEOUT_S, hosts_file)


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that the platform was asked for; it answers 127.0.0.1."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_rest: int) -> list[object]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def addresses(lookup: DnsLookup, name: str, family: int = 0) -> list[str]:
    return [row[4][0] for row in lookup(name, 443, family, socket.SOCK_STREAM)]


# --- names with a dot


def test_a_name_is_asked_for_over_our_own_socket(
    lookup: DnsLookup, name_server: NameServer, platform: list[str]
) -> None:
    tcp = socket.SOCK_STREAM, socket.IPPROTO_TCP, ""
    name_server.tell("four.example", "93.184.216.34")
    name_server.tell("six.example", "2606:4700::1")

    four = lookup("four.example", 443, 0, socket.SOCK_STREAM)
    six = lookup("six.example", 8443, 0, socket.SOCK_STREAM)

    assert four == [(socket.AF_INET, *tcp, ("93.184.216.34", 443))]
    assert six == [(socket.AF_INET6, *tcp, ("2606:4700::1", 8443, 0, 0))]
    assert platform == []


def test_the_families_alternate_so_that_both_are_among_the_first_four(
    lookup: DnsLookup, name_server: NameServer
) -> None:
    table = {
        ("1.1.1.1",): ["1.1.1.1"],
        ("2606::1",): ["2606::1"],
        ("1.1.1.1", "2606::1"): ["1.1.1.1", "2606::1"],
        ("2606::1", "2606::2", "2606::3", "1.1.1.1"): ["1.1.1.1", "2606::1", "2606::2", "2606::3"],
        ("1.1.1.1", "1.1.1.2", "1.1.1.3", "2606::1"): ["1.1.1.1", "2606::1", "1.1.1.2", "1.1.1.3"],
        ("2606::1", "1.1.1.1", "2606::2", "1.1.1.2"): ["1.1.1.1", "2606::1", "1.1.1.2", "2606::2"],
    }
    for number, (answered, tried) in enumerate(table.items()):
        name_server.tell(f"n{number}.example", *answered)
        assert addresses(lookup, f"n{number}.example") == tried, answered


def test_all_addresses_are_returned_so_that_none_escapes_the_check(lookup: DnsLookup, name_server: NameServer) -> None:
    many = [f"93.184.216.{number}" for number in range(20)]
    name_server.tell("cdn.example", *many, "10.0.0.1", "::1")

    assert set(addresses(lookup, "cdn.example")) == {*many, "10.0.0.1", "::1"}


def test_an_unknown_empty_or_malformed_name_has_no_address(lookup: DnsLookup, name_server: NameServer) -> None:
    for name in ("a..example", "a" * 64 + ".example", "a." * 130 + "example", "."):
        with pytest.raises(socket.gaierror):
            lookup(name, 443)
    assert name_server.asked == []

    name_server.tell("empty.example")
    for name in ("empty.example", "nobody.example"):
        with pytest.raises(socket.gaierror):
            lookup(name, 443)


def test_a_name_without_an_answer_ends_at_the_timeout(lookup: DnsLookup, name_server: NameServer) -> None:
    name_server.purge("dead.example")
    begun = time.monotonic()

    with pytest.raises(socket.gaierror):
        lookup("dead.example", 443)

    assert TIMEOUT_S * 0.9 < time.monotonic() - begun < TIMEOUT_S + 1


# Under gevent all lookups of the platform share ten threads.
UNDER_GEVENT = """
from gevent import monkey
monkey.patch_all()
import sys, time
from functools import partial
import gevent
from gateway.egress import dns_lookup

dns_lookup.UdpResolver = partial(dns_lookup.UdpResolver, nameservers=("127.0.0.1",), nameserver_port=int(sys.argv[1]))
lookup = dns_lookup.DnsLookup(0.6)
dead = [gevent.spawn(lookup, f"dead{number}.example", 443) for number in range(40)]
gevent.sleep(0.05)
begun = time.monotonic()
found = lookup("localhost", 443)[0][4][0]
quick = time.monotonic() - begun < 0.5
gevent.joinall(dead, timeout=5)
print(found, quick, {type(one.exception).__name__ for one in dead}, time.monotonic() - begun < 3)
"""


def test_forty_dead_names_do_not_delay_other_lookups_under_gevent(name_server: NameServer) -> None:
    name_server.purge(*(f"dead{number}.example" for number in range(40)))

    command = [sys.executable, "-c", UNDER_GEVENT, str(name_server.port)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)

    assert run.stdout.split(maxsplit=1)[1:] == ["True {'gaierror'} True\n"]
    assert run.stdout.split()[0] in {"127.0.0.1", "::1"}


def test_a_forged_answer_is_not_believed(hosts_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as forger:
        forger.bind(("127.0.0.1", 0))
        ours = partial(UdpResolver, nameservers=("127.0.0.1",), nameserver_port=forger.getsockname()[1])
        monkeypatch.setattr("gateway.egress.dns_lookup.UdpResolver", ours)
        thread = threading.Thread(target=answer_with_another_id, args=(forger,))
        thread.start()

        with pytest.raises(socket.gaierror):
            DnsLookup(0.2, hosts_file)("cdn.example", 443)

        thread.join()


def answer_with_another_id(forger: socket.socket) -> None:
    forger.settimeout(1)
    with suppress(OSError):
        query, sender = forger.recvfrom(4096)
        _, end = name_in(query)
        head = HEADER.pack(int.from_bytes(query[:2]) ^ 1, 0x8180, 1, 1, 0, 0)
        row = struct.pack("!HHHIH", 0xC00C, 1, 1, 60, 4) + b"\x08\x08\x08\x08"
        forger.sendto(head + query[12 : end + 4] + row, sender)


# --- names that the platform knows


def test_single_labels_literals_and_names_of_the_hosts_file_go_to_the_platform(
    lookup: DnsLookup, name_server: NameServer, platform: list[str]
) -> None:
    named = ["localhost", "minio", "localhost.localdomain", "localhost.localdomain.", "ip6.localdomain"]
    literals = ["127.0.0.1", "::1"]
    for name in (*named, *literals):
        flags = socket.AI_NUMERICHOST if name in literals else 0
        assert lookup(name, 80, 0, socket.SOCK_STREAM, 0, flags)[0][4] == ("127.0.0.1", 80)

    assert platform == named + literals
    assert name_server.asked == []


def test_what_the_hosts_file_only_mentions_is_asked_for(
    lookup: DnsLookup, name_server: NameServer, platform: list[str]
) -> None:
    for name in ("commented.example", "not.this.one", "127.0.0.1.example"):
        name_server.tell(name, "93.184.216.34")
        assert addresses(lookup, name) == ["93.184.216.34"]
    assert platform == []


def test_without_a_hosts_file_names_are_asked_for(lookup: DnsLookup, name_server: NameServer, hosts_file: Path) -> None:
    hosts_file.unlink()
    name_server.tell("localhost.localdomain", "93.184.216.34")

    assert addresses(lookup, "localhost.localdomain") == ["93.184.216.34"]


def test_lines_of_the_hosts_file_that_are_not_text_are_skipped(
    lookup: DnsLookup, name_server: NameServer, hosts_file: Path, platform: list[str]
) -> None:
    hosts_file.write_bytes(b"\xff\xfe\x00 \xff\n127.0.0.1 server.lan\n")
    name_server.tell("cdn.example", "93.184.216.34")

    assert addresses(lookup, "server.lan") == ["127.0.0.1"]
    assert addresses(lookup, "cdn.example") == ["93.184.216.34"]
    assert platform == ["server.lan"]


def test_without_known_name_servers_the_platform_is_asked(
    monkeypatch: pytest.MonkeyPatch, hosts_file: Path, platform: list[str]
) -> None:
    def nowhere(**_options: object) -> UdpResolver:
        raise ValueError("names no usable nameserver")

    monkeypatch.setattr("gateway.egress.dns_lookup.UdpResolver", nowhere)

    assert addresses(DnsLookup(TIMEOUT_S, hosts_file), "cdn.example") == ["127.0.0.1"]
    assert platform == ["cdn.example"]


class CountedPath(type(Path())):  # type: ignore[misc]  # a class that the platform decides
    """Counts how often it is read."""

    reads = 0

    def read_text(self, *args: str, **options: str) -> str:
        type(self).reads += 1
        return str(super().read_text(*args, **options))


def test_a_hosts_file_is_parsed_anew_when_it_has_changed_and_only_then(
    tmp_path: Path, platform: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.egress.dns_lookup._CHECK_EVERY_S", -1)
    hosts = CountedPath(tmp_path / "hosts")
    hosts.write_text("127.0.0.1 here.example\n", encoding="utf-8")
    lookup = DnsLookup(hosts_file=hosts)

    for _ in range(3):
        lookup("here.example", 443)
    parsed_before = CountedPath.reads
    hosts.write_text("127.0.0.1 here.example there.example\n", encoding="utf-8")
    lookup("there.example", 443)

    assert (parsed_before, CountedPath.reads) == (1, 2)
    assert platform == ["here.example"] * 3 + ["there.example"]
