"""The provider's answers, as documented and as the wire has them: each becomes its own error, or a source."""

import json
import socket
import traceback
from typing import Any

import pytest

from gateway import errors
from gateway.egress.client import Client
from gateway.egress.dns_lookup import Lookup
from gateway.egress.guard import Guard
from gateway.origins.allowlist import HostPattern
from gateway.provider.circuit_breaker import FAILURES_IN_A_ROW, CircuitBreaker
from gateway.provider.client import DEADLINE_S, DOWNLOAD_URL, RECORD_INFO, Provider
from gateway.provider.record_info import RecordInfos
from gateway.provider.transport import Call, ProviderSession, Reply
from gateway.resolving.upstream import DIRECT_URL_LIFE_S, UpstreamResolver, expiry_of
from tests.support.factories import PNG, PROVIDER_KEY, Clock, Gateway
from tests.support.servers import ScriptedServer, answer, envelope

TASK, URL = "task12345", "https://tempfile.aiquickdraw.com/v/xxxxxxx.png"
DIRECT = (
    "https://xxxxxx.xxxxxxxx.r2.cloudflarestorage.com/v/xxxxxxx.png?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Date=20250415T101007Z&X-Amz-SignedHeaders=host&X-Amz-Expires=1200"
    "&X-Amz-Credential=2464206aa3e576aa7c035d889be3a84e%2F20250415%2Fapac%2Fs3%2Faws4_request"
    "&X-Amz-Signature=122ae8bef09110e620841ab2ef8061c1818e754fc201408a9d1c6847b36fd3df"
)
SIGNATURE = DIRECT.rpartition("=")[2]
# The contract's codes and messages, and what its siblings and the wire add.
DOCUMENTED: dict[tuple[int, str], type[errors.ProviderError]] = {
    (401, "Unauthorized"): errors.ProviderUnauthorized,
    (401, "You do not have access permissions"): errors.ProviderUnauthorized,
    (402, "Insufficient credits"): errors.ProviderUnauthorized,
    (404, "Not Found"): errors.ImageNotFound,
    (422, "The request parameters failed validation checks"): errors.ImageRejected,
    (422, "record is null"): errors.RecordNotFound,
    (422, "recordInfo is null"): errors.RecordNotFound,
    (422, "Temporarily supports records within 14 days"): errors.RecordTooOld,
    (422, "record result data is blank"): errors.ResultBlank,
    (422, "record status is not success"): errors.RecordNotReady,
    (422, "record result data not exist"): errors.ResultMissing,
    (422, "record result data is empty"): errors.ResultEmpty,
    (422, "url is wrong"): errors.ImageRejected,
    (422, "Please enter callBackUrl."): errors.ImageRejected,
    (429, "Too Many Requests"): errors.ProviderBusy,
    (451, "Failed to fetch the image. Kindly verify any access limits set by you or your service provider"): (
        errors.ImageUnavailable
    ),
    (455, "Service Unavailable"): errors.ProviderMaintenance,
    (500, "Server exception, please try again later or contact customer service"): errors.ProviderFailed,
    (501, ""): errors.ProviderFailed,
    (505, "Feature disabled"): errors.ProviderFailed,
    (550, "Connection denied"): errors.ProviderFailed,
}
# Asked for again, after real pauses where no test stands in for time.
PATIENT = (errors.ProviderFailed, errors.ProviderMaintenance)
WHAT_VISITORS_SEE = {
    errors.ProviderUnauthorized: (502, "provider_unauthorized"),
    errors.ImageNotFound: (404, "image_not_found"),
    errors.ImageRejected: (404, "image_rejected"),
    errors.RecordNotFound: (404, "record_not_found"),
    errors.RecordTooOld: (410, "record_too_old"),
    errors.ResultBlank: (404, "result_blank"),
    errors.RecordNotReady: (404, "record_not_ready"),
    errors.ResultMissing: (404, "result_missing"),
    errors.ResultEmpty: (404, "result_empty"),
    errors.ProviderBusy: (503, "provider_busy"),
    errors.ImageUnavailable: (451, "image_unavailable"),
}
documented = pytest.mark.parametrize(
    ("code", "message", "error"),
    [(code, message, error) for (code, message), error in DOCUMENTED.items()],
    ids=[f"{code}-{message[:40]}" for code, message in DOCUMENTED],
)


