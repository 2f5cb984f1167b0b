"""A real Firefox without a window, driven by Marionette: length-prefixed JSON over a local port."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.live_gateway import happens

STARTS_WITHIN_S = 60.0
PREFERENCES = {
    "marionette.port": 0,
    "browser.download.folderList": 2,
    "browser.download.useDownloadDir": True,
    "browser.download.always_ask_before_handling_new_types": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}
_DOWNLOAD = """
const done = arguments[arguments.length - 1];
(async () => {
  const { Downloads } = ChromeUtils.importESModule("resource://gre/modules/Downloads.sys.mjs");
  const [download] = await (await Downloads.getList(Downloads.ALL)).getAll();
  if (arguments[0] && download) download.start().catch(() => {});
  if (!download) return done({});
  const { succeeded, currentBytes, target } = download;
  done({ failed: download.stopped && download.error !== null, succeeded, bytes: currentBytes, path: target.path });
})();
"""


class Firefox:
    """One session of a running Firefox.

    Args:
        connection: to its Marionette port.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._stream = connection.makefile("rwb")
        self._receive()  # its greeting
        self._command("WebDriver:NewSession", capabilities={})

    def click(self, page_url: str, selector: str) -> None:
        """Open a page and click an element of it."""
        self._command("Marionette:SetContext", value="content")
        self._command("WebDriver:Navigate", url=page_url)
        script = "document.querySelector(arguments[0]).click()"
        self._command("WebDriver:ExecuteScript", script=script, args=[selector])
        self._command("Marionette:SetContext", value="chrome")

    def download(self) -> dict[str, Any]:
        """How the one download stands: ``failed``, ``succeeded``, ``bytes`` and ``path``; empty before there is one."""
        return dict(self._command("WebDriver:ExecuteAsyncScript", script=_DOWNLOAD, args=[False])["value"])

    def resume(self) -> None:
        """What the button *Retry* beside a failed download does."""
        self._command("WebDriver:ExecuteAsyncScript", script=_DOWNLOAD, args=[True])

    def quit(self) -> None:
        """End the browser."""
        self._command("Marionette:Quit", flags=["eForceQuit"])

    def _command(self, name: str, **parameters: object) -> Any:
        message = json.dumps([0, 1, name, parameters]).encode()
        self._stream.write(b"%d:%s" % (len(message), message))
        self._stream.flush()
        _, _, error, result = self._receive()
        assert error is None, error
        return result

    def _receive(self) -> Any:
        length = b"".join(iter(lambda: self._stream.read(1), b":"))
        return json.loads(self._stream.read(int(length)))


@contextmanager
def running_firefox(path: str, folder: Path) -> Iterator[Firefox]:
    """Firefox with a profile of its own in a folder, where downloads go too."""
    profile = folder / "profile"
    profile.mkdir()
    preferences = PREFERENCES | {"browser.download.dir": str(folder)}
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in preferences.items()]
    (profile / "user.js").write_text("\n".join(lines), encoding="utf-8")
    port = profile / "MarionetteActivePort"
    command = [
        path,
        "--headless",
        "--marionette",
        "--remote-allow-system-access",
        "--no-remote",
        "--profile",
        str(profile),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            assert happens(lambda: port.exists() and port.read_text(encoding="ascii"), STARTS_WITHIN_S)
            with socket.create_connection(("127.0.0.1", int(port.read_text(encoding="ascii"))), 60) as connection:
                firefox = Firefox(connection)
                yield firefox
                with suppress(OSError, ValueError):
                    firefox.quit()
        finally:
            process.kill()
