"""Single flight: of many who want the same thing at once, one goes and all get what it brings."""

import copy
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from gateway.errors import GatewayError, InternalError, ProviderTimeout

Value = TypeVar("Value")


class _Flight(Generic[Value]):
    def __init__(self) -> None:
        self.landed = threading.Event()
        self.value: Value | None = None
        self.error: GatewayError = InternalError("the call that others waited for was cut off")


class Flights(Generic[Value]):
    """Runs at most one call for a key at a time in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[tuple[str, ...], _Flight[Value]] = {}

    def fly(self, key: tuple[str, ...], call: Callable[[], Value], longest_s: float) -> Value:
        """Run ``call``, or wait for the one that is already running for ``key``.

        Raises:
            GatewayError: what the call raised; every waiter gets a copy of its own.
        """
        with self._lock:
            flight = self._flights.get(key)
            leads = flight is None
            if flight is None:
                flight = self._flights[key] = _Flight()
        if leads:
            return self._lead(key, flight, call)
        if not flight.landed.wait(longest_s):
            raise ProviderTimeout("the call that others wait for takes too long")
        if flight.value is None:
            raise copy.copy(flight.error)
        return flight.value

    def _lead(self, key: tuple[str, ...], flight: _Flight[Value], call: Callable[[], Value]) -> Value:
        try:
            flight.value = call()
        except GatewayError as error:
            flight.error = error
            raise
        else:
            return flight.value
        finally:
            with self._lock:
                del self._flights[key]
            flight.landed.set()