class Nowhere(Lookup):
    """No name has an address here."""

    def __call__(self, host: str, *_asked: object) -> Any:
        """Know nothing."""
        raise socket.gaierror(socket.EAI_NONAME, host)


class Bench:
    """An upstream resolver whose pauses cost no time, and the provider it asks."""

    def __init__(self, provider: ScriptedServer, clock: Clock, client: Client, guard: Guard) -> None:
        self.provider = provider
        self.clock = clock
        self.pauses: list[float] = []
        self.breaker = CircuitBreaker(clock)
        self.session = ProviderSession(provider.url(""), PROVIDER_KEY, Lookup())
        self.asked = Provider(self.session, self.breaker, clock, self.pause)
        self.resolver = UpstreamResolver(self.asked, client, guard, clock)

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.pauses.append(seconds)
        self.clock.now += seconds

    def answer(self, *answers: bytes | None) -> None:
        """Have the provider give these answers one after the other, the last for ever."""
        left = list(answers)
        self.provider.route(DOWNLOAD_URL, lambda _request: (left.pop(0) if len(left) > 1 else left[0]) or b"")

    def resolve(self) -> Any:
        """Ask for the direct URL."""
        return self.resolver.resolve(TASK, URL)

    def failure(self) -> errors.GatewayError:
        """Ask, and give what stood against it."""
        with pytest.raises(errors.GatewayError) as failure:
            self.resolve()
        return failure.value

    @property
    def calls(self) -> int:
        """How often the provider was asked."""
        return len(self.provider.seen)


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard([HostPattern.parse("tempfile.aiquickdraw.com")])


@pytest.fixture(scope="module")
def client(guard: Guard) -> Client:
    return Client(guard, Nowhere())


@pytest.fixture
def bench(provider: ScriptedServer, clock: Clock, client: Client, guard: Guard) -> Bench:
    return Bench(provider, clock, client, guard)


def said(body: object, status: int = 200, **headers: str) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return answer(status, raw, {"Content-Type": "application/json", **headers})


# --- documented answers


@documented
def test_a_documented_code_in_the_body_is_its_own_error(
    bench: Bench, code: int, message: str, error: type[errors.ProviderError]
) -> None:
    bench.answer(envelope(code, message))

    assert type(bench.failure()) is error


@documented
def test_a_documented_code_is_the_same_error_when_it_is_the_status_too(
    bench: Bench, code: int, message: str, error: type[errors.ProviderError]
) -> None:
    bench.answer(envelope(code, message, status=code))

    assert type(bench.failure()) is error


@documented
def test_a_documented_code_is_the_same_error_when_it_is_a_string(
    bench: Bench, code: int, message: str, error: type[errors.ProviderError]
) -> None:
    bench.answer(envelope(str(code), message))

    assert type(bench.failure()) is error


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [(code, message, error) for (code, message), error in DOCUMENTED.items() if not issubclass(error, PATIENT)],
    ids=[f"{code}-{message[:40]}" for (code, message), error in DOCUMENTED.items() if not issubclass(error, PATIENT)],
)
def test_a_visitor_gets_a_status_of_its_own_for_each_documented_code(
    upstream_gateway: Gateway,
    origin: ScriptedServer,
    provider: ScriptedServer,
    code: int,
    message: str,
    error: type[errors.ProviderError],
) -> None:
    provider.route(DOWNLOAD_URL, envelope(code, message))

    response = upstream_gateway.get(origin.url("/v/cat.png"))

    status, name = WHAT_VISITORS_SEE[error]
    assert (response.status_code, response.text.split()[1]) == (status, f"{name}:")
    assert message == "Not Found" or message not in response.text


@pytest.mark.parametrize("message", ["RECORD IS NULL", " record is null ", "Record is null.", "record is null\n"])
def test_a_message_is_known_in_any_case_and_with_a_full_stop(bench: Bench, message: str) -> None:
    bench.answer(envelope(422, message))

    assert type(bench.failure()) is errors.RecordNotFound


