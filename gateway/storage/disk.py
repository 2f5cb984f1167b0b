"""Waiting for the disk without making others wait."""

from collections.abc import Callable
from typing import TypeVar, cast

import gevent
from gevent import monkey

Result = TypeVar("Result")


def apart(call: Callable[[], Result]) -> Result:
    """Run a call that waits for the disk: under gevent in a real thread, as it would stop the whole worker.

    Give it nothing that uses sockets, locks or the database.
    """
    if not monkey.is_module_patched("threading"):
        return call()
    result, error = gevent.get_hub().threadpool.apply(_outcome, (call,))
    if error is not None:
        raise error
    return cast("Result", result)


def _outcome(call: Callable[[], Result]) -> tuple[Result | None, OSError | None]:
    """What came of it; an error that leaves the thread by itself would be printed there."""
    try:
        return call(), None
    except OSError as error:
        return None, error
