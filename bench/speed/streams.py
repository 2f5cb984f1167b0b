"""Bytes passed on: one large file, and many small ones, beside others that pass bytes on."""

from collections.abc import Sequence
from functools import partial

from bench.speed.origin import IMAGE, IMAGES, LARGE
from bench.speed.peers import PEERS
from bench.speed.row import OURS, Row, compared, in_turns, verdict
from bench.speed.servers import Unavailable
from bench.speed.stage import Stage
from tests.support.load_generator import Load, Measured, get, p50, p95

AT_ONCE, SECONDS, ROUNDS = 16, 0.5, 7
ASKED = 200
LEAST_LARGE = 0.9
LEAST = {"Flask + requests": 2.5, "FastAPI + httpx": 3.5}
LEAST_STORED = 1.5
AIM_MS = 3.0


def large(stage: Stage) -> list[Row]:
    """A file of 1 GB, over TLS and plain."""
    rows = []
    for scheme in ("tls", "plain"):
        url = stage.origin.url("large.png", scheme)
        nginx = stage.peer("nginx")
        contenders = {
            OURS: partial(_mb_per_second, stage, stage.gateway.port, _ours(stage, url)),
            "nginx": partial(_mb_per_second, stage, nginx.port, nginx.visit(url)),
        }
        named = "TLS" if scheme == "tls" else scheme
        rows.append(
            compared(f"stream 1 GB, {named} origin", in_turns(contenders, ROUNDS), "nginx", "MB/s", LEAST_LARGE)
        )
    return rows


def images(stage: Stage) -> list[Row]:
    """Images of 200 KB, 16 at once."""
    urls = [stage.origin.url(name) for name in IMAGES]
    contenders = {OURS: partial(_per_second, stage, stage.gateway.port, [_ours(stage, url) for url in urls])}
    skipped = []
    case = f"stream {IMAGE // 1000} KB, {AT_ONCE} at once"
    for name in PEERS:
        try:
            peer = stage.peer(name)
        except Unavailable as reason:
            skipped.append(Row(case, peer=name, verdict=f"skipped: {reason}"))
        else:
            contenders[name] = partial(_per_second, stage, peer.port, [peer.visit(url) for url in urls])
    figures = in_turns(contenders, ROUNDS)
    rows = [compared(case, figures, name, "/s", LEAST.get(name, 0)) for name in figures if name != OURS]
    return sorted(rows, key=lambda row: not row.reach) + skipped


def again(stage: Stage) -> list[Row]:
    """One image from the store, beside Flask's ``send_file`` on the same worker."""
    name = IMAGES[0]
    url = stage.origin.url(name)
    with stage.running_gateway("store") as gateway, stage.floor(stage.origin.file(name)) as floor:
        gateway.put_record("task", url)
        contenders = {
            OURS: partial(_per_second, stage, gateway.port, [_ours(stage, url)]),
            "send_file": partial(_per_second, stage, floor.port, [get("/image.png")]),
        }
        figures = in_turns(contenders, ROUNDS)
    return [compared(f"one image from the store, {AT_ONCE} at once", figures, "send_file", "/s", LEAST_STORED)]


def first_byte(stage: Stage) -> list[Row]:
    """The time to the first byte of an image, one visitor at a time, beside asking the origin."""
    name = IMAGES[0]
    here = Load(stage.gateway.port, [_ours(stage, stage.origin.url(name))], count=ASKED)
    there = Load(stage.origin.port, [get(f"/{name}")], count=ASKED)
    ours: list[float] = []
    direct: list[float] = []
    stage.ask(here)
    for _ in range(ROUNDS):
        ours += stage.ask(here).first_byte_s
        direct += stage.ask(there).first_byte_s
    added = p50(ours) - p50(direct)
    told = [f"p50 {p50(times):.2f} ms, p95 {p95(times):.2f} ms" for times in (ours, direct)]
    reach = f"p50 ≤ {AIM_MS:g} ms more"
    return [
        Row(
            "first byte, warm", told[0], f"origin: {told[1]}", f"+{added:.2f} ms", reach, verdict(holds=added <= AIM_MS)
        )
    ]


def _ours(stage: Stage, url: str) -> bytes:
    return stage.visit("task", url, "stream", "link")


def _per_second(stage: Stage, port: int, visits: Sequence[bytes]) -> float:
    return _whole(stage.ask(Load(port, visits, AT_ONCE, seconds=SECONDS)), IMAGE).per_second


def _mb_per_second(stage: Stage, port: int, visit: bytes) -> float:
    return _whole(stage.ask(Load(port, [visit], count=1)), LARGE).mb_per_second


def _whole(measured: Measured, length: int) -> Measured:
    """Let it pass when every body had this length."""
    assert measured.body_bytes >= length * measured.statuses.total()
    return measured
