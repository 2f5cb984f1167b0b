"""Every address and URL that nobody may be led to, by every way in: where the gateway connects."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, quote, urlsplit

from bench.reliability.row import Row
from tests.support.faults.addresses import DANGEROUS, ODD, judged, link_by_hand, plainly, spellings
from tests.support.faults.fault_environment import PUBLIC, SHORT_TIMEOUTS_CONF, FaultEnvironment
from tests.support.faults.names import NameServer
from tests.support.faults.origin import head
from tests.support.faults.provider import envelope
from tests.support.faults.raw_server import ClientConnection
from tests.support.faults.server_process import running_server
from tests.support.faults.visitor import fetch
from tests.support.procfile_gateway import SECRET, running_gateway

REFUSED = {400, 403, 404, 414, 502}
AT_ONCE = 8


def run() -> list[Row]:
    """Try them all."""
    forbidden = [f"https://{plainly(ip_address(address))[0]}/" for address in judged("block")]
    forbidden += [f"http://{host}/latest/meta-data/" for address in DANGEROUS for host in spellings(address)]
    forbidden += ODD
    reachable = [plainly(ip_address(address))[0] for address in judged("allow") if address != PUBLIC]
    with TemporaryDirectory() as made, _ways(Path(made)) as ways, ThreadPoolExecutor(AT_ONCE) as pool:
        log = Path(made) / "refused"
        statuses = [status for way in ways.values() for status in pool.map(way, forbidden)]
        tried = _lines(log)
        list(pool.map(ways["direct URL"], [f"https://{host}/" for host in reachable]))
        seen = _lines(log)[len(tried) :]
    given = len(statuses) - sum(status in REFUSED for status in statuses)
    return [
        Row(
            f"{len(forbidden)} forbidden addresses and URLs by {', '.join(ways)}",
            "0 sockets to a forbidden address, and each visitor told that it cannot be",
            f"{len(tried)} sockets{''.join(f'; {place}' for place in tried[:5])}, {given} answered otherwise",
            not tried and not given,
        ),
        Row(
            f"the same for {len(reachable)} public addresses, to see that a socket would be seen",
            "one socket to each",
            f"{len(set(seen))} places",
            len(set(seen)) == len(reachable),
        ),
    ]


@contextmanager
def _ways(folder: Path) -> Iterator[dict[str, Callable[[str], int]]]:
    """The ways by which a URL comes in: each asks for it, and tells the status of the answer."""
    with ExitStack() as stack:
        public = stack.enter_context(running_server(_lead))
        provider = stack.enter_context(running_server(_point))
        names = stack.enter_context(NameServer())
        names.tell_all_others("127.0.0.1")
        names.tell("cdn.example", PUBLIC)
        surroundings = FaultEnvironment(
            name_server=names.port,
            public=public,
            open_ports=(provider,),
            refused_log=str(folder / "refused"),
        )
        Path(surroundings.refused_log).touch()
        ports = {}
        for resolver in ("origin", "upstream"):
            (folder / resolver).mkdir()
            more = surroundings.environment | {
                "GATEWAY_RESOLVER": resolver,
                "GATEWAY_UPSTREAM_API_KEY": "key",
                "GATEWAY_UPSTREAM_URL": f"http://127.0.0.1:{provider}",
            }
            running = running_gateway(folder / resolver, f"*,127.0.0.1:{public}", config=SHORT_TIMEOUTS_CONF, more=more)
            ports[resolver] = stack.enter_context(running).port
        moved = "http://cdn.example/moved?to={}"
        yield {
            "url=": partial(_status, ports["origin"], "{}"),
            "Location": partial(_status, ports["origin"], moved),
            "direct URL": partial(_status, ports["upstream"], "http://cdn.example/direct?to={}"),
            "Location of the direct URL": partial(_status, ports["upstream"], moved),
        }


def _status(port: int, form: str, url: str) -> int:
    given = url if form == "{}" else form.format(quote(url, safe=""))
    return fetch(port, link_by_hand(SECRET, given)).status


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").splitlines()


def _wanted(url: str) -> str:
    """Where a URL's query wants to lead; empty without one."""
    return parse_qs(urlsplit(url).query, keep_blank_values=True).get("to", [""])[0]


def _lead(line: ClientConnection) -> None:
    """Redirect to where the query says; a path that such a redirect made up does not exist."""
    target = _wanted(line.target).encode().decode("latin-1")
    found = "302 Found" if "?to=" in line.target else "404 Not Found"
    line.say(head(f"Location: {target}", "Content-Length: 0", status=found))


def _point(line: ClientConnection) -> None:
    """Give for the direct URL what the query says, or the URL that was asked for."""
    url = str(json.loads(line.body)["url"])
    line.say(envelope(200, _wanted(url) if "/direct?" in url else url))
