"""Thousands of visitors who read at 2 KB/s, in one worker: all are served, and nobody else waits for them."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.reliability.crowd import Served, p95, running_crowded_origin, samples, slow_visitors
from bench.reliability.row import Row
from gateway.links import LinkSigner
from tests.support.procfile_gateway import SECRET, Running, running_gateway

VISITORS, RATE, LENGTH = 5000, 2048, 256 * 1024
WATCHED_S = 15.0
MB = 1_000_000
MOST_BYTES, MOST_MS = 320 * MB, 300


def run() -> list[Row]:
    """Let them come, watch them read, and have them read the rest at once."""
    with (
        running_crowded_origin(LENGTH) as origin,
        TemporaryDirectory(prefix="bench-") as folder,
        running_gateway(Path(folder), origin, resolver="origin", trusted_proxies="1") as gateway,
    ):
        return watch(gateway, f"http://{origin}/v/cat.png", VISITORS)


def watch(gateway: Running, url: str, count: int) -> list[Row]:
    """Watch so many visitors of a gateway.

    Args:
        gateway: one that believes ``X-Forwarded-For``.
        url: an image of ``LENGTH`` bytes.
        count: how many visitors, ten for each link.
    """
    sign = LinkSigner([SECRET]).mint
    paths = [sign(f"task{number % max(1, count // 10)}", url, mode="stream") for number in range(count)]
    others = ["/healthz", sign("task", url, mode="redirect")]
    with slow_visitors(gateway.port, paths, LENGTH, RATE) as visitors:
        visitors.are_here()
        with samples(gateway.port, others) as sampled:
            time.sleep(WATCHED_S)
            health, redirect = map(p95, sampled())
        peak = gateway.peak_bytes()
        served = visitors.finish()
    return _rows(count, served, peak, health, redirect)


def _rows(count: int, served: Served, peak: int, health: float, redirect: float) -> list[Row]:
    what = f"{count:,} visitors reading at 2 KB/s, one worker"
    told = f"{served.whole:,} served" + (f"; one got {served.trouble}" if served.trouble else "")
    return [
        Row(what, f"{count:,} served", told, served.whole == count),
        Row("their memory", f"peak ≤ {MOST_BYTES // MB} MB", f"{peak / MB:.0f} MB", peak <= MOST_BYTES),
        Row("/healthz meanwhile", f"p95 ≤ {MOST_MS} ms", f"p95 {health:.0f} ms", health <= MOST_MS),
        Row("a redirect meanwhile", f"p95 ≤ {MOST_MS} ms", f"p95 {redirect:.0f} ms", redirect <= MOST_MS),
    ]
