"""What a worker does on the side, while it serves."""

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
class Task:
    """Something to do again and again.

    Attributes:
        name: for the log.
        run: does it, and tells whether there was anything to do.
    """

    name: str
    run: Callable[[], object]


class Scheduler:
    """Does its tasks once a minute, one after the other, in a thread of its own (a greenlet, under gevent).

    Build it anywhere; start it after the worker was forked.
    """

    def __init__(self, tasks: Sequence[Task], sleep: Callable[[float], None] = time.sleep) -> None:
        self._tasks = tuple(tasks)
        self._sleep = sleep

    def start(self) -> None:
        """Begin, and go on until the process ends."""
        threading.Thread(target=self._run, name="background", daemon=True).start()

    def tick(self) -> None:
        """Do each task once. What fails is logged, and tried again at the next tick."""
        for task in self._tasks:
            try:
                task.run()
            except GatewayError as error:
                _log.warning("task_failed", task=task.name, code=error.code, reason=str(error))
            except Exception as error:  # noqa: BLE001 (a task that broke must not end the others)
                where = "".join(traceback.format_tb(error.__traceback__))
                _log.error("task_broke", task=task.name, kind=type(error).__name__, where=where)

    def _run(self) -> None:
        while True:
            self._sleep(TICK_S)
            self.tick()
