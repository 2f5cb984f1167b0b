"""What a worker holds in memory while ever more visitors read slowly."""

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.growth.figure import Figure, Series
from bench.reliability.crowd import running_crowded_origin, slow_visitors
from bench.speed.servers import Unavailable
from gateway.links import LinkSigner
from tests.support.procfile_gateway import SECRET, Running, running_gateway

COUNTS = (0, 1_000, 5_000)
RATE, LENGTH = 2048, 256 * 1024  # two minutes of reading, so that nobody is done when the last have come
OF_ONE_FILE = 10
SETTLES_S = 5.0
MB = 1_000_000


def measure() -> Figure:
    """Let visitors join those who are there, and look at the memory each time.

    Raises:
        Unavailable: only Linux tells the memory of a process (``/proc``).
    """
    if not sys.platform.startswith("linux"):
        raise Unavailable("only Linux tells the memory of a process (/proc)")
    points = []
    with ExitStack() as stack:
        origin = stack.enter_context(running_crowded_origin(LENGTH))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
        gateway = stack.enter_context(running_gateway(folder, origin, resolver="origin", trusted_proxies="1"))
        url = f"http://{origin}/v/cat.png"
        if gateway.download("warm", url) != LENGTH:
            raise RuntimeError("the first download failed")
        for here, count in zip((0, *COUNTS), COUNTS, strict=False):
            _join(stack, gateway, url, range(here, count))
            points.append((count, gateway.resident_bytes() / MB))
    series = (Series("resident", tuple(points)),)
    return Figure("Memory of a worker while visitors read at 2 KB/s", "streams at once", "MB", series, digits=1)


def _join(stack: ExitStack, gateway: Running, url: str, numbers: range) -> None:
    """Have these visitors come and stay, ten for each file."""
    sign = LinkSigner([SECRET]).mint
    paths = [sign(f"task{number // OF_ONE_FILE}", url, mode="stream") for number in numbers]
    if not paths:
        return
    served = stack.enter_context(slow_visitors(gateway.port, paths, LENGTH, RATE)).are_here()
    if served != len(paths):
        raise RuntimeError(f"{served:,} of {len(paths):,} visitors were let in")
    time.sleep(SETTLES_S)
