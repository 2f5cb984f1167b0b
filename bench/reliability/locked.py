"""SQLite that another process has locked: who needs no record is answered all the same."""

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.reliability.crowd import p95, samples
from bench.reliability.row import Row
from tests.support.procfile_gateway import Running, running_gateway

WRITERS = 12
LOCKED_S = 10.0
MOST_MS = 300
MOST_GROWTH_MIB = 32
_ORIGIN = "127.0.0.1:9"


def run() -> list[Row]:
    """Lock the database, have many write records again and again, and ask for ``/healthz`` meanwhile."""
    with TemporaryDirectory(prefix="bench-") as folder, running_gateway(Path(folder), _ORIGIN) as gateway:
        (path,) = Path(folder).rglob("gateway.db")
        over, before = threading.Event(), gateway.resident_bytes()
        with (
            closing(sqlite3.connect(path, isolation_level=None)) as other,
            samples(gateway.port, ["/healthz"]) as sampled,
            ThreadPoolExecutor(WRITERS) as crowd,
        ):
            other.execute("BEGIN IMMEDIATE")
            writing = [crowd.submit(_write_until, over, gateway, number) for number in range(WRITERS)]
            time.sleep(LOCKED_S)
            (health,) = map(p95, sampled())
            over.set()
            refused = sum(each.result() for each in writing)
        grown = (gateway.resident_bytes() - before) / 2**20
    what = f"SQLite locked by another process for {LOCKED_S:.0f} s, and {WRITERS} who write records meanwhile"
    reach = f"p95 of /healthz ≤ {MOST_MS} ms; the worker grows by ≤ {MOST_GROWTH_MIB} MiB"
    got = f"p95 {health:.0f} ms; {grown:.0f} MiB; {refused} writes refused"
    return [Row(what, reach, got, health <= MOST_MS and grown <= MOST_GROWTH_MIB)]


def _write_until(over: threading.Event, gateway: Running, number: int) -> int:
    """Write records until told to end; gives how many were refused."""
    refused = 0
    while not over.is_set():
        try:
            gateway.put_record(f"task{number}", f"http://{_ORIGIN}/v/cat.png")
        except RuntimeError:
            refused += 1
    return refused
