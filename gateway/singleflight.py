"""Single flight: concurrent calls for one key run once, and every caller gets the result."""

import copy
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from gateway.errors import GatewayError, InternalError, StillPreparing

Value = TypeVar("Value")
_Key = tuple[str, ...]


class _Call(Generic[Value]):
    def __init__(self) -> None:
        self.finished = threading.Event()
        self.value: Value | None = None
        self.error: Exception = InternalError("the shared call was aborted")


class SingleFlight(Generic[Value]):
    """Runs at most one call per key at a time in this process.

    Each call runs in its own thread (a greenlet under gevent), so it continues when all its callers have timed out.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: dict[_Key, _Call[Value]] = {}

    def do(self, key: _Key, function: Callable[[], Value], timeout_s: float) -> Value:
        """Start ``function``, or join the running call for ``key``, and wait for the result.

        Raises:
            StillPreparing: the call takes longer than ``timeout_s``; it continues.
            GatewayError: raised by the call; each caller gets a copy.
        """
        with self._lock:
            call = self._calls.get(key)
            is_first = call is None
            if call is None:
                call = self._calls[key] = _Call()
        if is_first:
            self._start(key, call, function)
        if not call.finished.wait(timeout_s):
            raise StillPreparing("the call is still running", retry_after_s=5)
        if call.value is None:
            raise _error_for_caller(call.error, is_first=is_first)
        return call.value

    def _start(self, key: _Key, call: _Call[Value], function: Callable[[], Value]) -> None:
        try:
            threading.Thread(target=self._run, args=(key, call, function), daemon=True).start()
        except BaseException:
            self._finish(key, call)
            raise

    def _run(self, key: _Key, call: _Call[Value], function: Callable[[], Value]) -> None:
        try:
            call.value = function()
        except BaseException as error:  # noqa: BLE001 (the callers raise it; the thread ends here)
            if isinstance(error, Exception):
                call.error = error
        finally:
            self._finish(key, call)

    def _finish(self, key: _Key, call: _Call[Value]) -> None:
        with self._lock:
            del self._calls[key]
        call.finished.set()


def _error_for_caller(error: Exception, *, is_first: bool) -> Exception:
    """The first caller gets a programming error with its traceback; the others get its type name."""
    if isinstance(error, GatewayError):
        return copy.copy(error)
    return error if is_first else InternalError(f"the shared call ended in {type(error).__name__}")
