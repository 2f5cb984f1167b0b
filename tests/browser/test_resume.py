"""A browser whose connection to the gateway breaks goes on by itself, and gets the file as it is."""

import hashlib
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Self

import pytest
from playwright.sync_api import Browser

from tests.support.firefox import Firefox, running_firefox
from tests.support.live_gateway import LiveGateway, happens, live_gateway
from tests.support.machine import needs
from tests.support.servers import ScriptedServer, answer

pytestmark = pytest.mark.slow

FILE = b"\x89PNG\r\n\x1a\n" + random.Random(5).randbytes(4 * 2**20)
CUT_AFTER = 2**20
PATIENCE_MS = 20_000


class ClientConnection:
    """The visitor's line to the gateway: it breaks once, and then keeps the visitor waiting until a time.

    Args:
        port: the gateway's.
        until: Unix seconds.

    Attributes:
        may_break: until it is set, the connection does not break.
    """

    def __init__(self, port: int, until: float = 0) -> None:
        self._to, self._until = port, until
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.broke, self.may_break = threading.Event(), threading.Event()
        self.asked: list[str] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                visitor, _ = self._listener.accept()
                gateway = socket.create_connection(("127.0.0.1", self._to))
                threading.Thread(target=self._up, args=(visitor, gateway), daemon=True).start()
                threading.Thread(target=self._down, args=(gateway, visitor), daemon=True).start()

    def _up(self, visitor: socket.socket, gateway: socket.socket) -> None:
        with suppress(OSError):
            while part := visitor.recv(65536):
                if self.broke.is_set():
                    happens(lambda: time.time() > self._until, 10)
                self.asked.append(part.decode("latin-1"))
                gateway.sendall(part)
            gateway.shutdown(socket.SHUT_WR)

    def _down(self, gateway: socket.socket, visitor: socket.socket) -> None:
        passed = 0
        with suppress(OSError), gateway, visitor:
            while part := gateway.recv(65536):
                visitor.sendall(part)
                passed += len(part)
                if passed > CUT_AFTER and not self.broke.is_set() and self.may_break.wait(PATIENCE_MS / 1000):
                    self.broke.set()
                    visitor.shutdown(socket.SHUT_RDWR)
                    return


@pytest.fixture(scope="module")
def files() -> Iterator[ScriptedServer]:
    """Who holds the file."""
    with ScriptedServer() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(files: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    with live_gateway(tmp_path_factory.mktemp("gateway"), files.address) as gateway:
        yield gateway


def downloaded(chromium: Browser, files: ScriptedServer, link: str) -> str:
    """Click a link on somebody's page, and give the hash of what the browser saved."""
    page = f'<a href="{escape(link)}">Download</a>'.encode()
    page_url = files.route("/page", answer(200, page, {"Content-Type": "text/html"}))
    with chromium.new_context() as context:
        context.set_default_timeout(PATIENCE_MS)
        tab = context.new_page()
        tab.goto(page_url)
        with tab.expect_download() as download:
            tab.click("a")
        return sha256(Path(download.value.path()).read_bytes())


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("lifetime_s", [600, 2], ids=["good-link", "expired-meanwhile"])
def test_a_download_whose_connection_breaks_is_gone_on_with_by_the_browser_itself(
    chromium: Browser, gateway: LiveGateway, files: ScriptedServer, lifetime_s: int
) -> None:
    expires_at = int(time.time()) + lifetime_s
    url = files.serve(f"/v/{lifetime_s}.png", FILE, ETag='"v1"')

    with ClientConnection(gateway.port, until=expires_at + 1.1 if lifetime_s < 60 else 0) as line:
        line.may_break.set()
        link = f"http://127.0.0.1:{line.port}{gateway.path(url, lifetime_s=lifetime_s)}"
        assert downloaded(chromium, files, link) == sha256(FILE)

    first, *later = [request for request in line.asked if f"{lifetime_s}.png" in request]
    assert line.broke.is_set()
    assert "Range:" not in first
    assert len(later) == 1
    assert "If-Range:" in later[0]
    assert "Range: bytes=0-" not in later[0]


def saved_by(firefox: Firefox, files: ScriptedServer, link: str, line: ClientConnection) -> str:
    """Click a link in Firefox, press *Retry* when the download breaks off, and give the hash of what was saved."""
    page = f'<a href="{escape(link)}">Download</a>'.encode()
    firefox.click(files.route("/firefox", answer(200, page, {"Content-Type": "text/html"})), "a")
    assert happens(lambda: firefox.download().get("bytes", 0) > 0, PATIENCE_MS / 1000)
    line.may_break.set()  # before it has saved a byte, Firefox begins anew
    assert happens(lambda: firefox.download()["failed"], PATIENCE_MS / 1000)
    firefox.resume()
    assert happens(lambda: firefox.download()["succeeded"], PATIENCE_MS / 1000)
    return sha256(Path(firefox.download()["path"]).read_bytes())


@pytest.mark.parametrize("lifetime_s", [900, 3], ids=["good-link", "expired-meanwhile"])
def test_firefox_resumes_a_download_whose_connection_broke(
    gateway: LiveGateway, files: ScriptedServer, tmp_path: Path, lifetime_s: int
) -> None:
    with running_firefox(needs("firefox-esr"), tmp_path) as firefox:
        expires_at = int(time.time()) + lifetime_s
        url = files.serve(f"/v/firefox-{lifetime_s}.png", FILE, ETag='"v1"')
        with ClientConnection(gateway.port, until=expires_at + 1.1 if lifetime_s < 60 else 0) as line:
            link = f"http://127.0.0.1:{line.port}{gateway.path(url, lifetime_s=lifetime_s)}"
            assert saved_by(firefox, files, link, line) == sha256(FILE)

    first, *later = [request for request in line.asked if f"firefox-{lifetime_s}.png" in request]
    assert "Range:" not in first
    assert "If-Match:" in later[-1]
    assert "If-Range:" not in later[-1]
    assert "Range: bytes=0-" not in later[-1]
