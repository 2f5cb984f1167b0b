"""Single flight: of many who want the same thing at once, one call is made and all get what it brings."""

import copy
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from gateway.errors import GatewayError, InternalError, StillPreparing

Value = TypeVar("Value")


class _Flight(Generic[Value]):
    def __init__(self) -> None:
        self.landed = threading.Event()
        self.value: Value | None = None
        self.error: Exception = InternalError("the call that others waited for was cut off")


class Flights(Generic[Value]):
    """Runs at most one call for a key at a time in this process.

    A call has a thread of its own (a greenlet, under gevent), so that it goes on when everybody who waited has left.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[tuple[str, ...], _Flight[Value]] = {}

    def fly(self, key: tuple[str, ...], call: Callable[[], Value], longest_s: float) -> Value:
        """Start ``call``, or join the one that is already running for ``key``, and wait for it.

        Raises:
            StillPreparing: it takes longer than ``longest_s``; it goes on all the same.
            GatewayError: what the call raised; everybody gets a copy of its own.
        """
        with self._lock:
            flight = self._flights.get(key)
            begins = flight is None
            if flight is None:
                flight = self._flights[key] = _Flight()
        if begins:
            self._start(key, flight, call)
        if not flight.landed.wait(longest_s):
            raise StillPreparing("the call goes on", retry_after_s=5)
        if flight.value is None:
            raise _for_one(flight.error, begins=begins)
        return flight.value

    def _start(self, key: tuple[str, ...], flight: _Flight[Value], call: Callable[[], Value]) -> None:
        try:
            threading.Thread(target=self._run, args=(key, flight, call), daemon=True).start()
        except BaseException:
            self._land(key, flight)
            raise

    def _run(self, key: tuple[str, ...], flight: _Flight[Value], call: Callable[[], Value]) -> None:
        try:
            flight.value = call()
        except BaseException as error:  # noqa: BLE001 (raised again by those who wait; the thread ends here)
            if isinstance(error, Exception):
                flight.error = error
        finally:
            self._land(key, flight)

    def _land(self, key: tuple[str, ...], flight: _Flight[Value]) -> None:
        with self._lock:
            del self._flights[key]
        flight.landed.set()


def _for_one(error: Exception, *, begins: bool) -> Exception:
    """A mistake of ours goes, with its traceback, to the one whose request it was; the others get a word for it."""
    if isinstance(error, GatewayError):
        return copy.copy(error)
    return error if begins else InternalError(f"the call that others waited for ended in {type(error).__name__}")
