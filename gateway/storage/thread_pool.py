"""Waiting for the disk without making others wait."""

from collections.abc import Callable
from functools import cache
from typing import TypeVar, cast

from gevent import monkey
from gevent.threadpool import ThreadPool

THREADS = 10
Result = TypeVar("Result")


def run_in_thread(call: Callable[[], Result]) -> Result:
    """Run a call that waits for the disk: under gevent in a real thread, as it would stop the whole worker.

    Give it nothing that uses sockets, or locks of Python's ``threading``: gevent has replaced both.
    """
    if not monkey.is_module_patched("threading"):
        return call()
    result, error = _pool().apply(_outcome, (call,))
    if error is not None:
        raise error
    return cast("Result", result)


@cache
def _pool() -> ThreadPool:
    """Threads for the disk alone: those of gevent's hub may all wait for slow names."""
    return ThreadPool(THREADS)


def _outcome(call: Callable[[], Result]) -> tuple[Result | None, Exception | None]:
    """What came of it; an error that leaves the thread by itself would be printed there."""
    try:
        return call(), None
    except Exception as error:  # noqa: BLE001 (raised again by the caller)
        return None, error
