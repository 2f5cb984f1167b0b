"""Run blocking file operations in threads, so that they do not block the event loop."""

from collections.abc import Callable
from functools import cache
from typing import TypeVar, cast

from gevent import monkey
from gevent.threadpool import ThreadPool

THREADS = 10
Result = TypeVar("Result")


def run_in_thread(call: Callable[[], Result]) -> Result:
    """Run a blocking call, in a thread if gevent has patched the standard library.

    The call must not use sockets or ``threading`` locks: gevent has replaced both.
    """
    if not monkey.is_module_patched("threading"):
        return call()
    result, error = _pool().apply(_capture, (call,))
    if error is not None:
        raise error
    return cast("Result", result)


@cache
def _pool() -> ThreadPool:
    """A pool for files alone: the threads of gevent's hub may all be waiting for DNS."""
    return ThreadPool(THREADS)


def _capture(call: Callable[[], Result]) -> tuple[Result | None, Exception | None]:
    """Return the result or the error: gevent prints an exception that leaves the thread."""
    try:
        return call(), None
    except Exception as error:  # noqa: BLE001 (raised again by the caller)
        return None, error
