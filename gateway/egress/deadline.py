"""A deadline for a block: DNS lookups, handshakes, response heads and redirects together."""

from types import TracebackType

import gevent
from gevent import monkey


class deadline:  # noqa: N801 (used like contextlib.suppress)
    """Raise :class:`TimeoutError` in the block when it takes longer than ``seconds``.

    This needs gevent's sockets, as in gunicorn's worker. Elsewhere (on the command line) only the timeouts of the
    sockets apply, which start again with every byte.
    """

    __slots__ = ("_seconds", "_timeout")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timeout: gevent.Timeout | None = None

    def __enter__(self) -> None:
        if monkey.is_module_patched("socket"):
            self._timeout = gevent.Timeout.start_new(self._seconds)

    def __exit__(
        self, _kind: type[BaseException] | None, raised: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if self._timeout is None:
            return
        self._timeout.close()
        if raised is self._timeout:
            raise TimeoutError(f"took longer than {self._seconds:.0f} s") from None
