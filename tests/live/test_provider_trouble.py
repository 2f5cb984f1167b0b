"""A provider in every kind of trouble: what visitors see, what is asked of it, what the log and ``/readyz`` say."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.provider.circuit_breaker import FAILURES_IN_A_ROW
from gateway.provider.client import DOWNLOAD_URL
from tests.support.factories import PNG, PROVIDER_KEY, SECRET
from tests.support.live_gateway import LiveGateway, free_port, happens, live_gateway
from tests.support.servers import Request, Route, ScriptedServer, answer, envelope

pytestmark = pytest.mark.slow

SIGNATURE = "c0ffee5a0b15c0ffee5a0b15"
TOKEN = "a-metrics-token-for-tests-of-32-bytes-or-more"


@dataclass(frozen=True)
class ProviderStatus:
    """One kind of trouble.

    Attributes:
        says: what the provider does when it is asked.
        status, outcome: how a download that needs it ends.
        again_after_s: when the visitor's page asks again; None when it does not.
        ready: what ``/readyz`` says of the provider, its beginning.
        ours: whether the log calls it a fault of ours.
        words: what the visitor reads of whose fault it is.
    """

    says: Route | bytes
    status: int
    outcome: str
    again_after_s: int | None
    words: str
    ready: str = "ok"
    ours: bool = False


PAUSED = "paused after failures"
LEFT_ALONE = "limits the rate of calls since 20"
FAILS = "has a problem"


def paused(why: str) -> str:
    return f"{PAUSED} ({why}) since 20"


TROUBLES = {
    "fails": ProviderStatus(envelope(500, msg=SIGNATURE), 502, "provider_failed", 10, FAILS, ready=paused("fails")),
    "hangs-up": ProviderStatus(
        b"", 502, "provider_unreachable", 10, "cannot be reached", ready=paused("cannot be reached")
    ),
    "rate-limits": ProviderStatus(
        answer(429, SIGNATURE.encode(), {"Retry-After": "25"}), 503, "provider_busy", 25, "busy", ready=LEFT_ALONE
    ),
    "refuses-our-key": ProviderStatus(
        envelope(401, msg=SIGNATURE),
        502,
        "provider_unauthorized",
        None,
        "nothing to do with your link",
        ready="rejects the API key since 20",
        ours=True,
    ),
    "points-inside": ProviderStatus(
        envelope(data=f"http://10.0.0.1/direct?X-Amz-Signature={SIGNATURE}"),
        502,
        "direct_url_refused",
        None,
        "",
        ours=True,
    ),
}


class Patient:
    """A visitor with a browser, who speaks English."""

    def __init__(self, gateway: LiveGateway) -> None:
        self._gateway = gateway
        self.paths: list[str] = []

    def ask(self, url: str, task_id: str) -> tuple[int, dict[str, str], str]:
        """Follow a fresh link; give the status, the headers and the text."""
        self.paths.append(self._gateway.path(url, task_id, link_id="link1"))
        with self._gateway.visit() as connection:
            connection.request("GET", self.paths[-1], headers={"Accept": "text/html", "Referer": self.paths[-1]})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read().decode("latin-1")


@pytest.fixture
def troubled(tmp_path: Path, origin: ScriptedServer, provider: ScriptedServer) -> Iterator[LiveGateway]:
    """A gateway that asks ``provider`` for direct URLs, which lie on ``origin``."""
    with live_gateway(
        tmp_path, origin.address, resolver="upstream", upstream_url=provider.url(""), metrics_token=TOKEN
    ) as gateway:
        yield gateway


def gives(origin: ScriptedServer) -> bytes:
    """What a provider says that is well."""
    return envelope(data=origin.serve("/direct.png", PNG) + f"?X-Amz-Signature={SIGNATURE}")


def readiness(gateway: LiveGateway) -> tuple[int, str]:
    with gateway.visit() as visitor:
        visitor.request("GET", "/readyz")
        response = visitor.getresponse()
        return response.status, json.loads(response.read())["checks"]["provider"]


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_a_provider_that(
    troubled: LiveGateway, provider: ScriptedServer, origin: ScriptedServer, trouble: ProviderStatus
) -> None:
    url = origin.url("/published.png")
    visitor = Patient(troubled)
    provider.route(DOWNLOAD_URL, gives(origin))
    known = visitor.ask(url, "known")
    provider.route(DOWNLOAD_URL, trouble.says)

    # what needs the provider ends in a page with the visitor's next step
    status, headers, text = visitor.ask(url, "task0")
    assert status == trouble.status
    assert happens(lambda: troubled.logged("request")[-1]["outcome"] == trouble.outcome)
    again = headers.get("Refresh", "").partition(";")[0]
    assert again == ("" if trouble.again_after_s is None else str(trouble.again_after_s))
    assert trouble.words in text
    assert bool(troubled.logged("fault")) == trouble.ours

    # it is not asked more often than it can bear
    asked = len(provider.seen)
    visitor.ask(url, "task0")
    assert len(provider.seen) == asked
    with ThreadPoolExecutor(FAILURES_IN_A_ROW) as crowd:
        list(crowd.map(lambda number: visitor.ask(url, f"task{number}"), range(1, FAILURES_IN_A_ROW + 1)))
    asked_by_then = len(provider.seen)
    _, headers, _ = visitor.ask(url, "one-more")
    left_alone = len(provider.seen) == asked_by_then
    assert left_alone == (trouble.ready.startswith((PAUSED, LEFT_ALONE)))
    if left_alone:
        assert 1 <= int(headers["Retry-After"]) <= 25

    # who runs the gateway is told
    ready_status, told = readiness(troubled)
    assert told.startswith(trouble.ready)
    assert ready_status == (503 if trouble.ready.startswith(PAUSED) else 200)

    # what is known goes on being used
    assert visitor.ask(url, "known")[0] == known[0] == 200

    # and nothing secret is told to anybody
    secrets = [SIGNATURE, PROVIDER_KEY, SECRET, TOKEN, "direct.png", "published.png"]
    secrets += [path.rpartition("sig=")[2] for path in visitor.paths]
    assert [secret for secret in secrets if secret in troubled.log_text()] == []
    assert SIGNATURE not in text
    assert PROVIDER_KEY not in text


def test_a_provider_that_nobody_can_reach_at_the_start_is_no_reason_not_to_start(
    tmp_path: Path, origin: ScriptedServer
) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    with live_gateway(tmp_path, origin.address, resolver="upstream", upstream_url=nobody) as gateway:
        before = readiness(gateway)
        visitor = Patient(gateway)
        url = origin.url("/published.png")
        with ThreadPoolExecutor(FAILURES_IN_A_ROW) as crowd:
            statuses = list(crowd.map(lambda number: visitor.ask(url, f"task{number}")[0], range(FAILURES_IN_A_ROW)))
        statuses.append(visitor.ask(url, "one-more")[0])
        after = readiness(gateway)

    assert before == (200, "unknown")
    assert statuses == [502] * FAILURES_IN_A_ROW + [503]
    assert (after[0], after[1][: len(PAUSED)]) == (503, PAUSED)


def test_a_slow_provider_holds_up_only_those_who_need_it(
    troubled: LiveGateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    url, visitor = origin.url("/published.png"), Patient(troubled)
    provider.route(DOWNLOAD_URL, gives(origin))
    visitor.ask(url, "known")
    is_asked, go_on = threading.Event(), threading.Event()
    provider.route(DOWNLOAD_URL, slowly(is_asked, go_on, gives(origin)))

    late: list[int] = []
    waiting = threading.Thread(target=lambda: late.append(Patient(troubled).ask(url, "new")[0]))
    waiting.start()
    assert is_asked.wait(30)
    meanwhile = visitor.ask(url, "known")[0]
    go_on.set()
    waiting.join(30)

    assert (meanwhile, late) == (200, [200])


def slowly(is_asked: threading.Event, go_on: threading.Event, said: bytes) -> Callable[[Request], bytes]:
    def say(_request: Request) -> bytes:
        is_asked.set()
        go_on.wait(10)
        return said

    return say


def test_after_the_trouble_one_call_tries_and_everything_goes_on(
    troubled: LiveGateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    url, visitor = origin.url("/published.png"), Patient(troubled)
    provider.route(DOWNLOAD_URL, answer(429, b"", {"Retry-After": "6"}))
    assert visitor.ask(url, "task0")[0] == 503
    provider.route(DOWNLOAD_URL, gives(origin))
    asked = len(provider.seen)

    assert visitor.ask(url, "task1")[0] == 503
    assert len(provider.seen) == asked
    assert happens(lambda: visitor.ask(url, "task2")[0] == 200)
    assert readiness(troubled) == (200, "ok")
