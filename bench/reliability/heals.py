"""Downloads whose origin is cut again and again, and whose direct URL dies on the way: every one arrives as it is."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.reliability.flaky import CUTS, Count, digest_of, running_flaky
from bench.reliability.row import Row
from gateway.links import LinkSigner
from tests.support.procfile_gateway import PATIENCE_S, SECRET, running_gateway

DOWNLOADS = 100
SIZE = 50_000_000
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Tried:
    """How the downloads went."""

    identical: int
    failed: int
    count: Count

    def holds(self, downloads: int) -> bool:
        """Whether all arrived as they are, although every one was cut and lost its direct URL."""
        troubled = self.count.cuts == CUTS * downloads and self.count.provider_calls == 2 * downloads
        return troubled and (self.identical, self.failed) == (downloads, 0)


def run() -> list[Row]:
    """Try it."""
    tried = try_downloads(DOWNLOADS, SIZE, AT_ONCE)
    got = (
        f"{tried.identical} byte-identical, {tried.failed} failed; "
        f"{tried.count.cuts} cuts, {tried.count.provider_calls - DOWNLOADS} direct URLs renewed"
    )
    what = f"{DOWNLOADS} downloads of {SIZE // 10**6} MB, {AT_ONCE} at once, origin cut {CUTS} times each"
    return [
        Row(
            f"{what} at random bytes, direct URL expiring midway",
            f"{DOWNLOADS} byte-identical, 0 failed",
            got,
            tried.holds(DOWNLOADS),
        )
    ]


def try_downloads(downloads: int, size: int, at_once: int) -> Tried:
    """Run a gateway, its provider and origin, and the visitors, each in a process of their own."""
    with (
        TemporaryDirectory(prefix="bench-") as folder,
        running_flaky(size) as flaky,
        running_gateway(
            Path(folder),
            flaky.address,
            resolver="upstream",
            upstream_url=f"http://{flaky.address}",
            upstream_api_key="bench",
        ) as gateway,
    ):
        signer = LinkSigner([SECRET])
        paths = [signer.mint(f"task{number}", flaky.image(number), mode="stream") for number in range(downloads)]
        with multiprocessing.get_context("spawn").Pool(1) as visitors:
            digests = visitors.apply(_visit, (gateway.port, paths, at_once))
        identical = digests.count(digest_of(size))
        return Tried(identical, downloads - identical, flaky.count())


def _visit(port: int, paths: Sequence[str], at_once: int) -> list[str]:
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(partial(_download, port), paths))


def _download(port: int, path: str) -> str:
    """Download a file, keep none of it, and give its SHA-256; empty where it did not come whole."""
    hashed, part, taken = sha256(), bytearray(2**18), 0
    try:
        with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            while count := response.readinto(part):
                hashed.update(memoryview(part)[:count])
                taken += count
            whole = response.status == 200 and taken == int(response.headers["Content-Length"])
    except (OSError, HTTPException):
        return ""
    return hashed.hexdigest() if whole else ""
