"""The table of hostile origins: each by name, with what it does and what a visitor may see of it."""

import gzip
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count

from tests.support.faults.raw_server import Act, ClientConnection

IMAGE = b"\x89PNG\r\n\x1a\n" + random.Random(7).randbytes(200_000)
MOST_BYTES = 24 * 2**20  # the limit of the gateway that these are tried on; more than it may ever hold of a file
_ENDLESS = (IMAGE + bytes(MOST_BYTES))[:MOST_BYTES]  # not a byte more is passed on
BOMB = gzip.compress(IMAGE + bytes(100_000_000), mtime=0)  # the same in every process
_TWICE = 2 * IMAGE  # of which only the half comes
_BLOCK = bytes(64 * 1024)
_numbers = count()

FAILED = "502 origin_failed"
TIMEOUT = "504 origin_timeout"
UNSAFE = "502 origin_unsafe"
NOT_ALLOWED = "403 origin_not_allowed"
TOO_LARGE = "502 file_too_large"
UNREACHABLE = "502 origin_unreachable"
WHOLE = "whole"
CUT = "cut"


@dataclass(frozen=True, slots=True)
class Fault:
    """One way of misbehaving.

    Attributes:
        what: what it does, in a few words.
        act: does it.
        expected: what a visitor may see: ``whole``, ``cut``, or a status with a code.
        right: the bytes that are ``whole``, and of which a ``cut`` transfer is the beginning.
        ask: further headers of the visitor's request.
        host: what the URL names; empty for the server's own address.
    """

    name: str
    what: str
    act: Act
    expected: frozenset[str]
    right: bytes = field(default=IMAGE, repr=False)
    ask: Mapping[str, str] = field(default_factory=dict)
    host: str = ""

    def url(self, address: str) -> str:
        """The URL to ask the gateway for, when the server is at ``address``."""
        return f"http://{self.host or address}/{self.name}/cat.png"

    def holds(self, outcome: str) -> bool:
        """Tell whether an outcome was expected; a transfer that is cut may as well be mended."""
        return outcome in self.expected or (outcome == WHOLE and CUT in self.expected)


ORIGINS: dict[str, Fault] = {}


def serve(line: ClientConnection) -> None:
    """Act as ``/<name>…`` says, or serve ``/small.png`` or, anywhere else, the image, as an origin should."""
    name = line.path.strip("/").partition("/")[0]
    if name == "small.png":
        line.say(head("Content-Length: 10000"), IMAGE[:10_000])
    else:
        ORIGINS[name].act(line) if name in ORIGINS else _image(line)


def head(*lines: str, status: str = "200 OK") -> bytes:
    """The beginning of an answer, as far as its empty line."""
    return "\r\n".join((f"HTTP/1.1 {status}", "Content-Type: image/png", "Connection: close", *lines, "", "")).encode(
        "latin-1"
    )


def chunks(*parts: bytes) -> bytes:
    """A body in chunks, without its end."""
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)


def _image(line: ClientConnection) -> None:
    first, last = 0, len(IMAGE) - 1
    if span := line.headers.get("range", "").removeprefix("bytes="):
        asked = span.partition("-")
        first, last = int(asked[0]), min(last, int(asked[2] or last))
        line.say(_part(first, last), IMAGE[first : last + 1])
    else:
        line.say(head(f"Content-Length: {len(IMAGE)}", 'ETag: "1"', "Accept-Ranges: bytes"), IMAGE)


def _part(first: int, last: int, length: int = len(IMAGE)) -> bytes:
    return head(
        f"Content-Range: bytes {first}-{last}/{length}",
        f"Content-Length: {last - first + 1}",
        'ETag: "1"',
        status="206 Partial Content",
    )


def _moved(line: ClientConnection, target: str, *more: str) -> bytes:
    return head(f"Location: {target.replace('ADDRESS', line.address)}", *more, status="302 Found")


def _enter(entry: Fault) -> None:
    ORIGINS[entry.name] = entry


