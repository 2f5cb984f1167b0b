"""The demo, as somebody who has just fetched the project starts it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.live_gateway import bare_environment, free_port, happens

STARTS_WITHIN_S = 30
STOPS_WITHIN_S = 15


@dataclass(frozen=True)
class Demo:
    """``python -m gateway`` in a folder, without settings."""

    process: "subprocess.Popen[bytes]"
    folder: Path
    url: str

    def stop(self) -> int:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOPS_WITHIN_S)


@contextmanager
def running_demo(folder: Path) -> Iterator[Demo]:
    """Start the demo as a stranger would, and wait until it says where to look."""
    said = folder / "said.txt"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway"],
            cwd=folder,
            env=bare_environment() | {"PORT": str(free_port())},
            stdout=output,
            stderr=output,
        )
    try:
        happens(lambda: "\nOpen " in said.read_text() or process.poll() is not None, STARTS_WITHIN_S)
        urls = re.findall(r"^Open (http://\S+)$", said.read_text(), re.MULTILINE)
        assert urls, said.read_text()
        yield Demo(process, folder, urls[0])
    finally:
        everything = family(process.pid)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOPS_WITHIN_S)
        finally:
            for pid in filter(is_alive, everything):
                os.kill(pid, signal.SIGKILL)


def family(pid: int) -> list[int]:
    """A process and everything it started, by what the kernel says."""
    if not is_alive(pid):
        return []
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in family(int(child)))]


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be buried does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
