"""A real S3 server for tests: one node of OpenStack Swift, and a line to it that a test may cut."""

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from gateway.settings import Bucket
from tests.support.live_gateway import ROOT, free_port, happens
from tests.support.machine import missing

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PYTHON = ROOT / ".venv" / "swift" / "bin" / "python"
NODE = Path(__file__).with_name("swift_node.py")
SECRET = "a-secret-of-the-s3-server"
# What boto3 reads; nothing of this machine's own may be found.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test:tester",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
}


@dataclass(frozen=True)
class S3Server:
    """A running server."""

    port: int

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://{self.address}"

    @cached_property
    def client(self) -> "S3Client":
        """A client of a test's own."""
        import boto3
        from botocore.config import Config

        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, proxies={}),
        )

    def make_bucket(self) -> Bucket:
        """A new bucket, with a prefix for our objects."""
        bucket = Bucket(f"bucket-{uuid4()}", "images/kept")
        self.client.create_bucket(Bucket=bucket.name)
        return bucket

    def keys(self, bucket: Bucket) -> list[str]:
        """Everything that is in a bucket."""
        return [entry["Key"] for entry in self.client.list_objects_v2(Bucket=bucket.name).get("Contents", [])]


@contextmanager
def swift() -> Iterator[S3Server]:
    """Run a server; stop it at the end, and drop what it kept."""
    if not PYTHON.exists():
        missing("Swift, the S3 server of the tests, is not installed; run: make .venv/swift.ready")
    ports = [free_port() for _ in range(4)]
    with (
        TemporaryDirectory() as folder,
        (log := Path(folder, "log")).open("wb") as output,
        subprocess.Popen(
            [str(PYTHON), "-P", "-W", "ignore", str(NODE), str(Path(folder, "node")), SECRET, *map(str, ports)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
        ) as process,
    ):
        if not takes_attributes(folder):
            missing("Swift needs a file system with extended attributes; set TMPDIR to a folder on one")
        happens(lambda: all(map(is_open, ports)) or process.poll() is not None, 20)
        if not all(map(is_open, ports)):
            raise AssertionError("Swift does not start:\n" + log.read_text(encoding="utf-8"))
        yield S3Server(ports[0])


def takes_attributes(folder: str) -> bool:
    """Whether the files of a folder can bear what Swift writes to them beside their bytes."""
    try:
        os.setxattr(folder, "user.swift.test", b"1")
    except (OSError, AttributeError):
        return False
    return True


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Cable:
    """A line to a server on loopback, which a test may cut, or stop up.

    Args:
        port: the server's.
        most_up: after so many bytes of one connection to the server, nothing passes any more; None for no limit.
    """

    def __init__(self, port: int, most_up: int | None = None) -> None:
        self._to = port
        self._most_up = most_up
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.stopped_up = threading.Event()

    def cut(self) -> None:
        """Break every connection, and take no new one."""
        for end in (self._listener, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                there = socket.create_connection(("127.0.0.1", self._to))
                self._ends += (here, there)
                for source, sink, most in ((here, there, self._most_up), (there, here, None)):
                    threading.Thread(target=self._pass_on, args=(source, sink, most), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, most: int | None) -> None:
        passed = 0
        with suppress(OSError):
            while part := source.recv(65536):
                passed += len(part)
                if most is not None and passed > most:
                    self.stopped_up.set()
                    return
                sink.sendall(part)
            sink.shutdown(socket.SHUT_WR)