@pytest.mark.parametrize("message", ["", None, 5, ["record is null"], "record is nullified", "x" * 50_000])
def test_a_422_with_any_other_message_is_a_rejected_image(bench: Bench, message: object) -> None:
    bench.answer(envelope(422, message))

    assert type(bench.failure()) is errors.ImageRejected


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, errors.ProviderUnauthorized),
        (402, errors.ProviderUnauthorized),
        (403, errors.ProviderUnauthorized),
        (429, errors.ProviderBusy),
        (451, errors.ImageUnavailable),
        (455, errors.ProviderMaintenance),
        (500, errors.ProviderFailed),
        (502, errors.ProviderFailed),
        (503, errors.ProviderFailed),
        (504, errors.ProviderFailed),
        (520, errors.ProviderFailed),
        (599, errors.ProviderFailed),
    ],
)
@pytest.mark.parametrize("body", [b"<html><h1>Sorry</h1></html>", b"", b"{}", b"[]", b'{"code":null}', b'{"code":1.5}'])
def test_without_an_envelope_the_status_tells(
    bench: Bench, status: int, error: type[errors.ProviderError], body: bytes
) -> None:
    bench.answer(said(body, status))

    assert type(bench.failure()) is error


def test_the_envelope_counts_and_not_the_status(bench: Bench) -> None:
    bench.answer(envelope(200, data=DIRECT, status=500))
    bench.resolve()

    bench.answer(envelope(404, "Not Found", status=200))
    assert type(bench.failure()) is errors.ImageNotFound
    bench.answer(envelope(422, "record is null", status=500))
    assert type(bench.failure()) is errors.RecordNotFound


def test_an_unrouted_path_says_nothing_of_the_image(bench: Bench) -> None:
    spring = {"timestamp": 1774591467687, "status": 404, "error": "Not Found", "message": "No message available"}
    bench.answer(said({**spring, "path": DOWNLOAD_URL}, 404))

    assert type(bench.failure()) is errors.ProviderGarbled


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("1", 1),
        ("17", 17),
        ("599", 599),
        ("99999", 600),
        ("9" * 400, 10),
        ("", 10),
        ("-5", 10),
        ("1.5", 10),
        ("soon", 10),
        ("\u00b2", 10),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 10),
    ],
)
@pytest.mark.parametrize(("code", "error"), [(429, errors.ProviderBusy), (455, errors.ProviderMaintenance)])
@pytest.mark.parametrize("status", ["body", "status"])
def test_retry_after_is_passed_on(
    bench: Bench, code: int, error: type[errors.RetryLater], status: str, retry_after: str, seconds: int
) -> None:
    body = {"code": code, "msg": "wait", "data": None}
    bench.answer(said(body, code if status == "status" else 200, **{"Retry-After": retry_after}))

    failure = bench.failure()

    assert isinstance(failure, error)
    assert failure.headers == {"Retry-After": str(seconds)}


# --- success


@pytest.mark.parametrize(
    "body",
    [
        {"code": 200, "msg": "success", "data": DIRECT},
        {"code": "200", "msg": "success", "data": DIRECT},
        {"code": 200.0, "msg": "success", "data": DIRECT},
        {"code": 200, "msg": None, "data": DIRECT},
        {"code": 200, "data": DIRECT},
        {"code": 200, "msg": "success", "data": {"downloadUrl": DIRECT}},
        {"code": 200, "msg": "success", "data": DIRECT, "requestId": "x", "more": [1, {"a": None}]},
        b"\xef\xbb\xbf" + json.dumps({"code": 200, "data": DIRECT}).encode(),
        b" \n" + json.dumps({"code": 200, "data": DIRECT}).encode() + b"\n",
        {"code": 200, "data": DIRECT + "\n"},
        {"code": 200, "data": f"\r\n {DIRECT}\t"},
        {"code": 200, "data": {"downloadUrl": DIRECT + "\n"}},
    ],
    ids=[
        "contract",
        "string-code",
        "float-code",
        "null-msg",
        "no-msg",
        "download-url",
        "more-fields",
        "bom",
        "blanks",
        "data-ends-in-a-newline",
        "data-between-white-space",
        "download-url-ends-in-a-newline",
    ],
)
def test_a_direct_url_is_taken_byte_for_byte(bench: Bench, body: object) -> None:
    bench.answer(said(body))

    source = bench.resolve()

    assert not source.redirect_blocker
    assert source.expires_at == 1744711807 + 1200
    assert source.direct_url("", "") == DIRECT


