"""A deadline for everything that a block does: names, handshakes, headers and hops together."""

from collections.abc import Iterator
from contextlib import contextmanager

import gevent
from gevent import monkey


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise :class:`TimeoutError` in the block when it takes longer.

    This needs gevent's sockets, as gunicorn's worker has them. Without them (on the command line) the sockets' own
    timeouts hold, which begin anew with every byte.
    """
    if not monkey.is_module_patched("socket"):
        yield
        return
    timeout = gevent.Timeout(seconds)
    timeout.start()
    try:
        yield
    except gevent.Timeout as fired:
        if fired is not timeout:
            raise
        raise TimeoutError(f"took longer than {seconds:.0f} s") from None
    finally:
        timeout.close()
