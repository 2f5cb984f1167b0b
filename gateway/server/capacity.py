"""How many connections and streams a worker accepts, derived from the limit of open files."""

import resource
import sys

MAX_CONNECTIONS = 10_000
_RESERVED_FILES = 256  # libraries, logs, connections to the provider
_STREAM_SHARE = 0.6  # the rest is for pages, redirects and health checks


def raise_file_limit() -> None:
    """Raise the soft limit of open files to the hard limit, where the platform permits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else max(soft, 65_536)
    if sys.platform == "darwin":
        wanted = min(wanted, 10_240)  # OPEN_MAX, the most that setrlimit accepts
    if wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def worker_connections() -> int:
    """Concurrent connections of a worker; a stream needs two files, the client's and the origin's socket."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(32, min(MAX_CONNECTIONS, (files - _RESERVED_FILES) // 2))


def stream_slots() -> int:
    """Concurrent streams of a worker."""
    return int(worker_connections() * _STREAM_SHARE)
