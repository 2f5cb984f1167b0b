"""No socket is ever opened to a forbidden address, in any spelling and from any source.

Every ``connect`` of the process is recorded. Servers on loopback stand for public addresses, DNS answers what a test
sets (127.0.0.1 by default), and a connection to anywhere else fails the test.
"""

import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote
from weakref import WeakKeyDictionary

import pytest

from gateway.egress.dns_lookup import DnsLookup
from gateway.errors import OriginNotAllowed, OriginUnsafe
from gateway.services import build_services
from tests.support.factories import PNG, SECRET, Clock, Gateway, make_settings
from tests.support.faults.addresses import DANGEROUS, ODD, link_by_hand, plainly, spellings
from tests.support.servers import Request, ScriptedServer, answer, envelope

Place = tuple[str, int]
Rows = list[tuple[int, int, int, str, tuple[Any, ...]]]

PUBLIC = "93.184.216.34"
OTHER_PUBLIC = "2606:2800:220:1:248:1893:25c8:1946"
CONVERT = "/api/v1/gpt4o-image/download-url"


def blocked(corpora: dict[str, Any]) -> list[str]:
    return [case["ip"] for case in corpora["ssrf_ips"]["cases"] if case["expect"] == "block"]


def allowed(corpora: dict[str, Any]) -> list[str]:
    return [case["ip"] for case in corpora["ssrf_ips"]["cases"] if case["expect"] == "allow"]


# --- the network of these tests


class ForbiddenConnect(AssertionError):
    """A connection to a forbidden address."""


class Network:
    """Records where the process connects; servers on loopback stand for public addresses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tried: list[Place] = []
        self.forbidden: list[Place] = []
        self._open: set[Place] = set()
        self._played: dict[str, ScriptedServer] = {}
        self._peers: WeakKeyDictionary[socket.socket, tuple[Any, ...]] = WeakKeyDictionary()
        self._connect, self._peer = socket.socket.connect, socket.socket.getpeername
        monkeypatch.setattr(socket.socket, "connect", lambda sock, place: self.connect(sock, tuple(place)))
        monkeypatch.setattr(socket.socket, "connect_ex", lambda sock, place: self._connect_ex(sock, tuple(place)))
        monkeypatch.setattr(socket.socket, "getpeername", lambda sock: self._peers.get(sock) or self._peer(sock))

    def _connect_ex(self, sock: socket.socket, place: tuple[Any, ...]) -> int:
        self.connect(sock, place)
        return 0

    def open(self, server: ScriptedServer) -> None:
        """Let the process connect to a server on loopback."""
        self._open.add(("127.0.0.1", server.port))

    def play(self, server: ScriptedServer, *addresses: str) -> None:
        """Have a server on loopback stand for public addresses, at every port."""
        self._played.update(dict.fromkeys(addresses, server))

    def connect(self, sock: socket.socket, place: tuple[Any, ...]) -> None:
        """Connect, or record a forbidden attempt and raise."""
        self.tried.append(place[:2])
        if place[:2] in self._open:
            return self._connect(sock, place)
        player = self._played.get(place[0])
        if player is None:
            self.forbidden.append(place[:2])
            raise ForbiddenConnect(place)
        self._peers[sock] = place
        loopback = "127.0.0.1" if sock.family == socket.AF_INET else "::ffff:127.0.0.1"
        return self._connect(sock, (loopback, player.port))


class Dns(DnsLookup):
    """Names have the addresses that a test sets: one answer per lookup, the last repeated."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._answers: dict[str, list[list[str]]] = {}

    def tell(self, name: str, *answers: list[str]) -> None:
        """Set the answers for a name."""
        self._answers[name] = list(answers)

    def __call__(
        self, host: str, port: int, _family: int = 0, _socktype: int = 0, _proto: int = 0, flags: int = 0
    ) -> Rows:
        """Answer like ``getaddrinfo``."""
        if flags & socket.AI_NUMERICHOST:
            return [row(host, port)]
        self.asked.append(host)
        answers = self._answers.get(host, [["127.0.0.1"]])
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [row(address, port) for address in addresses]


def row(address: str, port: int) -> tuple[int, int, int, str, tuple[Any, ...]]:
    if ":" in address:
        return socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)


