"""Hostile origins and unruly visitors at a real gateway: its deadlines are short, its names told on loopback."""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from tests.support.certificates import make_certificate, server_context
from tests.support.faults.fault_environment import SHORT_TIMEOUTS_CONF, FaultEnvironment
from tests.support.faults.names import DEAD, NameServer, answer_for_trial_names
from tests.support.faults.origin import IMAGE, MOST_BYTES, ORIGINS, TIMEOUT, UNREACHABLE, UNSAFE, Fault, serve
from tests.support.faults.process_stats import ProcessStats
from tests.support.faults.provider import BUSY, PROVIDERS, RETRY_AFTER_S, serve as provide
from tests.support.faults.raw_server import RawServer
from tests.support.faults.visitor import PATIENCE_S, Seen, Visitor, fetch
from tests.support.live_gateway import LiveGateway, environment_for, happens, started_gateway, wait_until_healthy

pytestmark = pytest.mark.slow

ANSWERS_WITHIN_S = 15.0  # of a stall or two, and another try
OTHERS_WAIT_S = 5.0  # longer than at a gateway without trouble, as a busy machine delays both
MOST_GROWTH = 20_000_000
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells what a process holds")


@pytest.fixture(scope="module")
def names() -> Iterator[NameServer]:
    with NameServer() as server:
        answer_for_trial_names(server)
        yield server


@pytest.fixture(scope="module")
def hostile() -> Iterator[RawServer]:
    with RawServer(serve) as server:
        yield server


@pytest.fixture(scope="module")
def refused_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of connections that should not have been tried."""
    path = tmp_path_factory.mktemp("refused") / "log"
    path.touch()
    return path


@pytest.fixture(scope="module")
def gateway(
    hostile: RawServer, names: NameServer, refused_log: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveGateway]:
    """A gateway that may fetch from any public host, and from ``hostile``."""
    with trial_gateway(hostile, names, refused_log, tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def control(
    hostile: RawServer, names: NameServer, refused_log: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveGateway]:
    """The same, where nobody visits a hostile origin: how long an answer takes on this machine just now."""
    with trial_gateway(hostile, names, refused_log, tmp_path_factory.mktemp("control")) as gateway:
        yield gateway


@contextmanager
def trial_gateway(hostile: RawServer, names: NameServer, refused_log: Path, folder: Path) -> Iterator[LiveGateway]:
    surroundings = FaultEnvironment(
        name_server=names.port,
        public=hostile.port,
        open_ports=(hostile.port,),
        refused_log=str(refused_log),
    )
    environment = environment_for("*", hostile.address, max_bytes=str(MOST_BYTES)) | surroundings.environment
    with started_gateway(folder, environment, SHORT_TIMEOUTS_CONF) as gateway:
        wait_until_healthy(gateway.port, gateway.process, gateway.log)
        yield gateway


class Neighbour(threading.Thread):
    """Somebody who downloads a small image again and again, while others are in trouble, and from a control as well."""

    def __init__(self, gateway: LiveGateway, control: LiveGateway, path: str) -> None:
        super().__init__(daemon=True)
        self._gateway, self._control, self._path = gateway, control, path
        self._over = threading.Event()
        self.seen: list[Seen] = []
        self.control: list[Seen] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        while not self._over.wait(0.02):
            self.seen.append(fetch(self._gateway.port, self._path, address="127.0.2.1"))
            self.control.append(fetch(self._control.port, self._path, address="127.0.2.1"))

    @property
    def extra_wait_s(self) -> float:
        """How much longer the longest answer took than the longest of the control."""
        return slowest(self.seen) - slowest(self.control)


def slowest(seen: list[Seen]) -> float:
    return max(each.took_s for each in seen)


@dataclass
class Storm:
    """What was seen when all hostile origins were visited at once."""

    seen: dict[str, Seen] = field(default_factory=dict)
    neighbour: list[Seen] = field(default_factory=list)
    extra_wait_s: float = 0
    growth: int = 0
    files: tuple[int, int] = (0, 0)


@pytest.fixture(scope="module")
def storm(gateway: LiveGateway, control: LiveGateway, hostile: RawServer) -> Storm:
    storm = Storm()
    good = gateway.path(hostile.url("/image.png"))
    for _ in range(20):
        fetch(gateway.port, good)
    worker = worker_of(gateway)
    files = idle_files(worker) if worker else 0
    before = worker.memory() if worker else 0
    with Neighbour(gateway, control, good) as neighbour, ThreadPoolExecutor(len(ORIGINS)) as pool:
        asked = {
            name: pool.submit(visit, gateway, hostile, fault, f"127.0.1.{number}")
            for number, (name, fault) in enumerate(ORIGINS.items(), 1)
        }
        storm.seen = {name: future.result() for name, future in asked.items()}
    storm.neighbour, storm.extra_wait_s = neighbour.seen, neighbour.extra_wait_s
    for name in [name for name, seen in storm.seen.items() if is_late(ORIGINS[name], seen)]:
        storm.seen[name] = visit(gateway, hostile, ORIGINS[name])
    if worker:
        happens(lambda: worker.open_files() <= files, PATIENCE_S)
        storm.files = (files, worker.open_files())
        storm.growth = worker.peak() - before
    return storm


def is_late(fault: Fault, seen: Seen) -> bool:
    """Whether an origin failed by a deadline alone: they are a second or two here, which a busy machine may exceed."""
    outcome = seen.outcome(fault.right)
    return not fault.holds(outcome) and outcome in {TIMEOUT, UNREACHABLE, "nothing"}


def worker_of(gateway: LiveGateway) -> ProcessStats | None:
    """Its worker, whose peak is watched anew; None where that cannot be told."""
    if not sys.platform.startswith("linux"):
        return None
    worker = ProcessStats(gateway.workers()[0])
    worker.forget_peak()
    return worker


def idle_files(worker: ProcessStats) -> int:
    """How many files it has open when the last visitor's connection is closed: the fewest within a moment."""
    seen: list[int] = []
    happens(lambda: seen.append(worker.open_files()), 0.2)
    return min(seen)


