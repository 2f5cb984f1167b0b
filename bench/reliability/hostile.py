"""Every hostile origin: what its visitors see, what it costs the worker, and whether others notice."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from bench.reliability.row import Row
from gateway.links import LinkSigner
from tests.support.faults.fault_environment import SHORT_TIMEOUTS_CONF, FaultEnvironment
from tests.support.faults.names import NameServer, answer_for_trial_names
from tests.support.faults.origin import MOST_BYTES, ORIGINS, Fault, serve
from tests.support.faults.process_stats import ProcessStats
from tests.support.faults.server_process import Attack, Attacker, running_server
from tests.support.faults.visitor import fetch
from tests.support.procfile_gateway import SECRET, Running, running_gateway

RUNS = 3
MOST_RUNS = 12
DOWNLOADS = 40
WARM_UP = 200
MOST_GROWTH_MB = 20
MOST_SLOWER = 2.0
_MB = 1_000_000
Runs = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one hostile origin.

    Attributes:
        fault: the origin.
        outcome: what its visitor saw.
        growth_mb: by how much the worker grew at most.
        runs: of each run, the 95th percentile of others' downloads in seconds: without it, and with it.
    """

    fault: Fault
    outcome: str
    growth_mb: float
    runs: Runs

    def __str__(self) -> str:
        quiet, attacked = (median(run[which] for run in self.runs) * 1000 for which in (0, 1))
        return (
            f"{self.fault.name:32}{self.outcome:24}{self.growth_mb:+6.1f} MB"
            f"{quiet:8.1f} → {attacked:.1f} ms, {_slower(self.runs):.2f} times"
        )


class Trial:
    """A gateway, and everybody who comes to it.

    Args:
        gateway: with short deadlines.
        hostile: ``host:port`` of the hostile origin.
        attacker: visits hostile origins.
    """

    def __init__(self, gateway: Running, hostile: str, attacker: Attacker) -> None:
        self._gateway, self._hostile, self._attacker = gateway, hostile, attacker
        self._worker = ProcessStats(gateway.worker())
        self._signer = LinkSigner([SECRET])
        self._good = self._signer.mint("task12345", f"http://{hostile}/small.png")

    def all_at_once(self) -> tuple[list[str], float]:
        """Visit each once, all at the same time: what was seen, and by how many MB the worker grew."""
        for _ in range(WARM_UP):
            self._download()
        self._worker.forget_peak()
        before = self._worker.memory()
        with ThreadPoolExecutor(len(ORIGINS)) as pool:
            outcomes = list(pool.map(self._outcome, ORIGINS.values()))
        return outcomes, (self._worker.peak() - before) / _MB

    def one_by_one(self, outcomes: list[str]) -> list[Tried]:
        """Visit each again and again, beside others."""
        return [self._beside_others(fault, seen) for fault, seen in zip(ORIGINS.values(), outcomes, strict=True)]

    def _outcome(self, fault: Fault) -> str:
        return fetch(self._gateway.port, self._link(fault), fault.ask).outcome(fault.right)

    def _beside_others(self, fault: Fault, outcome: str) -> Tried:
        self._worker.forget_peak()
        before, runs = self._worker.memory(), [self._run(fault) for _ in range(RUNS)]
        while _slower(runs) > MOST_SLOWER and len(runs) < MOST_RUNS:  # or the machine was busy; more runs tell
            runs.append(self._run(fault))
        tried = Tried(fault, outcome, (self._worker.peak() - before) / _MB, runs)
        print(tried, flush=True)
        return tried

    def _run(self, fault: Fault) -> tuple[float, float]:
        quiet = self._slowest()
        with self._attacker.attacking(Attack(self._gateway.port, self._link(fault), fault.ask)):
            return quiet, self._slowest()

    def _slowest(self) -> float:
        """The 95th percentile of others' downloads, in seconds."""
        return quantiles([self._download() for _ in range(DOWNLOADS)], n=20)[-1]

    def _download(self) -> float:
        begun_at = time.perf_counter()
        if fetch(self._gateway.port, self._good, address="127.0.5.1").status != 200:
            raise RuntimeError("somebody else's download failed")
        return time.perf_counter() - begun_at

    def _link(self, fault: Fault) -> str:
        return self._signer.mint("task12345", fault.url(self._hostile))


def run() -> list[Row]:
    """Try them all."""
    with _trial() as trial:
        outcomes, growth_mb = trial.all_at_once()
        tried = trial.one_by_one(outcomes)
    wrong = [f"{each.fault.name}: {each.outcome}" for each in tried if not each.fault.holds(each.outcome)]
    largest = max(growth_mb, *(each.growth_mb for each in tried))
    slowest = max(tried, key=lambda each: _slower(each.runs))
    slower = _slower(slowest.runs)
    return [
        Row(
            f"{len(tried)} hostile origins",
            "an error, a visible cut or the right bytes, as the table says",
            "; ".join([f"{len(tried) - len(wrong)} as it says", *wrong]),
            not wrong,
        ),
        Row(
            "the worker's memory, beside each of them, and beside all at once",
            f"grows by at most {MOST_GROWTH_MB} MB",
            f"{largest:.1f} MB at most, {growth_mb:.1f} MB beside all at once",
            largest <= MOST_GROWTH_MB,
        ),
        Row(
            f"others' small downloads beside the worst of them, p95, median of {RUNS} interleaved runs or more",
            f"at most {MOST_SLOWER:.0f} times as long",
            f"{slower:.2f} times ({slowest.fault.name})",
            slower <= MOST_SLOWER,
        ),
    ]


def _slower(runs: Runs) -> float:
    """How many times as long others wait: the median of the runs."""
    return median(attacked / quiet for quiet, attacked in runs)


@contextmanager
def _trial() -> Iterator[Trial]:
    with TemporaryDirectory() as made, running_server(serve) as port, NameServer() as names, Attacker() as attacker:
        answer_for_trial_names(names)
        hostile = f"127.0.0.1:{port}"
        surroundings = FaultEnvironment(
            name_server=names.port,
            public=port,
            open_ports=(port,),
            refused_log=f"{made}/refused",
        )
        more = surroundings.environment | {
            "GATEWAY_RESOLVER": "origin",
            "GATEWAY_ORIGIN_HOSTS": f"*,{hostile}",
            "GATEWAY_MAX_BYTES": str(MOST_BYTES),
        }
        with running_gateway(Path(made), hostile, config=SHORT_TIMEOUTS_CONF, more=more) as gateway:
            yield Trial(gateway, hostile, attacker)