def fault(
    *expected: str, right: bytes = IMAGE, host: str = ""
) -> Callable[[Callable[[ClientConnection], None]], Callable[[ClientConnection], None]]:
    """Put a function into the table: its name with dashes is the fault's, its docstring tells what it does."""

    def enter(act: Callable[[ClientConnection], None]) -> Callable[[ClientConnection], None]:
        what = (act.__doc__ or "").strip().removesuffix(".")
        _enter(Fault(act.__name__.replace("_", "-"), what, act, frozenset(expected), right, host=host))
        return act

    return enter


def _saying(name: str, what: str, said: bytes, *expected: str, right: bytes = IMAGE) -> None:
    """Put an origin into the table that says just these bytes, and closes."""
    _enter(Fault(name, what, lambda line: line.say(said), frozenset(expected), right))


# --- headers that do not come


@fault(TIMEOUT)
def silence(line: ClientConnection) -> None:
    """Takes the request and says nothing."""
    line.hold()


@fault(TIMEOUT)
def slow_headers(line: ClientConnection) -> None:
    """A header line now and then, and never the last."""
    line.say(b"HTTP/1.1 200 OK\r\n")
    line.repeat(b"X: y\r\n", 0.1)


@fault(TIMEOUT)
def dripping_headers(line: ClientConnection) -> None:
    """The headers byte by byte."""
    line.drip(head(f"X: {'y' * 1000}"))


@fault(TIMEOUT)
def slow_interim_responses(line: ClientConnection) -> None:
    """An interim response now and then."""
    line.repeat(b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.4)


@fault(FAILED)
def endless_100(line: ClientConnection) -> None:
    """100 Continue for ever."""
    line.flood(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)


@fault(FAILED)
def endless_103(line: ClientConnection) -> None:
    """103 Early Hints for ever."""
    line.flood(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 1000)


@fault(FAILED)
def endless_headers(line: ClientConnection) -> None:
    """Header lines for ever."""
    line.say(b"HTTP/1.1 200 OK\r\n")
    line.flood(b"X: y\r\n" * 1000)


@fault(FAILED)
def endless_interim_headers(line: ClientConnection) -> None:
    """Header lines of an interim response for ever."""
    line.say(b"HTTP/1.1 100 Continue\r\n")
    line.flood(b"X: y\r\n" * 1000)


@fault(FAILED)
def endless_header_line(line: ClientConnection) -> None:
    """One header line for ever."""
    line.say(b"HTTP/1.1 200 OK\r\nX: ")
    line.flood(b"y" * 65536)


@fault(FAILED)
def endless_status_line(line: ClientConnection) -> None:
    """A status line for ever."""
    line.flood(b"x" * 65536)


@fault(FAILED)
def hanging_up(line: ClientConnection) -> None:
    """Closes without a word."""


@fault(FAILED)
def resetting(line: ClientConnection) -> None:
    """Resets the connection without a word."""
    line.reset()


_saying("not-http", "speaks another protocol", b"SSH-2.0-OpenSSH_9.2\r\n", FAILED)
_saying("cut-headers", "closes amid the headers", head("Content-Length: 5")[:-4], FAILED)

# --- lengths that lie

_saying("huge-length", "promises more than is passed on", head(f"Content-Length: {2**50}") + IMAGE, TOO_LARGE)
_saying(
    "absurd-length",
    "a length of four thousand digits",
    head("Content-Length: " + "9" * 4000) + IMAGE,
    TOO_LARGE,
    FAILED,
)
_saying("length-too-long", "promises more than it sends", head(f"Content-Length: {2 * len(IMAGE)}") + IMAGE, CUT)
_saying(
    "length-too-short", "sends more than it promises", head("Content-Length: 5000") + IMAGE, WHOLE, right=IMAGE[:5000]
)
_saying("two-lengths", "two lengths that differ", head("Content-Length: 10", "Content-Length: 20") + IMAGE, FAILED)
_saying("negative-length", "a length below nothing", head("Content-Length: -1") + IMAGE, FAILED)
_saying("length-in-words", "a length in words", head("Content-Length: many") + IMAGE, FAILED)
_saying("length-with-a-unit", "a length that begins as a number", head("Content-Length: 400000x") + IMAGE, FAILED)
_saying("empty-length", "a length without a digit", head("Content-Length:") + IMAGE, FAILED)
_saying("nul-in-a-header", "NUL in a header's value", head(f"Content-Length: {len(IMAGE)}", "X: a\0b") + IMAGE, FAILED)
_saying(
    "length-and-chunks",
    "a length and chunks, as for smuggling",
    head("Content-Length: 5", "Transfer-Encoding: chunked") + chunks(IMAGE) + b"0\r\n\r\n",
    WHOLE,
    FAILED,
)


