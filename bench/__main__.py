"""``make bench``: what signing and verifying a link costs, beside itsdangerous' usual serializer."""

import time
from collections.abc import Callable
from statistics import median

from itsdangerous import URLSafeTimedSerializer

from gateway.egress.guard import Guard
from gateway.hosts import HostPattern
from gateway.links import LinkSigner
from gateway.links.admission import Links
from gateway.storage.memory import MemoryLedger

SECRET = "a-secret-for-the-benchmark-of-32-bytes"  # noqa: S105 (signs nothing real)
URL = "https://tempfile.aiquickdraw.com/s/5fd1b68dbca66cddf73654e72e2094ea_0_1774788516_2971.png"
CALLS, ROUNDS = 5_000, 5


def main() -> None:
    """Print the table."""
    signer = LinkSigner([SECRET])
    guard = Guard([HostPattern.parse("tempfile.aiquickdraw.com")])
    links = Links(signer, MemoryLedger(), guard.admit, time.time)
    peer = URLSafeTimedSerializer(SECRET)
    payload = {"task_id": "task12345", "url": URL}
    query, token = signer.mint("task12345", URL).partition("?")[2].encode(), peer.dumps(payload)
    rows = (
        ("sign", lambda: signer.mint("task12345", URL), lambda: peer.dumps(payload)),
        ("verify", lambda: links.verify("task12345", query), lambda: peer.loads(token, max_age=900)),
    )
    print(f"{'':8}{'ours':>10}{'peer':>10}{'peer/ours':>12}   peer: itsdangerous.URLSafeTimedSerializer")
    for name, ours, theirs in rows:
        # Interleaved, so that a busy moment of the machine meets both.
        samples = [(_microseconds(ours), _microseconds(theirs)) for _ in range(ROUNDS)]
        mine, other = median(s[0] for s in samples), median(s[1] for s in samples)
        print(f"{name:8}{mine:8.1f}µs{other:8.1f}µs{other / mine:12.2f}")


def _microseconds(call: Callable[[], object]) -> float:
    begun_at = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - begun_at) / CALLS * 1e6


if __name__ == "__main__":
    main()
