import json
import random
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from string import Template

import pytest

from tests.support.factories import API_KEY, PNG
from tests.support.live_gateway import free_port, happens, live_gateway
from tests.support.machine import needs
from tests.support.servers import ScriptedServer

pytestmark = pytest.mark.slow

PREFIX = "/images"
LARGE = PNG[:8] + random.Random(7).randbytes(3 * 2**20)
CONFIG = Template("""
daemon off;
master_process off;
pid $folder/nginx.pid;
error_log $folder/error.log;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path $folder/body;
  proxy_temp_path $folder/proxy;
  fastcgi_temp_path $folder/fastcgi;
  uwsgi_temp_path $folder/uwsgi;
  scgi_temp_path $folder/scgi;
  proxy_http_version 1.1;
  proxy_buffering off;
  proxy_set_header Connection "";
  proxy_set_header Host $$http_host;
  proxy_set_header X-Forwarded-For $$proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $$scheme;
  server {
    listen 127.0.0.1:$stripping;
    location $prefix/ { proxy_pass http://127.0.0.1:$gateway/; }
  }
  server {
    listen 127.0.0.1:$keeping;
    location $prefix/ { proxy_pass http://127.0.0.1:$gateway; }
  }
}
""")


@dataclass(frozen=True)
class Site:
    """A gateway as visitors see it: through nginx, below a path.

    Attributes:
        port: nginx's.
        public_url: of the gateway; another port's, perhaps.
        network: visitors come from 127.network.0.0/16, so that those of another site are others.
    """

    port: int
    public_url: str
    network: int

    def ask(
        self, path: str, body: dict[str, object] | None = None, visitor: int = 0, **headers: str
    ) -> tuple[HTTPResponse, bytes]:
        """Ask nginx for a path as one of many visitors, with a JSON body when there is one."""
        named = {"Accept": "text/html"} | {name.replace("_", "-"): value for name, value in headers.items()}
        connection = HTTPConnection(
            "127.0.0.1", self.port, timeout=10, source_address=(f"127.{self.network}.1.{visitor}", 0)
        )
        try:
            connection.request("POST" if body else "GET", path, json.dumps(body) if body else None, named)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def minted(self, url: str, **fields: object) -> str:
        """A link to an image as our API mints it, as a path."""
        order: dict[str, object] = {"taskId": "task12345", "url": url, **fields}
        response, body = self.ask(PREFIX + "/api/v1/links", order, Authorization=f"Bearer {API_KEY}")
        assert response.status == 200, body
        link = str(json.loads(body)["data"]["link"])
        assert link.startswith(self.public_url + "/download/")
        return link.removeprefix(self.public_url.removesuffix(PREFIX))


