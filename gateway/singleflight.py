"""Single flight: of many who want the same thing at once, one call is made and all get what it brings."""

import copy
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from gateway.errors import GatewayError, InternalError, StillPreparing

Value = TypeVar("Value")


class _Call(Generic[Value]):
    def __init__(self) -> None:
        self.finished = threading.Event()
        self.value: Value | None = None
        self.error: Exception = InternalError("the call that others waited for was cut off")


class SingleFlight(Generic[Value]):
    """Runs at most one call for a key at a time in this process.

    A call has a thread of its own (a greenlet, under gevent), so that it goes on when everybody who waited has left.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._single_flight: dict[tuple[str, ...], _Call[Value]] = {}

    def do(self, key: tuple[str, ...], call: Callable[[], Value], longest_s: float) -> Value:
        """Start ``call``, or join the one that is already running for ``key``, and wait for it.

        Raises:
            StillPreparing: it takes longer than ``longest_s``; it goes on all the same.
            GatewayError: what the call raised; everybody gets a copy of its own.
        """
        with self._lock:
            flight = self._single_flight.get(key)
            begins = flight is None
            if flight is None:
                flight = self._single_flight[key] = _Call()
        if begins:
            self._start(key, flight, call)
        if not flight.finished.wait(longest_s):
            raise StillPreparing("the call goes on", retry_after_s=5)
        if flight.value is None:
            raise _for_one(flight.error, begins=begins)
        return flight.value

    def _start(self, key: tuple[str, ...], flight: _Call[Value], call: Callable[[], Value]) -> None:
        try:
            threading.Thread(target=self._run, args=(key, flight, call), daemon=True).start()
        except BaseException:
            self._finish(key, flight)
            raise

    def _run(self, key: tuple[str, ...], flight: _Call[Value], call: Callable[[], Value]) -> None:
        try:
            flight.value = call()
        except BaseException as error:  # noqa: BLE001 (raised again by those who wait; the thread ends here)
            if isinstance(error, Exception):
                flight.error = error
        finally:
            self._finish(key, flight)

    def _finish(self, key: tuple[str, ...], flight: _Call[Value]) -> None:
        with self._lock:
            del self._single_flight[key]
        flight.finished.set()


def _for_one(error: Exception, *, begins: bool) -> Exception:
    """A mistake of ours goes, with its traceback, to the one whose request it was; the others get a word for it."""
    if isinstance(error, GatewayError):
        return copy.copy(error)
    return error if begins else InternalError(f"the call that others waited for ended in {type(error).__name__}")
