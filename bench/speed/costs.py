"""What is no race: the memory of a slow stream, the time to start, what is imported, and minting a link."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.reliability.crowd import running_crowded_origin, slow_visitors
from bench.speed.row import Row, judged
from bench.speed.servers import Unavailable
from bench.speed.stage import Stage
from bench.table import microseconds
from gateway.links import LinkSigner
from tests.support.procfile_gateway import ROOT, SECRET, running_gateway

VISITORS, RATE, LENGTH = 1000, 2048, 8 * 2**20
SETTLE_S = 3.0
MOST_KB = 50.0
STARTS, MOST_START_S = 5, 1.5
MOST_MINT_US, CALLS, ROUNDS = 50.0, 5_000, 5
# Each belongs to a setting that the benchmark does not give.
HEAVY = ("alembic", "boto3", "botocore", "psycopg", "redis", "prometheus_client")


def memory(_stage: Stage) -> list[Row]:
    """How much the worker grows for each of a thousand visitors who read 2 KB a second."""
    if not sys.platform.startswith("linux"):
        raise Unavailable("only Linux tells the memory of a process (/proc)")
    with (
        running_crowded_origin(LENGTH) as origin,
        TemporaryDirectory(prefix="bench-") as folder,
        running_gateway(Path(folder), origin, resolver="origin", trusted_proxies="1") as gateway,
    ):
        url = f"http://{origin}/v/cat.png"
        sign = LinkSigner([SECRET]).mint
        paths = [sign(f"task{number % (VISITORS // 10)}", url, mode="stream") for number in range(VISITORS)]
        gateway.download("task", url)  # what the first one costs is not the stream's
        before = gateway.resident_bytes()
        with slow_visitors(gateway.port, paths, LENGTH, RATE) as visitors:
            served = visitors.are_here()
            time.sleep(SETTLE_S)
            each = (gateway.resident_bytes() - before) / VISITORS / 1000
    holds = each <= MOST_KB and served == VISITORS
    return [judged(f"memory of a slow stream, {served:,} at once", f"{each:.0f} KB", f"≤ {MOST_KB:g} KB", holds=holds)]


def start(stage: Stage) -> list[Row]:
    """From the Procfile's command to the first 200 of ``/healthz``, and what that imports needlessly."""
    took = []
    for _ in range(STARTS):
        begun_at = time.perf_counter()
        with running_gateway(stage.new_folder(), "127.0.0.1:9"):
            took.append(time.perf_counter() - begun_at)
    heavy = _imported(HEAVY, stage.new_folder())
    reach = f"≤ {MOST_START_S:g} s"
    return [
        judged("start to the first /healthz", f"{median(took):.2f} s", reach, holds=median(took) <= MOST_START_S),
        judged("imported though no setting names it", ", ".join(heavy) or "nothing", "nothing", holds=not heavy),
    ]


def mint(_stage: Stage) -> list[Row]:
    """Minting a page link, in process."""
    sign = LinkSigner([SECRET]).mint
    url = "https://tempfile.aiquickdraw.com/s/5fd1b68dbca66cddf73654e72e2094ea_0_1774788516_2971.png"
    each = median(microseconds(lambda: sign("task12345", url), CALLS) for _ in range(ROUNDS))
    return [judged("mint a page link", f"{each:.1f} µs", f"≤ {MOST_MINT_US:g} µs", holds=each <= MOST_MINT_US)]


def _imported(names: tuple[str, ...], folder: Path) -> list[str]:
    """Which of these modules a gateway with hardly any settings has imported."""
    program = f"import json, sys, wsgi; print(json.dumps([name for name in {names!r} if name in sys.modules]))"
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT), "GATEWAY_SECRET_KEYS": SECRET},
        cwd=folder,
        check=True,
        capture_output=True,
    )
    found: list[str] = json.loads(told.stdout)
    return found
