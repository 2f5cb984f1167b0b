"""Ten thousand connections that ask for nothing, or never end asking: everybody else is answered all the same."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.reliability.crowd import Idler, idle_connections, p95, samples
from bench.reliability.row import Row
from tests.support.procfile_gateway import running_gateway

IDLE, SLOW = 10_000, 2_000
WATCHED_S = 15.0
MOST_MS = 300
_BEGINNING = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: "
_BACK_WITHIN_S = (10.0, 1.0)


def run() -> list[Row]:
    """Keep them all connected, patient ones and hasty ones, and ask for ``/healthz`` meanwhile."""
    return [_flood(back_within_s) for back_within_s in _BACK_WITHIN_S]


def _flood(back_within_s: float) -> Row:
    idle, slow = Idler(back_within_s=back_within_s), Idler(_BEGINNING, b"a", back_within_s)
    with TemporaryDirectory(prefix="bench-") as folder, running_gateway(Path(folder), "127.0.0.1:9") as gateway:
        with (
            idle_connections(gateway.port, [idle] * IDLE + [slow] * SLOW),
            samples(gateway.port, ["/healthz"]) as sampled,
        ):
            time.sleep(WATCHED_S)
            (health,) = map(p95, sampled())
        peak = gateway.peak_bytes() / 1_000_000
    what = f"{IDLE:,} idle connections and {SLOW:,} half-sent ones, back within {back_within_s:.0f} s of being closed"
    return Row(what, f"p95 of /healthz ≤ {MOST_MS} ms", f"p95 {health:.0f} ms; {peak:.0f} MB", health <= MOST_MS)