def visit(gateway: LiveGateway, hostile: RawServer, fault: Fault, address: str = "127.0.0.1") -> Seen:
    """Download from a hostile origin."""
    return fetch(gateway.port, gateway.path(fault.url(hostile.address)), fault.ask, address)


# --- origins


@pytest.mark.parametrize("name", ORIGINS)
def test_a_hostile_origin_is_an_error_a_visible_cut_or_the_right_bytes(storm: Storm, name: str) -> None:
    fault, seen = ORIGINS[name], storm.seen[name]

    assert fault.holds(seen.outcome(fault.right)), (seen.outcome(fault.right), fault.what)
    assert seen.took_s < ANSWERS_WITHIN_S


def test_others_are_served_meanwhile(storm: Storm) -> None:
    assert storm.neighbour
    assert {seen.outcome(IMAGE) for seen in storm.neighbour} == {"whole"}
    assert storm.extra_wait_s < OTHERS_WAIT_S


@linux
def test_all_hostile_origins_at_once_cost_little_memory(storm: Storm) -> None:
    assert storm.growth < MOST_GROWTH


@linux
def test_no_connection_is_left_behind(storm: Storm, hostile: RawServer) -> None:
    before, after = storm.files

    assert after <= before
    assert happens(lambda: hostile.open_connections == 0, PATIENCE_S)


def test_no_forbidden_place_was_tried(storm: Storm, refused_log: Path) -> None:
    assert storm.seen
    assert refused_log.read_text(encoding="utf-8") == ""


@pytest.mark.usefixtures("storm")
def test_the_log_has_no_fault_of_ours(gateway: LiveGateway) -> None:
    assert "Traceback" not in gateway.log_text()
    assert '"level": "error"' not in gateway.log_text()


def test_forty_dead_names_hold_up_nobody(gateway: LiveGateway, control: LiveGateway) -> None:
    good = gateway.path("http://cdn.example/image.png")
    with ThreadPoolExecutor(len(DEAD)) as pool, Neighbour(gateway, control, good) as neighbour:
        waiting = [
            pool.submit(fetch, gateway.port, gateway.path(f"http://{name}/cat.png"), None, f"127.0.3.{number}")
            for number, name in enumerate(DEAD, 1)
        ]
        seen = [future.result() for future in waiting]

    assert {each.outcome(IMAGE) for each in neighbour.seen} == {"whole"}
    assert neighbour.extra_wait_s < OTHERS_WAIT_S
    assert {each.outcome(IMAGE) for each in seen} == {"502 origin_unreachable"}
    assert max(each.took_s for each in seen) < ANSWERS_WITHIN_S


def test_a_name_is_asked_for_once_and_connected_to_as_told(gateway: LiveGateway, names: NameServer) -> None:
    names.flip("once.example", "93.184.216.34", "127.0.0.1")

    seen = [fetch(gateway.port, gateway.path("http://once.example/image.png")) for _ in range(2)]

    assert [each.outcome(IMAGE) for each in seen] == ["whole", UNSAFE]
    assert names.asked.count("once.example") == 2 * len(("A", "AAAA"))