@dataclass
class Stage:
    """A gateway that may fetch from any public host, a public server, a private one, and a provider."""

    network: Network
    dns: Dns
    public: ScriptedServer
    private: ScriptedServer
    provider: ScriptedServer
    clock: Clock
    gateways: dict[str, Gateway]

    def gateway(self, resolver: str, **changes: str) -> Gateway:
        """A gateway with a resolver; the private server is listed, and so may be fetched from when a link names it."""
        settings = make_settings(
            resolver=resolver,
            upstream_url=self.provider.url(""),
            **{"origin_hosts": f"*,{self.private.address}"} | changes,
        )
        return Gateway(settings, build_services(settings, clock=self.clock, lookup=self.dns), self.clock)

    def origin(self) -> Gateway:
        """The gateway that fetches what links name."""
        return self._built("origin")

    def upstream(self) -> Gateway:
        """The gateway that asks the provider."""
        return self._built("upstream")

    def _built(self, resolver: str) -> Gateway:
        if resolver not in self.gateways:
            self.gateways[resolver] = self.gateway(resolver)
        return self.gateways[resolver]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be opened is tried again, without the pauses."""
    monkeypatch.setattr("gateway.delivery.opening.PAUSES_S", (0.0, 0.0))


@pytest.fixture
def stage(origin: ScriptedServer, provider: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with ScriptedServer() as private:
        network, dns = Network(monkeypatch), Dns()
        network.play(origin, PUBLIC, OTHER_PUBLIC)
        network.open(provider)
        dns.tell("cdn.example", [PUBLIC])
        origin.serve("/v/cat.png", PNG)
        private.serve("/v/cat.png", PNG)
        yield Stage(network, dns, origin, private, provider, Clock(), {})


# --- the sources of a URL


@dataclass(frozen=True)
class Outcome:
    """What a visitor got."""

    status: int
    text: str
    location: str | None

    @property
    def code(self) -> str:
        """The error's name, of an answer in plain text."""
        match = re.match(r"\d{3} (\w+):", self.text)
        return match[1] if match else ""


Way = Callable[[Stage, str], Outcome]


def by_link(stage: Stage, url: str) -> Outcome:
    """A link names the URL; the signature is right."""
    return follow(stage.origin(), link_by_hand(SECRET, url))


def by_direct_url(stage: Stage, url: str) -> Outcome:
    """The provider gives the URL for the direct URL."""
    stage.provider.route(CONVERT, envelope(data=url))
    return follow(stage.upstream(), link_by_hand(SECRET, f"https://cdn.example/{time.monotonic_ns()}"))


def by_location(stage: Stage, url: str) -> Outcome:
    """A public server redirects to the URL."""
    stage.public.route("/moved", redirect_to(url))
    return follow(stage.origin(), link_by_hand(SECRET, "http://cdn.example/moved"))


def by_location_of_direct_url(stage: Stage, url: str) -> Outcome:
    """The server that the provider names redirects to the URL."""
    stage.provider.route(CONVERT, envelope(data="http://bucket.example/moved"))
    stage.dns.tell("bucket.example", [PUBLIC])
    stage.public.route("/moved", redirect_to(url))
    return follow(stage.upstream(), link_by_hand(SECRET, "https://cdn.example/v/cat.png"))


WAYS: dict[str, tuple[Way, set[str]]] = {
    # A host in characters that only normalisation turns into letters is not sent for at all: origin_failed.
    "link": (by_link, {"link_invalid", "link_damaged", "origin_not_allowed", "origin_unsafe", "origin_failed"}),
    "direct-url": (by_direct_url, {"direct_url_refused", "origin_unsafe", "provider_garbled"}),
    # "https:127.0.0.1" and "/127.0.0.1" are paths on the server itself, which does not have them.
    "location": (by_location, {"origin_unsafe", "file_not_found", "origin_failed"}),
    "location-of-direct-url": (by_location_of_direct_url, {"origin_unsafe", "file_not_found", "origin_failed"}),
}
STATUS = {
    "link_invalid": 403,
    "link_damaged": 403,
    "origin_not_allowed": 403,
    "origin_unsafe": 502,
    "direct_url_refused": 502,
    "provider_garbled": 502,
    "origin_failed": 502,
    "file_not_found": 404,
}
every_way = pytest.mark.parametrize("way", WAYS)


