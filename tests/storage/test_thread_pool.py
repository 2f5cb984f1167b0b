"""Other greenlets run while one waits for the disk."""

import subprocess
import sys
import threading
from pathlib import Path

from gateway.storage.thread_pool import run_in_thread
from tests.support.live_gateway import ROOT, bare_environment

SCRIPT = """
from gevent import monkey
monkey.patch_all()
import time
import gevent
from gateway.storage.thread_pool import run_in_thread

slow = monkey.get_original("time", "sleep")
ticks = []

def tick():
    while True:
        ticks.append(1)
        gevent.sleep(0.01)

gevent.spawn(tick)
result = run_in_thread(lambda: slow(0.5) or "synced")
try:
    run_in_thread(lambda: open("/nowhere/x"))
except FileNotFoundError:
    print(result, len(ticks) > 10)
"""

INTAKE = """
from gevent import monkey
monkey.patch_all()
import pathlib, sys
import gevent
from gateway.storage.folder import FolderObjectStore
from gateway.storage.ingest import Ingest

parts = [b"\\x89PNG\\r\\n\\x1a\\n" + bytes(2**18)] * 40
turns = 0

def count_turns():
    global turns
    while True:
        turns += 1
        gevent.sleep(0)

def read(_amount):
    if not parts:
        print(turns >= 40)
    return parts.pop() if parts else b""

gevent.spawn(count_turns)
Ingest(FolderObjectStore(pathlib.Path(sys.argv[1])), None, 2**30).store(read, None, lambda stored: (None, None))
"""


def test_an_upload_yields_to_other_greenlets_after_each_part(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTAKE, str(tmp_path)],
        cwd=ROOT,
        env=bare_environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("True\n", "")


def test_under_gevent_other_greenlets_run_meanwhile_and_errors_are_raised() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=bare_environment(), capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.stderr) == ("synced True\n", "")


def test_without_gevent_the_function_runs_in_the_calling_thread() -> None:
    assert run_in_thread(threading.get_ident) == threading.get_ident()