def test_what_is_asked_is_the_contracts_call(bench: Bench) -> None:
    bench.answer(envelope(data=DIRECT))

    bench.resolve()

    (request,) = bench.provider.seen
    assert (request.method, request.target) == ("POST", "/api/v1/gpt4o-image/download-url")
    assert request.json == {"taskId": TASK, "url": URL}
    assert request.headers["authorization"] == f"Bearer {PROVIDER_KEY}"


def test_the_image_comes_from_the_direct_url(
    upstream_gateway: Gateway, origin: ScriptedServer, provider: ScriptedServer
) -> None:
    direct_url = origin.serve("/direct/cat.png", PNG)
    provider.route(DOWNLOAD_URL, envelope(data=direct_url + "?X-Amz-Signature=5ec7e7"))

    response = upstream_gateway.get(origin.url("/v/cat.png"))

    assert (response.status_code, response.data) == (200, PNG)
    assert [request.target for request in origin.seen] == ["/direct/cat.png?X-Amz-Signature=5ec7e7"]


def test_a_direct_url_that_does_not_say_lives_for_twenty_minutes(bench: Bench) -> None:
    bench.answer(envelope(data="https://bucket.example/x.png"))

    assert bench.resolve().expires_at == bench.clock.now + DIRECT_URL_LIFE_S == bench.clock.now + 1200


# --- answers that are none


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!doctype html><title>Just a moment...</title>",
        b"null",
        b"[]",
        b'["code", 200]',
        b'"success"',
        b"200",
        b"{}",
        b'{"code":200',
        b'{"code":200,"msg":"success"}',
        b'{"code":200,"msg":"success","data":null}',
        b'{"code":200,"msg":"success","data":""}',
        b'{"code":200,"msg":"success","data":5}',
        b'{"code":200,"msg":"success","data":true}',
        b'{"code":200,"msg":"success","data":[]}',
        b'{"code":200,"msg":"success","data":["https://bucket.example/x"]}',
        b'{"code":200,"msg":"success","data":{}}',
        b'{"code":200,"msg":"success","data":{"downloadUrl":null}}',
        b'{"code":200,"msg":"success","data":{"downloadUrl":{"downloadUrl":"https://bucket.example/x"}}}',
        b'{"code":200,"msg":"success","data":{"url":"https://bucket.example/x"}}',
        b'{"code":null,"data":"https://bucket.example/x"}',
        b'{"code":true,"data":"https://bucket.example/x"}',
        b'{"code":"OK","data":"https://bucket.example/x"}',
        b'{"code":"","data":"https://bucket.example/x"}',
        b'{"code":"-200","data":"https://bucket.example/x"}',
        b'{"code":" 200","data":"https://bucket.example/x"}',
        b'{"code":"\\u0662\\u0660\\u0660","data":"https://bucket.example/x"}',
        b'{"code":[200],"data":"https://bucket.example/x"}',
        b'{"code":NaN,"data":"https://bucket.example/x"}',
        b'{"code":Infinity,"data":"https://bucket.example/x"}',
        b'{"code":0,"data":"https://bucket.example/x"}',
        b'{"code":1,"data":"https://bucket.example/x"}',
        b'{"code":-1,"data":"https://bucket.example/x"}',
        b'{"code":201,"data":"https://bucket.example/x"}',
        b'{"code":302,"data":"https://bucket.example/x"}',
        b'{"code":400,"msg":"Bad Request"}',
        b'{"code":600,"msg":"?"}',
        b'{"code":' + b"2" * 400 + b"}",
        b'{"code":' + b"2" * 20_000 + b"}",
        b'{"code":200,"data":"https://bucket.example/\xff\xfe"}',
        b"\xff\xfe\xfd",
        b"\x00" * 100,
        b"[" * 60_000,
        b'{"code":' * 8_000,
        b"x" * 100_000,
    ],
    ids=lambda body: body[:60].decode("latin-1").encode("unicode_escape").decode(),
)
def test_a_success_that_holds_no_direct_url_is_garbled(bench: Bench, body: bytes) -> None:
    bench.answer(said(body))

    assert type(bench.failure()) is errors.ProviderGarbled
    assert bench.calls == 1