def follow(gateway: Gateway, link: str, method: str = "GET", **headers: str) -> Outcome:
    response = gateway.client.open(link, method=method, headers={"X-Request-Id": "test", **headers})
    return Outcome(response.status_code, response.data.decode("latin-1"), response.headers.get("Location"))


def redirect_to(url: str) -> bytes:
    return answer(302, b"elsewhere", {"Location": url.encode().decode("latin-1")})


def wrongs(stage: Stage, way: str, urls: Iterable[str]) -> list[tuple[str, object]]:
    """What is wrong with the answers for forbidden URLs."""
    enter, codes = WAYS[way]
    found: list[tuple[str, object]] = []
    for url in urls:
        outcome = enter(stage, url)
        if outcome.code not in codes or outcome.status != STATUS[outcome.code] or outcome.location:
            found.append((url, outcome))
        found.extend((url, f"{part} is shown") for part in secret_parts(url) if part in outcome.text)
        found.extend((url, place) for place in stage.network.forbidden)
        stage.network.forbidden.clear()
    return found


def refuses(check: Callable[[str], object], url: str) -> bool:
    try:
        check(url)
    except (OriginNotAllowed, OriginUnsafe):
        return True
    return False


def secret_parts(url: str) -> list[str]:
    """Parts of a URL that an answer must not hold."""
    host = re.sub(r"^[a-z]*:?/*", "", url).partition("/")[0]
    return [part for part in (host, unquote(host), host.strip("[]")) if len(part) > 3]


# --- spellings of addresses


@every_way
def test_no_blocked_address_of_the_corpus_is_reached(stage: Stage, corpora: dict[str, Any], way: str) -> None:
    urls = [f"https://{plainly(ip_address(address))[0]}/" for address in blocked(corpora)]

    assert len(urls) == 242
    assert wrongs(stage, way, urls) == []


def test_the_guard_refuses_every_spelling_of_every_blocked_address(stage: Stage, corpora: dict[str, Any]) -> None:
    guard = stage.origin().services.guard
    urls = [f"http://{host}/v/cat.png" for address in blocked(corpora) for host in spellings(address)]

    passed = [url for url in urls if not (refuses(guard.check_link_url, url) and refuses(guard.check_fetch, url))]

    assert len(urls) > 5000
    assert passed == []


@every_way
def test_no_spelling_of_a_dangerous_address_is_reached(stage: Stage, way: str) -> None:
    urls = [f"http://{host}/latest/meta-data/" for address in DANGEROUS for host in spellings(address)]

    assert wrongs(stage, way, urls) == []


@every_way
def test_no_odd_url_is_reached(stage: Stage, way: str) -> None:
    assert len(ODD) > 180
    assert wrongs(stage, way, ODD) == []


def test_a_forbidden_direct_url_is_neither_fetched_nor_sent_to_the_browser(stage: Stage) -> None:
    for host in ("127.0.0.1", "[::1]", "169.254.169.254", "cdn.example:22", stage.private.address + "0"):
        stage.provider.route(CONVERT, envelope(data=f"https://{host}/secret?X-Amz-Signature=5ec7e7"))
        for mode in ("auto", "redirect", "stream"):
            for method, headers in (("GET", {}), ("GET", {"Range": "bytes=0-9"}), ("HEAD", {})):
                link = link_by_hand(SECRET, f"https://cdn.example/{host}", mode)

                outcome = follow(stage.upstream(), link, method, **headers)

                assert (outcome.status, outcome.location) == (502, None), (host, mode, method)
                assert host not in outcome.text
    assert stage.network.forbidden == []


def test_no_browser_is_redirected_to_a_name_with_a_blocked_address(stage: Stage) -> None:
    for number, address in enumerate(DANGEROUS):
        stage.provider.route(CONVERT, envelope(data=f"https://inside{number}.example/secret"))
        stage.dns.tell(f"inside{number}.example", [PUBLIC, address])
        for mode in ("auto", "redirect", "stream"):
            link = link_by_hand(SECRET, f"https://cdn.example/{mode}/{number}.png", mode)
            outcome = follow(stage.upstream(), link)
            assert (outcome.status, outcome.code, outcome.location) == (502, "origin_unsafe", None), (address, mode)
    assert stage.network.forbidden == []


