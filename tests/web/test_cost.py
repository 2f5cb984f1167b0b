"""What a warm redirect costs, counted in calls of Python functions: the same on every machine, however busy."""

import sys
from collections import Counter
from types import FrameType
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder

from tests.support.factories import Gateway, make_settings
from tests.support.real_logs import lines, real_logs
from tests.support.servers import ScriptedServer, envelope

BASELINE = 106  # calls; whoever makes it cheaper lowers it, and whoever raises it says why
TOLERATED = 1.2
PROVIDER_CALL = "/api/v1/gpt4o-image/download-url"
DIRECT_URL = "https://93.184.216.34/cat.png?X-Amz-Signature=abc"  # of a public host, where nobody goes


@pytest.fixture
def redirecting(origin: ScriptedServer, provider: ScriptedServer) -> Gateway:
    """A gateway with everything on that a request can be charged with."""
    provider.route(PROVIDER_CALL, envelope(data=DIRECT_URL))
    return Gateway(
        make_settings(
            origin.address,
            resolver="upstream",
            upstream_url=provider.url(""),
            metrics_token="m" * 32,
            downloads_per_minute="1000",
            trusted_proxies="1",
        )
    )


def answered(gateway: Gateway, environ: dict[str, Any]) -> tuple[str, Counter[str]]:
    """The status of one request, and which functions were called for it."""
    statuses: list[str] = []
    calls: Counter[str] = Counter()

    def start_response(status: str, _headers: object, _error: object = None) -> None:
        statuses.append(status)

    def count(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            calls[f"{frame.f_code.co_qualname} ({frame.f_code.co_filename})"] += 1

    sys.setprofile(count)
    try:
        body = gateway.app(environ, start_response)  # type: ignore[arg-type]  # it has no write()
        for _ in body:
            pass
        body.close()  # type: ignore[attr-defined]  # PEP 3333 has the server call it
    finally:
        sys.setprofile(None)
    return statuses[0], calls


def test_a_warm_redirect_takes_hardly_more_python_calls_than_it_did(
    redirecting: Gateway, origin: ScriptedServer
) -> None:
    link = redirecting.link(origin.url("/v/cat.png"), mode="redirect", link_id="a-link")
    environ: dict[str, Any] = EnvironBuilder(path=link, headers=[("X-Forwarded-For", "198.51.100.7")]).get_environ()

    with real_logs() as written:
        cold, *_, (status, calls) = [answered(redirecting, environ.copy()) for _ in range(3)]

    assert (cold[0], status) == ("302 Found", "302 Found")
    assert [line["outcome"] for line in lines(written)] == ["redirected"] * 3
    assert calls.total() <= BASELINE * TOLERATED, "\n".join(f"{n:3} {name}" for name, n in calls.most_common())