@contextmanager
def nginx(folder: Path, config: str, port: int) -> Iterator[None]:
    """Run nginx with a configuration, everything it writes in a folder of its own."""
    (folder / "nginx.conf").write_text(config, encoding="utf-8")
    log = folder / "error.log"
    command = [needs("nginx"), "-e", str(log), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with subprocess.Popen(command) as process:
        try:
            assert happens(lambda: listens(port)), log.read_text(encoding="utf-8")
            yield
        finally:
            process.terminate()


def listens(port: int) -> bool:
    """Try to connect."""
    connection = HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.connect()
    except OSError:
        return False
    finally:
        connection.close()
    return True


@pytest.fixture(scope="module")
def ports(files: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """One gateway, and one nginx in front that strips the prefix on its first port and keeps it on its second."""
    needs("nginx")
    folder = tmp_path_factory.mktemp("nginx")
    stripping, keeping = free_port(), free_port()
    settings = {"public_url": public_url(stripping), "trusted_proxies": "1", "downloads_per_minute": "1"}
    with live_gateway(folder, files.address, **settings) as gateway:
        values = {"folder": folder, "prefix": PREFIX, "gateway": gateway.port}
        config = CONFIG.substitute(values, stripping=stripping, keeping=keeping)
        with nginx(folder, config, keeping):
            yield stripping, keeping


@pytest.fixture(params=["prefix-stripped", "prefix-kept"])
def public(request: pytest.FixtureRequest, ports: tuple[int, int]) -> Site:
    """A site on which a visitor may begin one download a minute: each test has visitors of its own."""
    stripping, keeping = ports
    if request.param == "prefix-stripped":
        return Site(stripping, public_url(stripping), network=1)
    return Site(keeping, public_url(stripping), network=2)


def public_url(port: int) -> str:
    """Where visitors reach the gateway."""
    return f"http://127.0.0.1:{port}{PREFIX}"


def test_a_link_minted_by_the_api_downloads_byte_for_byte(public: Site, files: ScriptedServer) -> None:
    path = public.minted(files.serve("/v/large.png", LARGE, ETag='"v1"'), mode="stream", filename="Holiday photo.png")

    response, body = public.ask(path, visitor=1)

    assert response.status == 200
    assert body == LARGE
    assert str(response.getheader("Content-Disposition")).startswith('attachment; filename="Holiday photo.png"')


def test_a_download_goes_on_in_the_middle(public: Site, files: ScriptedServer) -> None:
    path = public.minted(files.serve("/v/part.png", LARGE, ETag='"v1"'), mode="stream")

    response, body = public.ask(path, visitor=2, Range="bytes=1000000-")

    assert response.status == 206
    assert body == LARGE[1_000_000:]


def test_the_origin_url_may_have_any_characters(public: Site, files: ScriptedServer) -> None:
    path = public.minted(files.serve("/v//a%2Fb%20c/%D1%84.png", PNG) + "?a=1&b=%26+c", mode="stream")

    response, body = public.ask(path, visitor=3)

    assert response.status == 200
    assert body == PNG
    assert "/v//a%2Fb%20c/%D1%84.png?a=1&b=%26+c" in {request.target for request in files.seen}


@pytest.mark.parametrize("page", ["/", "/download/task12345", "/download/task12345?sig=forged", "/no/such/page"])
def test_a_page_finds_its_style_and_icon_below_the_prefix(public: Site, page: str) -> None:
    _, html = public.ask(PREFIX + page)

    links = re.findall(r'<link rel="(icon|stylesheet)" href="([^"]+)"', html.decode())
    found = {kind: public.ask(href)[0] for kind, href in links}

    assert {kind: response.status for kind, response in found.items()} == {"icon": 200, "stylesheet": 200}
    assert str(found["stylesheet"].getheader("Content-Type")).startswith("text/css")


def test_every_link_of_a_page_stays_below_the_prefix(public: Site) -> None:
    pages = [public.ask(PREFIX + path)[1].decode() for path in ("/", "/download/task12345", "/no/such/page")]

    hrefs = {href for page in pages for href in re.findall(r'(?:href|src)="([^"]+)"', page)}

    assert hrefs
    assert {href for href in hrefs if not href.startswith(PREFIX + "/")} == set()


def test_the_health_check_answers_below_the_prefix(public: Site) -> None:
    response, body = public.ask(PREFIX + "/healthz")

    assert (response.status, body) == (200, b"ok\n")


def test_visitors_behind_the_proxy_are_counted_one_by_one(public: Site, files: ScriptedServer) -> None:
    paths = [public.minted(files.serve(f"/v/count{number}.png", PNG)) for number in range(3)]

    first, second = (public.ask(path, visitor=4)[0].status for path in paths[:2])
    another = public.ask(paths[2], visitor=5)[0].status

    assert (first, second, another) == (200, 429, 200)


def test_a_visitor_cannot_pass_for_another_by_a_header(public: Site, files: ScriptedServer) -> None:
    paths = [public.minted(files.serve(f"/v/forge{number}.png", PNG)) for number in range(2)]

    first = public.ask(paths[0], visitor=6, X_Forwarded_For="203.0.113.1")[0].status
    second = public.ask(paths[1], visitor=6, X_Forwarded_For="203.0.113.2")[0].status

    assert (first, second) == (200, 429)
