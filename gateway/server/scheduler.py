"""Periodic background jobs of a worker."""

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from gateway.errors import GatewayError

TICK_S = 60.0
_log = structlog.get_logger("gateway.background")


@dataclass(frozen=True, slots=True)
class Job:
    """A periodic job.

    Attributes:
        name: for the log.
        run: the function to call; its result is ignored.
    """

    name: str
    run: Callable[[], object]


class Scheduler:
    """Runs jobs once a minute, one after the other, in a thread (a greenlet under gevent).

    Start it after the worker was forked: threads do not survive a fork.
    """

    def __init__(self, jobs: Sequence[Job], sleep: Callable[[float], None] = time.sleep) -> None:
        self._jobs = tuple(jobs)
        self._sleep = sleep

    def start(self) -> None:
        """Start the thread, which runs until the process ends."""
        threading.Thread(target=self._run, name="background", daemon=True).start()

    def tick(self) -> None:
        """Run each job once. Errors are logged; the job runs again at the next tick."""
        for job in self._jobs:
            try:
                job.run()
            except GatewayError as error:
                _log.warning("task_failed", task=job.name, code=error.code, reason=str(error))
            except Exception as error:  # noqa: BLE001 (an error in one job must not stop the others)
                stack = "".join(traceback.format_tb(error.__traceback__))
                _log.error("task_broke", task=job.name, kind=type(error).__name__, where=stack)

    def _run(self) -> None:
        while True:
            self._sleep(TICK_S)
            self.tick()
