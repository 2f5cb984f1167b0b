"""A stream goes on as long as bytes come. It ends by time without progress, a least rate, or a number of resumes."""

import random
import time

import pytest

from gateway.delivery import resuming_reader
from tests.support.factories import PNG, Gateway
from tests.support.flaky import BIG, STRONG, Flaky, Spoil, beginning, closed, deliver, instead, taken
from tests.support.servers import Request, ScriptedServer, answer

LARGE = BIG[:3_000_000]


def cutting(sizes: random.Random, least: int, most: int) -> Spoil:
    """Cut every answer after so many bytes."""
    return lambda _request, sent: beginning(sent, sizes.randint(least, most))


class Cutting(Flaky):
    """A file of which no answer is whole, unless what is left is short."""

    def __init__(self, body: bytes, spoil: Spoil) -> None:
        super().__init__(body)
        self.spoil = spoil

    def __call__(self, request: Request) -> bytes | None:
        """Answer a request."""
        self.spoils = [self.spoil]
        return super().__call__(request)


@pytest.mark.parametrize("seed", range(30))
def test_a_file_of_which_every_answer_is_cut_after_1_to_600_kb_arrives(
    gateway: Gateway, origin: ScriptedServer, seed: int
) -> None:
    file = Cutting(LARGE, cutting(random.Random(seed), 1_000, 600_000))

    delivered = deliver(gateway, origin.route("/v/large.png", file))

    assert taken(delivered) == (LARGE, True)
    assert delivered.stats.resumes >= len(LARGE) // 600_000 - 1


def test_a_file_of_50_mb_of_which_every_answer_is_cut_after_64_kb_arrives(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    body = (BIG * 9)[:50_000_000]

    def cut(request: Request) -> bytes:
        first = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        byte_range = {"Content-Range": f"bytes {first}-{len(body) - 1}/{len(body)}"} if first else {}
        headers = STRONG | byte_range | {"Content-Length": str(len(body) - first)}
        return answer(206 if first else 200, body[first : first + 64_000], headers)

    delivered = deliver(gateway, origin.route("/v/large.png", cut))

    assert taken(delivered) == (body, True)
    assert delivered.stats.resumes == 50_000_000 // 64_000


def test_any_byte_of_progress_ends_a_row_of_failures(
    gateway: Gateway, origin: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resuming_reader, "FIRST_PAUSE_S", 0.0001)
    cuts = [closed(1), *[instead(answer(500))] * 4] * 5

    delivered = deliver(gateway, origin.route("/v/cat.png", Flaky(PNG, closed(100), *cuts)))

    assert taken(delivered) == (PNG, True)


def test_an_origin_that_is_away_for_a_while_is_waited_for(
    gateway: Gateway, origin: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resuming_reader, "FIRST_PAUSE_S", 0.0001)
    monkeypatch.setattr(resuming_reader, "LONGEST_PAUSE_S", 0.001)

    delivered = deliver(gateway, origin.route("/v/cat.png", Flaky(PNG, closed(5000), *[instead(b"")] * 20)))

    assert taken(delivered) == (PNG, True)


def test_no_byte_for_so_long_is_the_end(
    gateway: Gateway, origin: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resuming_reader, "LONGEST_SILENCE_S", 0.5)
    begun = time.monotonic()

    got, ended = taken(deliver(gateway, origin.route("/v/cat.png", Flaky(PNG, closed(5000), *[instead(b"")] * 999))))

    assert (got, ended) == (PNG[:5000], False)
    assert time.monotonic() - begun < 10


def test_less_than_the_least_rate_is_the_end_however_often_it_begins_anew(
    gateway: Gateway, origin: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resuming_reader, "LONGEST_SILENCE_S", 0.5)
    monkeypatch.setattr(resuming_reader, "FIRST_PAUSE_S", 0.0001)

    def drip(_request: Request, sent: bytes) -> bytes:
        time.sleep(0.1)  # what the origin takes, not what the test waits for
        return beginning(sent, 10)

    file = Flaky(PNG, closed(5000), *[drip] * 99)

    got, ended = taken(deliver(gateway, origin.route("/v/cat.png", file)))

    assert (got, ended) == (PNG[: len(got)], False)
    assert len(file.asked) <= 8


def test_the_number_of_resumes_is_bounded_and_grows_with_what_came(
    gateway: Gateway, origin: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resuming_reader, "FIRST_PAUSE_S", 0.0001)
    file = Flaky(BIG, closed(10 * resuming_reader.BYTES_PER_RESUME), *[closed(1)] * 999)

    got, ended = taken(deliver(gateway, origin.route("/v/big.png", file)))

    assert (got, ended) == (BIG[: len(got)], False)
    assert len(file.asked) == 1 + resuming_reader.MOST_RESUMES + 10
