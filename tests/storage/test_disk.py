"""Waiting for the disk holds nobody up."""

import subprocess
import sys
import threading

from gateway.storage.disk import apart
from live import ROOT, bare_environment

SCRIPT = """
from gevent import monkey
monkey.patch_all()
import time
import gevent
from gateway.storage.disk import apart

slow = monkey.get_original("time", "sleep")
ticks = []

def tick():
    while True:
        ticks.append(1)
        gevent.sleep(0.01)

gevent.spawn(tick)
result = apart(lambda: slow(0.5) or "synced")
try:
    apart(lambda: open("/nowhere/x"))
except FileNotFoundError:
    print(result, len(ticks) > 10)
"""


def test_under_gevent_others_go_on_meanwhile_and_errors_come_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=bare_environment(), capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.stderr) == ("synced True\n", "")


def test_elsewhere_it_is_just_done() -> None:
    assert apart(threading.get_ident) == threading.get_ident()