@pytest.mark.parametrize("status", [201, 204, 206, 301, 302, 303, 304, 307, 308, 400, 404, 405, 413, 415, 418, 422])
def test_any_other_status_without_an_envelope_is_garbled(bench: Bench, status: int) -> None:
    bench.answer(said(b"<html>", status, Location="https://elsewhere.example/"))

    assert type(bench.failure()) is errors.ProviderGarbled
    assert bench.calls == 1


@pytest.mark.parametrize("code", [200.5, 401.25, 1e300])
def test_a_code_with_a_fraction_is_no_code(bench: Bench, code: float) -> None:
    bench.answer(envelope(code, "record is null", DIRECT))

    assert type(bench.failure()) is errors.ProviderGarbled


# --- direct URLs that are not followed


@pytest.mark.parametrize(
    "direct_url",
    [
        "http://bucket.example/x.png",
        "http://127.0.0.1/x.png",
        "https://127.0.0.1/x.png",
        "https://127.1/x.png",
        "https://2130706433/x.png",
        "https://10.0.0.1/x.png",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/x.png",
        "https://[::ffff:127.0.0.1]/x.png",
        "https://user:password@bucket.example/x.png",
        "https://bucket.example@127.0.0.1/x.png",
        "https://bucket.example:8443/x.png",
        "https://bucket.example:22/x.png",
        "ftp://bucket.example/x.png",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "//bucket.example/x.png",
        "/v/x.png",
        "x.png",
        "https:///x.png",
        "https://bucket.example/x.png\r\nSet-Cookie: a=b",
        "https://bucket.example\\@127.0.0.1/",
        "https://bucket.example/" + "x" * 9000,
        "null",
        "success",
    ],
)
def test_a_direct_url_that_leads_astray_is_refused(bench: Bench, direct_url: str) -> None:
    bench.answer(envelope(data=direct_url))

    failure = bench.failure()

    assert type(failure) is errors.DirectUrlRefused
    assert bench.calls == 1
    assert "example" not in str(failure) + failure.detail


# --- patience

FAILURES = {
    "code-500": envelope(500, "Server exception"),
    "code-550": envelope(550, "Connection denied"),
    "code-455": envelope(455, "maintenance"),
    "status-500": envelope(500, "Server exception", status=500),
    "status-502": said(b"<html>", 502),
    "status-503": said(b"<html>", 503),
    "hang-up": b"",
    "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
}
failing = pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)


@failing
def test_one_failure_is_made_up_for(bench: Bench, failure: bytes) -> None:
    bench.answer(failure, envelope(data=DIRECT))

    bench.resolve()

    assert bench.calls == 2
    assert len(bench.pauses) == 1
    assert 0 < bench.pauses[0] <= 0.5


@failing
def test_two_failures_are_made_up_for_after_a_longer_pause(bench: Bench, failure: bytes) -> None:
    bench.answer(failure, failure, envelope(data=DIRECT))

    bench.resolve()

    first, second = bench.pauses
    assert bench.calls == 3
    assert 0.25 <= first <= 0.5 <= second <= 1


@failing
def test_a_third_failure_is_told(bench: Bench, failure: bytes) -> None:
    bench.answer(failure)

    error = bench.failure()

    assert isinstance(error, errors.ProviderFailed | errors.ProviderMaintenance | errors.ProviderUnreachable)
    assert bench.calls == 3
    assert len(bench.pauses) == 2


def test_the_last_failure_is_the_one_that_is_told(bench: Bench) -> None:
    bench.answer(envelope(500), envelope(455), envelope(422, "record is null"))

    assert type(bench.failure()) is errors.RecordNotFound


def test_pauses_differ_so_that_many_do_not_come_back_together(bench: Bench) -> None:
    for _ in range(4):
        bench.answer(envelope(500), envelope(data=DIRECT))
        bench.resolve()

    assert len(set(bench.pauses)) == 4


@pytest.mark.parametrize(
    "refusal",
    [
        envelope(401),
        envelope(402),
        envelope(404),
        envelope(422, "record is null"),
        envelope(422, "anything"),
        envelope(429),
        envelope(429, status=429),
        envelope(451),
        envelope(200, data=None),
        envelope(200, data="http://127.0.0.1/"),
        said(b"<html>"),
    ],
    ids=["401", "402", "404", "422", "422-other", "429", "http-429", "451", "no-data", "astray", "page"],
)
def test_a_refusal_is_not_asked_for_again(bench: Bench, refusal: bytes) -> None:
    bench.answer(refusal)

    bench.failure()

    assert bench.calls == 1
    assert bench.pauses == []