@fault(CUT, right=_ENDLESS)
def endless_body(line: ClientConnection) -> None:
    """No length, and bytes for ever."""
    line.say(head(), IMAGE)
    line.flood(_BLOCK)


@fault(CUT, right=_ENDLESS)
def endless_chunks(line: ClientConnection) -> None:
    """Chunks for ever."""
    line.say(head("Transfer-Encoding: chunked"), chunks(IMAGE))
    line.flood(chunks(_BLOCK))


# --- bodies that break off or drip


@fault(CUT)
def reset_amid_the_body(line: ClientConnection) -> None:
    """Resets the connection in the middle."""
    line.say(head(f"Content-Length: {len(IMAGE)}"), IMAGE[: len(IMAGE) // 2])
    line.reset()


@fault(CUT)
def stalling(line: ClientConnection) -> None:
    """Stops in the middle and keeps the connection."""
    line.say(head(f"Content-Length: {len(IMAGE)}"), IMAGE[: len(IMAGE) // 2])
    line.hold()


@fault(CUT)
def dripping_body(line: ClientConnection) -> None:
    """The second half byte by byte."""
    line.say(head(f"Content-Length: {len(IMAGE)}"), IMAGE[: len(IMAGE) // 2])
    line.drip(IMAGE[len(IMAGE) // 2 :])


@fault(TIMEOUT, FAILED)
def dripping_beginning(line: ClientConnection) -> None:
    """The body byte by byte from its first."""
    line.say(head(f"Content-Length: {len(IMAGE)}"))
    line.drip(IMAGE, every_s=0.1)


@fault(CUT)
def another_file_under_a_weak_tag(line: ClientConnection) -> None:
    """Breaks off, and then has another file of the same length under the same weak tag."""
    weak = 'ETag: W/"7"'
    if asked := line.headers.get("range", "").removeprefix("bytes="):
        first = int(asked.partition("-")[0])
        part = f"Content-Range: bytes {first}-{len(IMAGE) - 1}/{len(IMAGE)}", f"Content-Length: {len(IMAGE) - first}"
        line.say(head(*part, weak, status="206 Partial Content"), IMAGE[::-1][first:])
    else:
        line.say(head(f"Content-Length: {len(IMAGE)}", weak, "Accept-Ranges: bytes"), IMAGE[: len(IMAGE) // 2])


@fault(WHOLE)
def cutting_every_answer(line: ClientConnection) -> None:
    """Breaks off after 20 KB, again and again, under a strong tag."""
    first = int(line.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
    length = f"Content-Length: {len(IMAGE)}", 'ETag: "1"', "Accept-Ranges: bytes"
    line.say(_part(first, len(IMAGE) - 1) if first else head(*length), IMAGE[first : first + 20_000])


# --- chunks that are none

_CHUNKED = head("Transfer-Encoding: chunked")
_saying("cut-chunks", "ends after a chunk", _CHUNKED + chunks(IMAGE), CUT, right=_TWICE)
_saying("cut-chunk", "ends amid a chunk", _CHUNKED + b"fffff\r\n" + IMAGE, CUT, right=_TWICE)
_saying("chunk-size-zz", "a chunk's size that is no number", _CHUNKED + chunks(IMAGE) + b"zz\r\n", CUT, right=_TWICE)
_saying(
    "chunk-size-0x",
    "a chunk's size with a prefix",
    _CHUNKED + chunks(IMAGE) + b"0x5\r\nhello\r\n0\r\n\r\n",
    CUT,
    right=_TWICE,
)
_saying(
    "chunk-size-negative",
    "a chunk's size below nothing",
    _CHUNKED + chunks(IMAGE) + b"-5\r\nhello\r\n",
    CUT,
    right=_TWICE,
)
_saying(
    "chunk-size-huge",
    "a chunk's size beyond all memory",
    _CHUNKED + chunks(IMAGE) + b"f" * 16 + b"\r\nhello",
    CUT,
    right=IMAGE + b"hello" + IMAGE,
)
_saying(
    "chunk-size-bare-lf",
    "a line feed alone after a chunk's size",
    _CHUNKED + chunks(IMAGE) + b"5\nhello\r\n0\r\n\r\n",
    CUT,
    right=_TWICE,
)
_saying("trailer-bare-lf", "a line feed alone after a trailer", _CHUNKED + chunks(IMAGE) + b"0\r\nX: y\n\r\n", CUT)
_saying("chunk-without-end", "no line end after a chunk", _CHUNKED + b"5\r\nhelloXX0\r\n\r\n", FAILED)
_saying("gzip-transfer-coding", "a transfer coding nobody asked for", head("Transfer-Encoding: gzip, chunked"), FAILED)


@fault(CUT, right=_TWICE)
def endless_chunk_size(line: ClientConnection) -> None:
    """A chunk's size line for ever."""
    line.say(_CHUNKED, chunks(IMAGE))
    line.flood(b"0" * 65536)


@fault(CUT, right=_TWICE)
def endless_chunk_extension(line: ClientConnection) -> None:
    """A chunk's extension for ever."""
    line.say(_CHUNKED, chunks(IMAGE), b"5;x=")
    line.flood(b"y" * 65536)


@fault(CUT)
def endless_trailers(line: ClientConnection) -> None:
    """Trailers for ever."""
    line.say(_CHUNKED, chunks(IMAGE), b"0\r\n")
    line.flood(b"X: y\r\n" * 1000)


# --- bombs

_BOMBED = f"Content-Length: {len(BOMB)}"
_saying("bomb", "a compressed bomb", head("Content-Encoding: gzip", _BOMBED) + BOMB, CUT, right=_ENDLESS)
_saying("double-bomb", "a bomb compressed twice", head("Content-Encoding: gzip, gzip", _BOMBED) + BOMB, FAILED)
_saying("unknown-coding", "a coding that does not exist", head("Content-Encoding: x-own") + IMAGE, WHOLE)
_saying("undecoded-coding", "a coding that is not decoded", head("Content-Encoding: compress", _BOMBED) + BOMB, FAILED)
_saying("not-in-its-coding", "a coding that the bytes are not in", head("Content-Encoding: gzip") + IMAGE, FAILED)

# --- answers to another question

_saying("unasked-206", "a part that nobody asked for", _part(0, 99) + IMAGE[:100], FAILED)
_saying("unasked-304", "304 to a request without a condition", head(status="304 Not Modified"), FAILED)
_saying("unasked-101", "switches to another protocol", head("Upgrade: x", status="101 Switching Protocols"), FAILED)
_saying("unasked-204", "no content", head(status="204 No Content"), FAILED)
_saying("status-999", "a status that does not exist", head("Content-Length: 2", status="999 Yes") + b"ok", FAILED)


def _wrong_part(name: str, what: str, answer: Callable[[int, int], bytes]) -> None:
    """Put an origin into the table that answers the first bytes rightly, and any later part wrongly."""

    def act(line: ClientConnection) -> None:
        first, _, last = line.headers.get("range", "").removeprefix("bytes=").partition("-")
        if first in {"", "0"}:
            _image(line)
        else:
            line.say(answer(int(first), int(last or len(IMAGE) - 1)))

    _enter(Fault(name, what, act, frozenset({FAILED}), IMAGE[100:200], {"Range": "bytes=100-199"}))


_wrong_part(
    "206-of-elsewhere", "another part than was asked for", lambda a, b: _part(a + 1, b + 1) + IMAGE[a + 1 : b + 2]
)
_wrong_part("206-too-long", "a part that is longer than asked for", lambda a, b: _part(a, b + 9) + IMAGE[a : b + 10])
_wrong_part(
    "206-beyond-the-end", "a part that ends beyond the file", lambda a, b: _part(a, b, b - 5) + IMAGE[a : b + 1]
)
_wrong_part("206-backwards", "a part whose end is before its beginning", lambda a, b: _part(b, a) + IMAGE[a : b + 1])
_wrong_part("206-of-nothing", "a part that does not say which", lambda a, b: head(status="206 X") + IMAGE[a : b + 1])
_wrong_part("416-to-a-good-range", "says that there is no such part", lambda _a, _b: head(status="416 No"))

_saying(
    "expired",
    "403, as a presigned URL after its time",
    head("Content-Length: 0", status="403 No"),
    "502 origin_refused",
)

# --- redirects


@fault(FAILED)
def redirect_loop(line: ClientConnection) -> None:
    """Redirects to itself."""
    line.say(_moved(line, line.target, "Content-Length: 0"))


@fault(FAILED)
def redirect_chain(line: ClientConnection) -> None:
    """Redirects to somewhere new each time."""
    line.say(_moved(line, f"/redirect-chain/{next(_numbers)}", "Content-Length: 0"))


@fault(WHOLE)
def redirect_with_an_endless_body(line: ClientConnection) -> None:
    """A redirect whose body never ends."""
    line.say(_moved(line, "http://ADDRESS/image.png", "Content-Length: 99999999999"))
    line.flood(_BLOCK)


@fault(WHOLE)
def redirect_with_a_bomb(line: ClientConnection) -> None:
    """A redirect whose body is a bomb."""
    line.say(_moved(line, "http://ADDRESS/image.png", "Content-Encoding: gzip", _BOMBED), BOMB)


@fault(UNSAFE)
def redirect_inside(line: ClientConnection) -> None:
    """A redirect to an address of the cloud's own."""
    line.say(_moved(line, "http://169.254.169.254/latest/meta-data/", "Content-Length: 0"))


@fault(UNSAFE)
def redirect_to_another_port(line: ClientConnection) -> None:
    """A redirect to a service next door."""
    line.say(_moved(line, "http://127.0.0.1:6379/", "Content-Length: 0"))


@fault(UNSAFE)
def redirect_to_a_file(line: ClientConnection) -> None:
    """A redirect to a file of the gateway's machine."""
    line.say(_moved(line, "file:///etc/passwd", "Content-Length: 0"))


@fault(UNSAFE)
def redirect_to_http(line: ClientConnection) -> None:
    """A redirect to plain http at the address in the query, or at a port that is closed to us."""
    line.say(
        _moved(line, f"http://{line.target.partition('?to=')[2] or '127.0.0.1:80'}/image.png", "Content-Length: 0")
    )


@fault(FAILED)
def redirect_to_nowhere(line: ClientConnection) -> None:
    """A redirect to what is no URL."""
    line.say(_moved(line, "http://[::1", "Content-Length: 0"))


@fault(UNSAFE, host="cdn.example")
def redirect_from_public_to_private(line: ClientConnection) -> None:
    """A public host redirects to a private one, although that is listed."""
    line.say(_moved(line, "http://ADDRESS/image.png", "Content-Length: 0"))


# --- names


def _named(name: str, what: str, host: str, *expected: str) -> None:
    """Put a well-behaved origin into the table whose name is the trouble."""
    _enter(Fault(name, what, _image, frozenset(expected), host=host))


_named("mixed-answer", "a name at a public and a private address", "mixed.example", UNSAFE)
_named("mixed-families", "a name at a public IPv4 and a private IPv6 address", "mixed6.example", UNSAFE)
_named("private-answer", "a public name at a private address", "inside.example", UNSAFE)
_named("flipping-name", "a name that moves inside after the first lookup", "flip.example", WHOLE)
_named("late-name", "a name that is told late", "late.example", WHOLE)
_named("dead-name", "a name that is never told", "dead.example", UNREACHABLE)
_named("name-of-nobody", "a name that does not exist", "nobody.example", UNREACHABLE)
_named("single-label", "a name without a dot, which only the platform could tell", "metadata", NOT_ALLOWED)
