"""How many visitors a worker takes, from how many files it may open."""

import resource
import sys

MOST_CONNECTIONS = 10_000
_RESERVE = 256  # libraries, logs, the provider's connections
_SHARE_FOR_STREAMS = 0.6  # the rest always finds room for pages, redirects and health checks


def raise_file_limit() -> None:
    """Raise the soft limit of open files to the hard one, where the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else max(soft, 65_536)
    if sys.platform == "darwin":
        wanted = min(wanted, 10_240)  # OPEN_MAX: setrlimit refuses more
    if wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def worker_connections() -> int:
    """Connections a worker accepts at once; a stream needs two files, the visitor's and the origin's."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(32, min(MOST_CONNECTIONS, (files - _RESERVE) // 2))


def stream_slots() -> int:
    """Streams a worker runs at once."""
    return int(worker_connections() * _SHARE_FOR_STREAMS)