class SlowSession(ProviderSession):
    """A provider that takes its time and then fails, or is given up."""

    def __init__(self, clock: Clock, takes_s: float) -> None:
        super().__init__("https://api.example", PROVIDER_KEY, Lookup())
        self.given: list[float] = []
        self._clock = clock
        self._takes_s = takes_s

    def call(self, call: Call, *, timeout_s: float) -> Reply:  # noqa: ARG002
        """Let time pass."""
        self.given.append(timeout_s)
        self._clock.now += min(self._takes_s, timeout_s)
        if self._takes_s > timeout_s:
            raise errors.ProviderTimeout("too slow")
        return Reply(500, "", b"")


@pytest.mark.parametrize("takes_s", [0, 0.1, 1, 3, 4.9, 6, 7, 7.9, 8, 14, 60])
def test_all_attempts_and_pauses_stay_inside_one_deadline(
    clock: Clock, client: Client, guard: Guard, takes_s: float
) -> None:
    begun = clock.now
    session = SlowSession(clock, takes_s)

    def pause(seconds: float) -> None:
        clock.now += seconds

    resolver = UpstreamResolver(Provider(session, CircuitBreaker(clock), clock, pause), client, guard, clock)
    with pytest.raises((errors.ProviderFailed, errors.ProviderTimeout)):
        resolver.resolve(TASK, URL)

    assert clock.now - begun <= DEADLINE_S + 0.01
    assert 1 <= len(session.given) <= 3
    assert all(0 < timeout_s <= DEADLINE_S for timeout_s in session.given)


# --- the breaker


def test_a_provider_that_keeps_failing_is_left_alone(bench: Bench) -> None:
    bench.answer(envelope(500))
    for _ in range(FAILURES_IN_A_ROW):
        bench.failure()
    calls = bench.calls

    error = bench.failure()

    assert isinstance(error, errors.ProviderPaused)
    assert error.status == 503
    assert 0 < error.retry_after_s <= 15
    assert bench.calls == calls


def test_it_is_asked_again_after_the_pause(bench: Bench) -> None:
    bench.answer(envelope(500))
    for _ in range(FAILURES_IN_A_ROW):
        bench.failure()
    bench.clock.now += 15
    bench.answer(envelope(data=DIRECT))

    bench.resolve()
    bench.resolve()


@pytest.mark.parametrize(
    "refusal",
    [
        envelope(401),
        envelope(404),
        envelope(422, "record is null"),
        envelope(451),
        said(b"<html>"),
        envelope(200, data=None),
        envelope(200, data="http://127.0.0.1/"),
    ],
    ids=["401", "404", "422", "451", "page", "no-data", "astray"],
)
def test_what_is_not_the_providers_failure_does_not_open_the_breaker(bench: Bench, refusal: bytes) -> None:
    bench.answer(refusal)

    failures = [bench.failure() for _ in range(FAILURES_IN_A_ROW * 3)]

    assert not any(isinstance(error, errors.ProviderPaused) for error in failures)
    assert bench.calls == FAILURES_IN_A_ROW * 3


# --- a provider that says when to come again


def busy(retry_after: str | None) -> bytes:
    return answer(429, b"", {"Retry-After": retry_after} if retry_after else {})


@pytest.mark.parametrize(
    ("retry_after", "left_alone_s"), [("20", 20), ("1", 1), (None, 10), ("Wed, 21 Oct 2026 07:28:00 GMT", 10)]
)
def test_a_provider_whose_rate_is_spent_is_asked_for_no_file_before_it_says(
    bench: Bench, retry_after: str | None, left_alone_s: int
) -> None:
    bench.answer(busy(retry_after), envelope(data=DIRECT))
    bench.failure()
    bench.clock.now += left_alone_s - 0.5

    with pytest.raises(errors.ProviderBusy) as told:
        bench.resolver.resolve("another-task", URL + "x")
    calls = bench.calls
    bench.clock.now += 0.6
    bench.resolve()

    assert (calls, bench.calls) == (1, 2)
    assert told.value.headers == {"Retry-After": "1"}


