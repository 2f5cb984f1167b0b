"""What a download costs the worker in memory: as much for an image of 500 MB as for one of 5."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.origin import running_origin
from tests.support.procfile_gateway import running_gateway

MB = 1_000_000
SMALL, LARGE = 5 * MB, 500 * MB
WITHIN = 10 * MB


@dataclass(frozen=True, slots=True)
class Peak:
    """The worker's peak of resident memory before and after one download, in bytes, and what the download took."""

    before: int
    after: int
    seconds: float


def run() -> None:
    """Print the table, and whether the promise holds."""
    if not sys.platform.startswith("linux"):
        print("left out: only Linux tells the peak of a process's memory (/proc)")
        return
    print(f"{'peak memory of the worker':30}{'before':>12}{'after':>12}{'time':>10}{'MB/s':>10}")
    peaks: dict[tuple[str, int], Peak] = {}
    with running_origin() as origin:
        for size in (SMALL, LARGE):
            with TemporaryDirectory(prefix="bench-") as folder:
                for kind in ("cold", "warm"):
                    peaks[kind, size] = peak = _download(Path(folder), origin, size)
                    _print_peak(f"{kind}, {size // MB} MB", peak, size)
    for kind in ("cold", "warm"):
        _print_verdict(kind, peaks[kind, LARGE].after - peaks[kind, SMALL].after)


def _download(folder: Path, origin: str, size: int) -> Peak:
    """Download by a fresh gateway: the first one in a folder must fetch the image, the next has it in the store."""
    url = f"http://{origin}/v/{size}.png"
    with running_gateway(folder, origin) as gateway:
        gateway.put_record("task1", url)
        before, begun_at = gateway.peak_bytes(), time.perf_counter()
        taken = gateway.download("task1", url)
        seconds = time.perf_counter() - begun_at
        after = gateway.peak_bytes()
    if taken != size:
        raise RuntimeError(f"{taken} bytes of {size} came:\n" + (folder / "log").read_text(encoding="utf-8"))
    return Peak(before, after, seconds)


def _print_peak(name: str, peak: Peak, size: int) -> None:
    before, after, rate = peak.before / MB, peak.after / MB, size / MB / peak.seconds
    print(f"{name:30}{before:9.1f} MB{after:9.1f} MB{peak.seconds:8.2f} s{rate:10.0f}")


def _print_verdict(kind: str, difference: int) -> None:
    verdict = "holds" if abs(difference) <= WITHIN else "fails"
    beside = f"{kind}, {LARGE // MB} MB beside {SMALL // MB} MB"
    print(f"{beside:42}{difference / MB:+9.1f} MB   within {WITHIN // MB} MB: {verdict}")