def test_nobody_is_led_from_https_to_http(hostile: RawServer, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    moved = ORIGINS["redirect-to-http"]
    with RawServer(serve, server_context(certificate)) as tls:
        environment = environment_for(tls.address, hostile.address) | {"SSL_CERT_FILE": str(certificate)}
        with started_gateway(tmp_path, environment) as gateway:
            wait_until_healthy(gateway.port, gateway.process, gateway.log)
            served, led = (
                fetch(gateway.port, gateway.path(tls.url(path) + f"?to={hostile.address}"))
                for path in ("/image.png", f"/{moved.name}/cat.png")
            )

    assert served.outcome(IMAGE) == "whole"
    assert led.outcome(IMAGE) == UNSAFE


# --- providers


@pytest.fixture(scope="module")
def upstream(hostile: RawServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    """A gateway that asks a bad provider."""
    with RawServer(provide) as provider:
        settings = {"resolver": "upstream", "upstream_url": provider.url("").rstrip("/")}
        environment = environment_for(hostile.address, **settings) | FaultEnvironment().environment
        with started_gateway(tmp_path_factory.mktemp("upstream"), environment, SHORT_TIMEOUTS_CONF) as gateway:
            wait_until_healthy(gateway.port, gateway.process, gateway.log)
            yield gateway


@dataclass
class Troubles:
    """What was seen of each bad provider, and by how many bytes the worker grew."""

    seen: dict[str, Seen]
    growth: int


@pytest.fixture(scope="module")
def troubles(upstream: LiveGateway, hostile: RawServer) -> Troubles:
    """Those providers that are left alone soon come late, and the one that wants to be left alone comes last."""

    def visit(name: str) -> Seen:
        return fetch(upstream.port, upstream.path(hostile.url(f"/{name}/cat.png"), mode="stream"))

    visit("image.png")
    worker = worker_of(upstream)
    before = worker.memory() if worker else 0
    last = next(name for name, provider in PROVIDERS.items() if provider.expected == BUSY)
    in_turn = sorted(PROVIDERS.keys() - {last}, key=lambda name: PROVIDERS[name].pauses)
    with ThreadPoolExecutor(4) as pool:
        seen = dict(zip(in_turn, pool.map(visit, in_turn), strict=True))
    seen[last] = visit(last)
    return Troubles(seen, worker.peak() - before if worker else 0)


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_bad_provider_is_an_error_that_says_what_is_wrong(troubles: Troubles, name: str) -> None:
    seen = troubles.seen[name]

    assert PROVIDERS[name].holds(seen.outcome(IMAGE)), (seen.outcome(IMAGE), PROVIDERS[name].what)
    assert seen.took_s < ANSWERS_WITHIN_S


@linux
def test_all_bad_providers_cost_little_memory(troubles: Troubles) -> None:
    assert troubles.growth < MOST_GROWTH


def test_a_rate_limiting_provider_says_when_to_come_again(troubles: Troubles) -> None:
    assert dict(troubles.seen["rate-limiting"].headers)["retry-after"] == str(RETRY_AFTER_S)


# --- visitors


def leaves_amid_the_answer(visitor: Visitor) -> None:
    visitor.take(1000)
    visitor.leave()


def resets_amid_the_answer(visitor: Visitor) -> None:
    visitor.take(1000)
    visitor.reset()


def resets_before_the_answer(visitor: Visitor) -> None:
    visitor.reset()


def stops_reading_and_leaves(visitor: Visitor) -> None:
    visitor.take(1000)
    visitor.idle(0.5)
    visitor.leave()


@pytest.mark.parametrize(
    "act", [leaves_amid_the_answer, resets_amid_the_answer, resets_before_the_answer, stops_reading_and_leaves]
)
def test_a_visitor_who_goes_lets_the_origin_go(
    gateway: LiveGateway, hostile: RawServer, act: Callable[[Visitor], None]
) -> None:
    with Visitor(gateway.port) as visitor:
        visitor.ask(gateway.path(hostile.url("/endless-body/cat.png")))
        assert happens(lambda: hostile.open_connections == 1, PATIENCE_S)
        act(visitor)

    assert happens(lambda: hostile.open_connections == 0, PATIENCE_S)
    assert fetch(gateway.port, gateway.path(hostile.url("/image.png"))).outcome(IMAGE) == "whole"


def test_a_visitor_who_will_ask_nothing_more_gets_the_file(gateway: LiveGateway, hostile: RawServer) -> None:
    with Visitor(gateway.port) as visitor:
        visitor.ask(gateway.path(hostile.url("/image.png")))
        visitor.half_close()

        assert visitor.see().outcome(IMAGE) == "whole"


def test_requests_sent_all_at_once_are_answered_in_turn(gateway: LiveGateway, hostile: RawServer) -> None:
    path = gateway.path(hostile.url("/image.png"))
    with Visitor(gateway.port) as visitor:
        visitor.ask(path, "/healthz", path)

        assert [visitor.see().outcome(right) for right in (IMAGE, b"ok\n", IMAGE)] == ["whole"] * 3


def test_a_visitor_who_reads_slowly_gets_the_file(gateway: LiveGateway, hostile: RawServer) -> None:
    with Visitor(gateway.port, every_s=0.005) as visitor:
        visitor.ask(gateway.path(hostile.url("/image.png")))

        assert visitor.see().outcome(IMAGE) == "whole"
