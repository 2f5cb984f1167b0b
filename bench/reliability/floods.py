"""Ten thousand connections that ask for nothing, or never end asking: everybody else is answered all the same."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.live import running_gateway
from bench.reliability.crowd import Idler, idle_connections, p95, samples
from bench.reliability.row import Row

IDLE, SLOW = 10_000, 2_000
WATCHED_S = 15.0
MOST_MS = 300
_SLOWLORIS = Idler(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ", b"a")


def run() -> list[Row]:
    """Keep them all connected, and ask for ``/healthz`` meanwhile."""
    with TemporaryDirectory(prefix="bench-") as folder, running_gateway(Path(folder), "127.0.0.1:9") as gateway:
        with (
            idle_connections(gateway.port, [Idler()] * IDLE + [_SLOWLORIS] * SLOW),
            samples(gateway.port, ["/healthz"]) as sampled,
        ):
            time.sleep(WATCHED_S)
            (health,) = map(p95, sampled())
        peak = gateway.peak_bytes() / 1_000_000
    what = f"{IDLE:,} idle connections and {SLOW:,} that send their headers byte by byte"
    return [Row(what, f"p95 of /healthz ≤ {MOST_MS} ms", f"p95 {health:.0f} ms; {peak:.0f} MB", health <= MOST_MS)]