def test_a_browser_is_redirected_to_a_public_name(stage: Stage) -> None:
    stage.provider.route(CONVERT, envelope(data="https://bucket.example/x?X-Amz-Signature=5ec7e7"))
    stage.dns.tell("bucket.example", [PUBLIC, OTHER_PUBLIC])

    outcome = follow(stage.upstream(), link_by_hand(SECRET, "https://cdn.example/v/cat.png", "redirect"))

    assert (outcome.status, outcome.location) == (302, "https://bucket.example/x?X-Amz-Signature=5ec7e7")


@every_way
def test_nothing_of_a_forbidden_url_is_shown_or_logged(
    stage: Stage, way: str, capfd: pytest.CaptureFixture[str]
) -> None:
    enter, _ = WAYS[way]

    outcome = enter(stage, "https://169.254.169.254/latest?X-Amz-Signature=5ec7e7")

    logged = "".join(capfd.readouterr())
    assert outcome.status in {403, 502}
    assert "169.254" not in outcome.text + logged
    assert "5ec7e7" not in outcome.text + logged


def test_no_form_of_the_answer_shows_the_address(stage: Stage) -> None:
    stage.dns.tell("inside.example", ["10.11.12.13"])
    for accept in ("text/html", "application/json", "*/*"):
        outcome = follow(stage.origin(), link_by_hand(SECRET, "https://inside.example/secret"), Accept=accept)

        assert outcome.status == 502
        assert "10.11.12.13" not in outcome.text
        assert "inside.example" not in outcome.text


# --- names


@every_way
def test_no_name_leads_to_a_blocked_address(stage: Stage, corpora: dict[str, Any], way: str) -> None:
    found = []
    for index, address in enumerate(blocked(corpora)):
        stage.dns.tell(f"n{index}.example", [address])
        found += wrongs(stage, way, [f"http://n{index}.example/"])

    assert found == []
    assert {f"n{index}.example" for index in range(242)} <= set(stage.dns.asked)


def test_one_blocked_address_among_public_ones_stops_the_whole_name(stage: Stage, corpora: dict[str, Any]) -> None:
    public = [PUBLIC, OTHER_PUBLIC, "8.8.8.8", "1.1.1.1", "144.1.1.1", "200.1.1.1"]
    found = []
    for index, address in enumerate(blocked(corpora)):
        answered = ([address, PUBLIC], [PUBLIC, address], [*public, address])[index % 3]
        stage.dns.tell(f"n{index}.example", answered)
        found += wrongs(stage, "link", [f"http://n{index}.example/"])

    assert found == []
    assert stage.network.tried == []


@pytest.mark.parametrize("way", [way for way in WAYS if way != "link"])
def test_a_mixed_answer_stops_every_way(stage: Stage, way: str) -> None:
    for number, address in enumerate(DANGEROUS):
        stage.dns.tell(f"mixed{number}.example", [PUBLIC, address])
        assert wrongs(stage, way, [f"http://mixed{number}.example/"]) == []
    assert not any("mixed" in request.headers["host"] for request in stage.public.seen)


def test_an_answer_with_a_zone_is_blocked_like_one_without(stage: Stage) -> None:
    for number, address in enumerate(("fe80::1%lo", "::1%lo", "fe80::1%1")):
        stage.dns.tell(f"zone{number}.example", [address])
        assert wrongs(stage, "link", [f"https://zone{number}.example/"]) == []


def test_a_name_whose_address_becomes_a_blocked_one_is_not_connected_to(stage: Stage) -> None:
    for number, address in enumerate(DANGEROUS):
        name = f"flip{number}.example"
        stage.dns.tell(name, [PUBLIC], [address])
        link = link_by_hand(SECRET, f"http://{name}/v/cat.png")

        first, second = follow(stage.origin(), link), follow(stage.origin(), link)

        assert first.status == 200, address
        assert (second.status, second.code) == (502, "origin_unsafe"), address
    assert stage.network.forbidden == []


def test_a_name_is_looked_up_once_for_a_connection(stage: Stage) -> None:
    stage.dns.tell("flip.example", [PUBLIC], ["127.0.0.1"])

    outcome = follow(stage.origin(), link_by_hand(SECRET, "http://flip.example/v/cat.png"))

    assert outcome.status == 200
    assert stage.dns.asked == ["flip.example"]
    assert stage.network.tried == [(PUBLIC, 80)]