def test_a_rate_that_is_spent_is_told_and_is_no_failure(bench: Bench) -> None:
    bench.answer(busy("20"))

    bench.failure()

    assert bench.breaker.status is not None
    assert (bench.breaker.status.what, bench.breaker.is_open) == ("asks to be left alone", False)


def test_the_rate_of_one_tasks_record_does_not_stop_conversions(bench: Bench) -> None:
    bench.provider.route(RECORD_INFO, busy("20"))
    bench.answer(envelope(data=DIRECT))

    with pytest.raises(errors.ProviderBusy):
        bench.asked.record_info(TASK)

    bench.resolve()


def test_a_tasks_record_is_not_asked_for_again_before_the_provider_says(bench: Bench) -> None:
    bench.provider.route(RECORD_INFO, busy("20"))
    infos = RecordInfos(bench.asked, bench.clock)

    for _ in range(3):
        with pytest.raises(errors.ProviderBusy):
            infos.find(TASK)
    calls = bench.calls
    bench.clock.now += 20
    with pytest.raises(errors.ProviderBusy):
        infos.find(TASK)

    assert (calls, bench.calls) == (1, 2)


def test_a_key_that_is_refused_is_told_until_it_is_taken(bench: Bench) -> None:
    bench.answer(envelope(401), envelope(data=DIRECT))
    bench.failure()
    refused = bench.breaker.status

    bench.resolve()

    assert refused is not None
    assert refused.what == "refuses our key"
    assert bench.breaker.status is None


def test_an_answer_in_between_begins_the_count_anew(bench: Bench) -> None:
    for said_then in (envelope(422, "record is null"), envelope(data=DIRECT)):
        bench.answer(envelope(500))
        for _ in range(FAILURES_IN_A_ROW - 1):
            bench.failure()
        bench.answer(said_then)
        try:
            bench.resolve()
        except errors.RecordNotFound:
            continue

    assert not bench.breaker.is_open


# --- the probe


@pytest.mark.parametrize(
    "reply",
    [envelope(422, "record is null"), envelope(422, "anything"), envelope(404), envelope(451), envelope(data=DIRECT)],
    ids=["422", "422-other", "404", "451", "200"],
)
def test_a_provider_that_understands_us_passes_the_probe(bench: Bench, reply: bytes) -> None:
    bench.answer(reply)

    bench.asked.probe()

    assert bench.calls == 1


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (envelope(401), errors.ProviderUnauthorized),
        (envelope(402), errors.ProviderUnauthorized),
        (envelope(500), errors.ProviderFailed),
        (envelope(455), errors.ProviderMaintenance),
        (said(b"<html>"), errors.ProviderGarbled),
        (said(b"<html>", 404), errors.ProviderGarbled),
        (b"", errors.ProviderUnreachable),
    ],
    ids=["401", "402", "500", "455", "page", "wrong-path", "hang-up"],
)
def test_a_provider_that_does_not_fails_the_probe(
    bench: Bench, reply: bytes, error: type[errors.ProviderError]
) -> None:
    bench.answer(reply)

    with pytest.raises(error):
        bench.asked.probe()


# --- expiry


