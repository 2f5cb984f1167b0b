"""Before the first byte a failing origin is retried, and a dead direct URL renewed, under one deadline."""

import socket
import threading
import time
from dataclasses import replace

import pytest

from gateway.delivery.exchange import DownloadRequest
from gateway.delivery.opening import DEADLINE_S, FRESH_S
from gateway.errors import OriginBusy, OriginError, OriginFailed, StillPreparing
from gateway.observability.transfer_stats import TransferStats
from tests.support.factories import PNG, Gateway, make_settings
from tests.support.flaky import (
    PROVIDER_CALL,
    STRONG,
    Flaky,
    Spoil,
    closed,
    converted,
    deliver,
    image_url,
    instead,
    stalled,
    taken,
)
from tests.support.servers import ScriptedServer, answer, file_answer, read_request

pytestmark = pytest.mark.usefixtures("short_pauses")


def begun_now(request: DownloadRequest) -> DownloadRequest:
    return replace(request, received_at=time.monotonic(), stats=TransferStats())


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(instead(b""), id="closed"),
        pytest.param(instead(answer(500)), id="500"),
        pytest.param(instead(answer(502)), id="502"),
        pytest.param(closed(0), id="no-byte"),
        pytest.param(closed(10), id="a-few-bytes"),
        pytest.param(stalled(10), id="stalled"),
    ],
)
@pytest.mark.parametrize(
    "ask",
    [DownloadRequest(), DownloadRequest("HEAD"), DownloadRequest(range="bytes=4000-")],
    ids=["get", "head", "range"],
)
def test_an_origin_that_fails_at_first_is_asked_again_at_most_twice(
    gateway: Gateway, origin: ScriptedServer, failure: Spoil, ask: DownloadRequest
) -> None:
    healed = deliver(gateway, origin.route("/v/cat.png", Flaky(PNG, failure)), begun_now(ask))
    healed.body.close()

    failing = Flaky(PNG, *[failure] * 99)
    with pytest.raises(OriginError):
        deliver(gateway, origin.route("/v/dog.png", failing), begun_now(ask))

    assert healed.status == (206 if ask.range else 200)
    assert len(failing.asked) <= 9  # one that cannot take a range is tried without


def test_an_origin_that_is_just_starting_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
        gateway = Gateway(make_settings(address))
        pauses: list[float] = []

        def listen(pause_s: float) -> None:
            pauses.append(pause_s)
            reserved.listen()
            threading.Thread(target=answer_once, args=(reserved,), daemon=True).start()

        monkeypatch.setattr("gateway.delivery.opening.time.sleep", listen)
        delivered = deliver(gateway, f"http://{address}/v/cat.png")
        monkeypatch.undo()

        assert taken(delivered) == (PNG, True)
        assert len(pauses) == 1


def answer_once(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        request = read_request(connection)
        if request is not None:
            connection.sendall(file_answer(request, PNG, STRONG))


@pytest.mark.parametrize("status", [429, 503])
def test_an_origin_that_says_it_is_busy_is_left_alone(gateway: Gateway, origin: ScriptedServer, status: int) -> None:
    file = Flaky(PNG, instead(answer(status)))

    with pytest.raises(OriginBusy):
        deliver(gateway, origin.route("/v/cat.png", file))

    assert len(file.asked) == 1


def test_nobody_waits_for_an_origin_longer_than_a_router_does(gateway: Gateway, origin: ScriptedServer) -> None:
    file = Flaky(PNG, instead(answer(500)))

    with pytest.raises(OriginFailed):
        deliver(
            gateway,
            origin.route("/v/cat.png", file),
            DownloadRequest(received_at=time.monotonic() - DEADLINE_S),
        )

    assert len(file.asked) == 1


def test_a_renewal_before_the_first_byte_ends_before_a_router_gives_up(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    converted(provider, origin.route("/direct/1.png", answer(403)), origin.serve("/direct/2.png", PNG))
    url = image_url(origin)
    source = upstream_gateway.services.resolver.resolve("task12345", url)
    source.made_at -= FRESH_S
    provider.route(PROVIDER_CALL, lambda request: stalled(0)(request, b"\r\n\r\n"))

    with pytest.raises(StillPreparing):
        deliver(upstream_gateway, url, DownloadRequest(received_at=time.monotonic() - DEADLINE_S + 0.2))


def test_a_direct_url_that_lived_for_a_moment_only_is_renewed(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    converted(provider, origin.serve("/direct/1.png", PNG), origin.serve("/direct/2.png", PNG))
    deliver(upstream_gateway, image_url(origin)).body.close()
    origin.route("/direct/1.png", answer(403))

    assert taken(deliver(upstream_gateway, image_url(origin))) == (PNG, True)
    assert len(provider.seen) == 2
