"""One node of OpenStack Swift on loopback, which speaks S3; run by the interpreter that has Swift, see buckets.py.

Usage: swift_node.py FOLDER SECRET PORT PORT PORT PORT. Ends when its standard input does, so that none is left behind.
"""

import os
import signal
import sys
from configparser import ConfigParser
from getpass import getuser
from pathlib import Path

from swift.common.ring import RingBuilder
from swift.common.utils import set_swift_dir
from swift.common.wsgi import run_wsgi

PROXY = {
    "pipeline:main": {"pipeline": "catch_errors cache s3api tempauth slo proxy-server"},
    "app:proxy-server": {"use": "egg:swift#proxy", "account_autocreate": "true", "allow_account_management": "true"},
    "filter:catch_errors": {"use": "egg:swift#catch_errors"},
    "filter:cache": {"use": "egg:swift#memcache"},
    "filter:s3api": {"use": "egg:swift#s3api", "location": "us-east-1"},
    "filter:slo": {"use": "egg:swift#slo"},
}
SWIFT = {
    "swift-hash": {"swift_hash_path_prefix": "a", "swift_hash_path_suffix": "b"},
    "storage-policy:0": {"name": "only", "default": "yes"},
}


def main(folder: Path, secret: str, *ports: int) -> None:
    """Write what the four servers want to know, run them, and end them."""
    (folder / "disks" / "disk").mkdir(parents=True)
    write(folder / "swift.conf", SWIFT)
    users = {"user_test_tester": f"{secret} .admin", "user_test_guest": secret}  # the guest may do nothing
    serve = {"proxy": PROXY | {"filter:tempauth": {"use": "egg:swift#tempauth"} | users}}
    for kind, port in zip(("account", "container", "object"), ports[1:], strict=True):
        make_ring(folder / f"{kind}.ring.gz", port)
        serve[kind] = {
            "pipeline:main": {"pipeline": f"{kind}-server"},
            f"app:{kind}-server": {"use": f"egg:swift#{kind}"},
        }
    set_swift_dir(str(folder))
    children = []
    for (kind, sections), port in zip(serve.items(), ports, strict=True):
        write(folder / f"{kind}.conf", {"DEFAULT": defaults(folder, port)} | sections)
        children.append(run(folder, kind))
    sys.stdin.read()
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def defaults(folder: Path, port: int) -> dict[str, str]:
    return {
        "bind_ip": "127.0.0.1",
        "bind_port": str(port),
        "workers": "0",
        "user": getuser(),
        "swift_dir": str(folder),
        "devices": str(folder / "disks"),
        "mount_check": "false",
        "disable_fallocate": "true",
        "log_address": "/nonexistent",
    }


def make_ring(path: Path, port: int) -> None:
    """Say that everything is on one disk."""
    ring = RingBuilder(1, 1, 0)
    place = {"ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1", "replication_port": port}
    ring.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1, "device": "disk", "meta": "", **place})
    ring.rebalance()
    ring.get_ring().save(str(path))


def write(path: Path, sections: dict[str, dict[str, str]]) -> None:
    config = ConfigParser(interpolation=None)
    config.read_dict(sections)
    with path.open("w") as file:
        config.write(file)


def run(folder: Path, kind: str) -> int:
    """Run one server in a process of its own."""
    if child := os.fork():
        return child
    sys.exit(run_wsgi(str(folder / f"{kind}.conf"), f"{kind}-server"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
