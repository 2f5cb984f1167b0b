"""The table of bad providers: each by name, with what it does and what a visitor may see of it."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.faults.origin import UNREACHABLE
from tests.support.faults.raw_server import Act, ClientConnection

GARBLED = "502 provider_garbled"
PAUSED = "503 provider_paused"
RETRY_AFTER_S = 7
_BOMB = gzip.compress(b'"' + bytes(100_000_000))


@dataclass(frozen=True, slots=True)
class BadProvider:
    """One way of misbehaving.

    Attributes:
        what: what it does, in a few words.
        act: does it.
        expected: the status and code that a visitor sees.
        pauses: whether it is soon left alone, so that ``503 provider_paused`` may be seen instead.
    """

    what: str
    act: Act
    expected: str
    pauses: bool = False

    def holds(self, outcome: str) -> bool:
        """Tell whether an outcome was expected."""
        return outcome == self.expected or (self.pauses and outcome == PAUSED)


BUSY = "503 provider_busy"  # which holds for every file
PROVIDERS: dict[str, BadProvider] = {}


def serve(line: ClientConnection) -> None:
    """Act as the first part of the path in the asked URL says, or give that URL for the direct URL."""
    url = str(json.loads(line.body)["url"])
    name = url.split("/")[3]
    PROVIDERS[name].act(line) if name in PROVIDERS else line.say(envelope(200, url))


def _bad(expected: str, *, pauses: bool = False) -> Callable[[Act], Act]:
    """Put a function into the table: its name with dashes is the provider's, its docstring tells what it does."""

    def enter(act: Act) -> Act:
        what = (act.__doc__ or "").strip().removesuffix(".")
        PROVIDERS[act.__name__.replace("_", "-")] = BadProvider(what, act, expected, pauses)
        return act

    return enter


def envelope(code: int, data: object, *more: str) -> bytes:
    """An answer of the contract, with further header lines."""
    body = json.dumps({"code": code, "msg": "said so", "data": data}).encode()
    return _answer("200 OK", f"Content-Length: {len(body)}", *more) + body


def _answer(status: str, *lines: str) -> bytes:
    head = (f"HTTP/1.1 {status}", "Content-Type: application/json", "Connection: close", *lines, "", "")
    return "\r\n".join(head).encode()


@_bad("502 provider_unreachable", pauses=True)
def down(line: ClientConnection) -> None:
    """Hangs up on every call."""


@_bad("504 provider_timeout", pauses=True)
def silent(line: ClientConnection) -> None:
    """Takes the call and says nothing."""
    line.hold()


@_bad("504 provider_timeout", pauses=True)
def dripping(line: ClientConnection) -> None:
    """Answers byte by byte."""
    line.drip(envelope(200, "x" * 1000))


@_bad("502 provider_failed", pauses=True)
def failing(line: ClientConnection) -> None:
    """Answers 500."""
    line.say(_answer("500 No", "Content-Length: 0"))


@_bad(GARBLED)
def garbage(line: ClientConnection) -> None:
    """Answers with a page for people."""
    line.say(_answer("200 OK", "Content-Length: 15"), b"<html>Welcome!!")


@_bad(GARBLED)
def endless(line: ClientConnection) -> None:
    """Answers without end."""
    line.say(_answer("200 OK"), b'{"code": 200, "data": "')
    line.flood(b"x" * 65536)


@_bad(GARBLED)
def bomb(line: ClientConnection) -> None:
    """Answers with a compressed bomb."""
    line.say(_answer("200 OK", "Content-Encoding: gzip", f"Content-Length: {len(_BOMB)}"), _BOMB)


@_bad(GARBLED)
def wrong_type(line: ClientConnection) -> None:
    """Gives a number for the direct URL."""
    line.say(envelope(200, 5))


@_bad(GARBLED)
def redirecting(line: ClientConnection) -> None:
    """Sends us elsewhere, where our key would be read."""
    line.say(_answer("307 Elsewhere", f"Location: http://{line.address}/", "Content-Length: 0"))


@_bad(BUSY, pauses=True)
def rate_limiting(line: ClientConnection) -> None:
    """Says that there were too many calls."""
    line.say(envelope(429, None, f"Retry-After: {RETRY_AFTER_S}"))


@_bad("502 provider_unauthorized")
def wrong_key(line: ClientConnection) -> None:
    """Does not know our key."""
    line.say(envelope(401, None))


@_bad("502 direct_url_refused")
def pointing_inside(line: ClientConnection) -> None:
    """Gives a direct URL inside the gateway's network."""
    line.say(envelope(200, "http://169.254.169.254/latest/meta-data/"))


@_bad("502 origin_refused")
def dead_direct_url(line: ClientConnection) -> None:
    """Gives a direct URL that has expired."""
    line.say(envelope(200, str(json.loads(line.body)["url"]).replace("/dead-direct-url/", "/expired/")))


@_bad(UNREACHABLE)
def unreachable_direct_url(line: ClientConnection) -> None:
    """Gives a direct URL at which nobody listens."""
    line.say(envelope(200, "https://nobody.example/cat.png"))