@pytest.mark.parametrize(
    ("query", "expiry"),
    [
        ("X-Amz-Date=20250415T101007Z&X-Amz-Expires=1200", 1744711807 + 1200),
        ("X-Amz-Expires=1&X-Amz-Date=19700101T000000Z", 1),
        ("X-Amz-Date=20240229T235959Z&X-Amz-Expires=604800", 1709251199 + 604800),
        ("X-Amz-Date=20250415T101007Z&X-Amz-Expires=0", 1744711807),
        ("X-Amz-Date=99991231T235959Z&X-Amz-Expires=999999", 253402300799 + 999999),
        ("X-Amz-Date=00010101T000000Z&X-Amz-Expires=1", -62135596799),
        ("X-Amz-Date=20250415T101007Z&X-Amz-Expires=1200&X-Amz-Expires=9", 1744711807 + 1200),
        ("X-Amz-Date=20250415T101007Z", None),
        ("X-Amz-Expires=1200", None),
        ("x-amz-date=20250415T101007Z&x-amz-expires=1200", None),
        ("X-Amz-Date=&X-Amz-Expires=1200", None),
        ("X-Amz-Date=20250415T101007Z&X-Amz-Expires=", None),
        ("X-Amz-Date=20250415T101007&X-Amz-Expires=1200", None),
        ("X-Amz-Date=2025-04-15T10:10:07Z&X-Amz-Expires=1200", None),
        ("X-Amz-Date=20250415T101007ZZ&X-Amz-Expires=1200", None),
        ("X-Amz-Date=\u0662\u0660\u0662\u0665\u0660\u0664\u0661\u0665T101007Z&X-Amz-Expires=1200", None),
        ("X-Amz-Date=20250230T101007Z&X-Amz-Expires=1200", None),
        ("X-Amz-Date=20251301T101007Z&X-Amz-Expires=1200", None),
        ("X-Amz-Date=20250415T251007Z&X-Amz-Expires=1200", None),
        ("X-Amz-Date=20250415T101060Z&X-Amz-Expires=1200", None),
        ("X-Amz-Date=20250229T101007Z&X-Amz-Expires=1200", None),
        ("X-Amz-Date=00000000T000000Z&X-Amz-Expires=1200", None),
        ("X-Amz-Date=20250415T101007Z&X-Amz-Expires=-5", None),
        ("X-Amz-Date=20250415T101007Z&X-Amz-Expires=1e3", None),
        ("X-Amz-Date=20250415T101007Z&X-Amz-Expires=+5", None),
        ("X-Amz-Date=20250415T101007Z&X-Amz-Expires=\u0661\u0662", None),
        ("X-Amz-Date=20250415T101007Z&X-Amz-Expires=9999999", None),
        (f"X-Amz-Date=20250415T101007Z&X-Amz-Expires={'9' * 5000}", None),
        ("", None),
    ],
)
def test_the_expiry_is_what_the_url_says_or_nothing(query: str, expiry: float | None) -> None:
    assert expiry_of(f"https://bucket.example/x.png?{query}") == expiry


def test_the_expiry_of_an_escaped_query_is_read_too() -> None:
    assert expiry_of("https://b.example/x?X%2DAmz-Date=20250415T101007%5A&X-Amz-Expires=%31") == 1744711808


# --- secrets


@pytest.mark.parametrize(
    "reply",
    [
        envelope(200, data=DIRECT.replace("https:", "http:")),
        envelope(200, data=DIRECT.replace("https://", "https://user@")),
        envelope(200, data={"url": DIRECT}),
        envelope(422, DIRECT),
        envelope(401, PROVIDER_KEY),
        envelope(999, DIRECT, DIRECT),
        said(f"<html>{DIRECT} {PROVIDER_KEY}".encode()),
        said(f'{{"code":200,"data":"{DIRECT}'.encode()),
        said((DIRECT + PROVIDER_KEY).encode(), 503),
        said(b"x", 302, Location=DIRECT),
        b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + DIRECT.encode(),
        b"",
    ],
    ids=[
        "http",
        "userinfo",
        "elsewhere",
        "in-422",
        "key-in-401",
        "unknown-code",
        "page",
        "half-json",
        "in-503",
        "redirect",
        "cut",
        "hang-up",
    ],
)
def test_no_error_tells_the_key_or_the_direct_url(bench: Bench, reply: bytes) -> None:
    bench.answer(reply)

    failure = bench.failure()

    told = repr(failure) + failure.detail + "".join(traceback.format_exception(failure))
    assert PROVIDER_KEY not in told
    assert SIGNATURE not in told


def test_a_failing_origin_does_not_make_the_direct_url_known(
    upstream_gateway: Gateway, origin: ScriptedServer, provider: ScriptedServer, capfd: pytest.CaptureFixture[str]
) -> None:
    for status in (302, 400, 403, 404, 416, 500, 503):
        path = f"/direct/{status}"
        direct_url = origin.route(path, answer(status, b"secret is 5ec7e7", {"Location": f"{path}?sig=5ec7e7"}))
        provider.route(DOWNLOAD_URL, envelope(data=f"{direct_url}?X-Amz-Signature=5ec7e7"))

        response = upstream_gateway.get(origin.url(f"/v/{status}"))

        assert response.status_code >= 400
        assert "5ec7e7" not in response.text + str(response.headers) + "".join(capfd.readouterr())
