"""What signing and verifying a link costs, beside itsdangerous' usual serializer."""

import time

from itsdangerous import URLSafeTimedSerializer

from bench.table import print_columns, print_times, side_by_side
from gateway.egress.guard import Guard
from gateway.links import LinkSigner
from gateway.links.verification import LinkVerifier
from gateway.origins.allowlist import HostPattern
from tests.support.ledgers import MemoryLedger

SECRET = "a-secret-for-the-benchmark-of-32-bytes"  # noqa: S105 (signs nothing real)
URL = "https://tempfile.aiquickdraw.com/s/5fd1b68dbca66cddf73654e72e2094ea_0_1774788516_2971.png"
CALLS, ROUNDS = 5_000, 5


def run() -> None:
    """Print the table."""
    signer = LinkSigner([SECRET])
    guard = Guard([HostPattern.parse("tempfile.aiquickdraw.com")])
    links = LinkVerifier(signer, MemoryLedger(), guard.check_link_url, time.time)
    peer = URLSafeTimedSerializer(SECRET)
    payload = {"task_id": "task12345", "url": URL}
    queries = [signer.mint(f"task{n}", URL).partition("?")[2].encode() for n in range(CALLS * ROUNDS)]
    new, token = enumerate(queries), peer.dumps(payload)

    def verify_new() -> None:
        number, query = next(new)
        links.verify(f"task{number}", query)

    rows = (
        ("sign", lambda: signer.mint("task12345", URL), lambda: peer.dumps(payload)),
        ("verify, never seen before", verify_new, lambda: peer.loads(token, max_age=900)),
        ("verify, seen before", lambda: links.verify("task0", queries[0]), lambda: peer.loads(token, max_age=900)),
    )
    print_columns("", "ours", "itsdangerous")
    for name, ours, theirs in rows:
        print_times(name, *side_by_side(ours, theirs, CALLS, ROUNDS))
