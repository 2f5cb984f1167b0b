"""The origin: nginx, with files that it serves over plain HTTP and over TLS."""

import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.speed.servers import needed, running_nginx
from tests.support.procfile_gateway import free_port

LARGE, IMAGE = 10**9, 200_000  # bytes
IMAGES = [f"{number}.png" for number in range(16)]
_HEAD = b"\x89PNG\r\n\x1a\n"


class Origin:
    """Where the files are; nothing is there before it is :meth:`running`.

    Args:
        folder: an empty one of its own.

    Attributes:
        port: where it speaks plain HTTP.
        hosts: ``host:port`` by scheme, ``plain`` and ``tls``.
        certificate: what it shows, which nobody signed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self.hosts = {"plain": f"127.0.0.1:{self.port}", "tls": f"127.0.0.1:{free_port()}"}
        self.certificate = _make_certificate(folder)

    def url(self, name: str, scheme: str = "plain") -> str:
        """Where a file is published, ``plain`` or over ``tls``."""
        return f"{'https' if scheme == 'tls' else 'http'}://{self.hosts[scheme]}/{name}"

    def file(self, name: str) -> Path:
        """Where it lies."""
        return self._folder / "files" / name

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve ``large.png`` and the ``IMAGES``."""
        self._make_files()
        config = Path(__file__).with_name("origin.conf")
        with running_nginx(config, self.port, self._folder, certificate=self.certificate, **self.hosts):
            yield

    def _make_files(self) -> None:
        (self._folder / "files").mkdir()
        with self.file("large.png").open("wb") as large:
            large.write(_HEAD)
            large.truncate(LARGE)  # zeros, which take no room on the disk
        for number, name in enumerate(IMAGES):
            self.file(name).write_bytes(_HEAD + random.Random(number).randbytes(IMAGE - len(_HEAD)))


def _make_certificate(folder: Path) -> Path:
    """Make a certificate for 127.0.0.1 that nobody signed, with its key in the same file."""
    made, only = folder / "certificate.pem", folder / "only.pem"
    command = [needed("openssl", "apt install openssl"), "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=bench"]
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", made, "-out", only], check=True, capture_output=True)
    made.write_bytes(made.read_bytes() + only.read_bytes())
    return made