def test_a_direct_url_whose_name_gets_a_blocked_address_is_not_fetched(stage: Stage) -> None:
    stage.provider.route(CONVERT, envelope(data="http://flip.example/v/cat.png"))
    stage.dns.tell("flip.example", [PUBLIC], ["127.0.0.1"])
    link = link_by_hand(SECRET, "https://cdn.example/v/cat.png")

    first = follow(stage.upstream(), link)
    second = follow(stage.upstream(), link)

    assert first.status == 200
    assert (second.status, second.code) == (502, "origin_unsafe")
    assert stage.network.forbidden == []


# --- private servers


@pytest.mark.parametrize("way", ["location", "location-of-direct-url"])
def test_a_public_server_cannot_redirect_to_a_listed_private_one(stage: Stage, way: str) -> None:
    stage.network.open(stage.private)

    outcome = WAYS[way][0](stage, stage.private.url("/v/cat.png"))

    assert (outcome.status, outcome.code) == (502, "origin_unsafe")
    assert stage.private.seen == []


def test_a_link_to_the_listed_private_server_itself_is_served(stage: Stage) -> None:
    stage.network.open(stage.private)

    outcome = follow(stage.origin(), link_by_hand(SECRET, stage.private.url("/v/cat.png")))

    assert outcome.status == 200
    assert stage.private.paths() == ["/v/cat.png"]


@every_way
def test_other_ports_of_the_listed_private_server_are_closed(stage: Stage, way: str) -> None:
    ports = (1, 22, 80, 443, 6379, stage.provider.port, stage.private.port - 1, stage.private.port + 1)
    urls = [f"{scheme}://127.0.0.1:{port}/" for scheme in ("http", "https") for port in ports]

    before = len(stage.provider.seen)
    assert wrongs(stage, way, urls) == []
    assert {request.path for request in stage.provider.seen[before:]} <= {CONVERT}


def test_a_listed_private_name_outside_the_private_networks_is_not_reached(stage: Stage) -> None:
    stage.dns.tell("minio", ["10.9.8.7"])
    gateway = stage.gateway("origin", origin_hosts="minio:9000", private_networks="10.1.0.0/16")

    outcome = follow(gateway, link_by_hand(SECRET, "http://minio:9000/x"))

    assert (outcome.status, outcome.code) == (502, "origin_unsafe")
    assert stage.network.tried == []


def test_listing_an_address_without_a_port_does_not_make_it_public(stage: Stage, corpora: dict[str, Any]) -> None:
    hosts = [plainly(ip_address(address))[0] for address in blocked(corpora)]
    gateway = stage.gateway("origin", origin_hosts=",".join(hosts))

    outcomes = {host: follow(gateway, link_by_hand(SECRET, f"https://{host}/")) for host in hosts}

    assert {outcome.code for outcome in outcomes.values()} == {"origin_unsafe"}
    assert stage.network.tried == []


# --- what is allowed is reached, so that these tests can fail


def test_every_allowed_address_of_the_corpus_is_reached_exactly(stage: Stage, corpora: dict[str, Any]) -> None:
    stage.network.play(stage.public, *allowed(corpora))

    for index, address in enumerate(allowed(corpora)):
        stage.dns.tell(f"n{index}.example", [address])
        outcome = follow(stage.origin(), link_by_hand(SECRET, f"http://n{index}.example/v/cat.png"))
        assert (address, outcome.status) == (address, 200)

    assert [ip_address(host) for host, _ in stage.network.tried] == [ip_address(a) for a in allowed(corpora)]


@pytest.mark.parametrize("way", ["location", "location-of-direct-url"])
def test_a_redirect_to_a_public_server_is_followed(stage: Stage, way: str) -> None:
    outcome = WAYS[way][0](stage, "http://cdn.example/v/cat.png")

    assert outcome.status == 200


def test_the_recorder_sees_a_forbidden_connection(stage: Stage) -> None:
    with socket.socket() as sock, pytest.raises(ForbiddenConnect):
        sock.connect(("127.0.0.1", 22))

    assert stage.network.forbidden == [("127.0.0.1", 22)]


def test_no_header_of_the_visitor_reaches_the_origin(stage: Stage) -> None:
    link = link_by_hand(SECRET, "http://cdn.example/v/cat.png")

    follow(stage.origin(), link, Cookie="session=5ec7e7", Authorization="Bearer 5ec7e7", Referer="https://5ec7e7/")

    request: Request = stage.public.seen[-1]
    assert "5ec7e7" not in str(request.headers) + request.target
