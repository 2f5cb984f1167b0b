"""What the cases share: the origin, the provider, the gateway, and who asks; each started when first it is needed."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from bench.speed import provider
from bench.speed.origin import Origin
from bench.speed.peers import PEERS, Peer
from gateway.links import LinkSigner
from tests.support.faults.server_process import running_server
from tests.support.load_generator import Generator, Load, Measured, get, load_generator
from tests.support.procfile_gateway import SECRET, Running, running_gateway


@contextmanager
def stage() -> Iterator["Stage"]:
    """Set it up; whatever was started on it ends with the block."""
    with TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        yield Stage(Path(folder), stack)


class Stage:
    """Where the cases play.

    Args:
        folder: for everything that is written.
        stack: ends what was started.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._mint = LinkSigner([SECRET], lifetime_s=3600).mint
        self._peers: dict[str, Peer] = {}
        self.calls = folder / "calls"  # of the provider

    @cached_property
    def load(self) -> Generator:
        """Who asks."""
        return self._stack.enter_context(load_generator())

    @cached_property
    def site(self) -> Origin:
        """The origin, which need not run to have URLs.

        Raises:
            Unavailable: without openssl.
        """
        return Origin(self.new_folder())

    @cached_property
    def origin(self) -> Origin:
        """The origin, running.

        Raises:
            Unavailable: without nginx, or openssl.
        """
        self._stack.enter_context(self.site.running())
        return self.site

    @cached_property
    def gateway(self) -> Running:
        """The gateway as in production, with one worker, and the provider for its resolver."""
        return self._stack.enter_context(self.running_gateway())

    @cached_property
    def _provider(self) -> int:
        return self._stack.enter_context(running_server(partial(provider.serve, self.calls)))

    def peer(self, name: str) -> Peer:
        """One of the ``PEERS``.

        Raises:
            Unavailable: without what it needs.
        """
        if name not in self._peers:
            self._peers[name] = self._stack.enter_context(PEERS[name](self.new_folder(), self.origin))
        return self._peers[name]

    def running_gateway(
        self, resolver: Literal["upstream", "store"] = "upstream", workers: int = 1
    ) -> AbstractContextManager[Running]:
        """Another gateway, which fetches from the origin."""
        return running_gateway(
            self.new_folder(),
            ",".join(self.site.hosts.values()),
            more={"SSL_CERT_FILE": str(self.site.certificate)},
            resolver=resolver,
            web_concurrency=str(workers),
            upstream_url=f"http://127.0.0.1:{self._provider}",
            upstream_api_key="a-key-of-the-provider",
            metrics_token="a-token-for-the-benchmark-of-32-bytes",  # noqa: S106 (opens nothing real)
            downloads_per_minute="1000000000",  # counted, and never reached: all come from one address
            streams_per_visitor="1000000000",
        )

    def floor(self, image: Path) -> AbstractContextManager[Running]:
        """Flask alone on the gateway's worker, with one image to send."""
        return running_gateway(
            self.new_folder(), "127.0.0.1:9", app="bench.speed.peers.floor:app", more={"BENCH_IMAGE": str(image)}
        )

    def visit(self, task_id: str, url: str, mode: Literal["redirect", "stream"], link_id: str) -> bytes:
        """The request of a visitor who follows a link, such as the API mints."""
        return get(self._mint(task_id, url, mode=mode, link_id=link_id))

    def ask(self, load: Load, status: int = 200) -> Measured:
        """Put on a load, of which every answer must have this status."""
        return self.load.run(load).check(status)

    def new_folder(self) -> Path:
        """A folder for a server of its own."""
        number = sum(1 for _ in self._folder.iterdir())
        made = self._folder / f"server-{number}"
        made.mkdir()
        return made
