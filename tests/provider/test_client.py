"""Each answer of the provider becomes its own error; what may succeed later is tried again, within one deadline."""

import pytest

from gateway import errors
from gateway.provider.circuit_breaker import FAILURES_IN_A_ROW, CircuitBreaker
from gateway.provider.client import DEADLINE_S, DOWNLOAD_URL, RECORD_INFO, ProviderClient
from gateway.provider.record_info import RecordInfoClient
from gateway.provider.transport import ProviderRequest, ProviderResponse, ProviderSession
from gateway.resolving.upstream_resolver import UpstreamResolver
from tests.support.factories import PROVIDER_KEY, Clock, Gateway
from tests.support.provider_harness import TASK, URL, NoNames, ProviderHarness, reply
from tests.support.servers import ScriptedServer, answer, envelope

DIRECT = "https://bucket.example/x.png"
PAGE = b"<html><h1>Sorry</h1></html>"
# The contract's codes and messages, and what its sibling operations and the network add.
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
RETRIED = (errors.ProviderFailed, errors.ProviderMaintenance)
VISITORS_SEE = {
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
FAILURES = {
    "code-500": envelope(500, "Server exception"),
    "code-550": envelope(550, "Connection denied"),
    "code-455": envelope(455, "maintenance"),
    "status-500": envelope(500, "Server exception", status=500),
    "status-502": reply(PAGE, 502),
    "status-503": reply(PAGE, 503),
    "closed": b"",
    "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
}
REFUSALS = {
    "401": envelope(401),
    "402": envelope(402),
    "404": envelope(404),
    "422": envelope(422, "record is null"),
    "422-other": envelope(422, "anything"),
    "451": envelope(451),
    "no-data": envelope(200, data=None),
    "forbidden-url": envelope(200, data="http://127.0.0.1/"),
    "page": reply(PAGE),
}


@pytest.fixture
def harness(provider: ScriptedServer, clock: Clock) -> ProviderHarness:
    return ProviderHarness(provider, clock)


# --- errors


def test_a_documented_code_is_its_own_error_whether_body_status_or_string(harness: ProviderHarness) -> None:
    for (code, message), error in DOCUMENTED.items():
        forms = (envelope(code, message), envelope(code, message, status=code), envelope(str(code), message))
        assert {type(harness.failure_of(form)) for form in forms} == {error}, (code, message)


def test_a_visitor_gets_a_status_and_a_code_of_each_documented_error(
    upstream_gateway: Gateway, origin: ScriptedServer, provider: ScriptedServer
) -> None:
    # The retried ones make real pauses; after a busy one nothing is asked for a while, so it comes last.
    shown = [(key, error) for key, error in DOCUMENTED.items() if not issubclass(error, RETRIED)]
    for (code, message), error in sorted(shown, key=lambda case: case[1] is errors.ProviderBusy):
        provider.route(DOWNLOAD_URL, envelope(code, message))

        response = upstream_gateway.get(origin.url(f"/v/{code}.png"), task_id=f"task-{len(provider.seen)}")

        status, name = VISITORS_SEE[error]
        assert (response.status_code, response.text.split()[1]) == (status, f"{name}:")
        assert message == "Not Found" or message not in response.text


def test_the_message_of_a_422_is_matched_whole_in_any_case_with_or_without_a_full_stop(
    harness: ProviderHarness,
) -> None:
    for message in ("RECORD IS NULL", " record is null ", "Record is null.", "record is null\n"):
        assert type(harness.failure_of(envelope(422, message))) is errors.RecordNotFound, message
    for other in ("", None, 5, ["record is null"], "record is nullified", "x" * 50_000):
        assert type(harness.failure_of(envelope(422, other))) is errors.ImageRejected, other


def test_without_an_envelope_the_status_decides(harness: ProviderHarness) -> None:
    expected = {
        errors.ProviderUnauthorized: (401, 402, 403),
        errors.ProviderBusy: (429,),
        errors.ImageUnavailable: (451,),
        errors.ProviderMaintenance: (455,),
        errors.ProviderFailed: (500, 502, 503, 504, 520, 599),
        errors.ProviderGarbled: (
            *(201, 204, 206, 301, 302, 303, 304, 307, 308),
            *(400, 404, 405, 413, 415, 418, 422),
        ),
    }
    for error, statuses in expected.items():
        for status in statuses:
            for body in (PAGE, b"", b"{}", b"[]", b'{"code":null}', b'{"code":1.5}'):
                failure = harness.failure_of(reply(body, status, Location="https://elsewhere.example/"))
                assert type(failure) is error, (status, body)


def test_the_code_of_the_envelope_counts_more_than_the_status(harness: ProviderHarness) -> None:
    harness.answer(envelope(200, data=DIRECT, status=500))
    harness.resolve()

    assert type(harness.failure_of(envelope(404, "Not Found", status=200))) is errors.ImageNotFound
    assert type(harness.failure_of(envelope(422, "record is null", status=500))) is errors.RecordNotFound


def test_an_unrouted_path_of_the_provider_is_not_an_image_that_is_not_found(harness: ProviderHarness) -> None:
    spring = {"timestamp": 1774591467687, "status": 404, "error": "Not Found", "message": "No message available"}

    assert type(harness.failure_of(reply({**spring, "path": DOWNLOAD_URL}, 404))) is errors.ProviderGarbled


def test_retry_after_is_passed_on_or_ten_seconds_and_at_most_ten_minutes(harness: ProviderHarness) -> None:
    malformed = ("9" * 400, "", "-5", "1.5", "soon", "\u00b2", "Wed, 21 Oct 2026 07:28:00 GMT")
    table = {"1": 1, "17": 17, "599": 599, "99999": 600, **dict.fromkeys(malformed, 10)}
    for code, error in ((429, errors.ProviderBusy), (455, errors.ProviderMaintenance)):
        for said, seconds in table.items():
            for status in (code, 200):
                body = {"code": code, "msg": "wait", "data": None}
                failure = harness.failure_of(reply(body, status, **{"Retry-After": said}))
                assert (type(failure), failure.headers) == (error, {"Retry-After": str(seconds)}), (status, said)


# --- retries


def test_a_failure_is_retried_twice_after_growing_pauses(harness: ProviderHarness) -> None:
    success = envelope(data=DIRECT)
    for name, failed in FAILURES.items():
        harness.reset()
        harness.answer(failed, success)
        harness.resolve()
        assert (harness.calls, len(harness.pauses)) == (2, 1), name
        assert 0 < harness.pauses[0] <= 0.5, name

        harness.reset()
        harness.answer(failed, failed, success)
        harness.resolve()
        first, second = harness.pauses
        assert harness.calls == 3, name
        assert 0.25 <= first <= 0.5 <= second <= 1, name

        error = harness.failure_of(failed)
        assert isinstance(error, errors.ProviderFailed | errors.ProviderMaintenance | errors.ProviderUnreachable), name
        assert (harness.calls, len(harness.pauses)) == (3, 2), name


def test_the_error_is_that_of_the_last_attempt(harness: ProviderHarness) -> None:
    failure = harness.failure_of(envelope(500), envelope(455), envelope(422, "record is null"))

    assert type(failure) is errors.RecordNotFound


def test_pauses_are_jittered(harness: ProviderHarness) -> None:
    for _ in range(4):
        harness.answer(envelope(500), envelope(data=DIRECT))
        harness.resolve()

    assert len(set(harness.pauses)) == 4


def test_a_refusal_is_not_retried(harness: ProviderHarness) -> None:
    for name, refusal in {**REFUSALS, "429": envelope(429), "http-429": envelope(429, status=429)}.items():
        harness.failure_of(refusal)
        assert (harness.calls, harness.pauses) == (1, []), name


class SlowSession(ProviderSession):
    """A provider that takes its time and then fails, or times out."""

    def __init__(self, clock: Clock, takes_s: float) -> None:
        super().__init__("https://api.example", PROVIDER_KEY, NoNames())
        self.timeouts: list[float] = []
        self._clock = clock
        self._takes_s = takes_s

    def call(self, call: ProviderRequest, *, timeout_s: float) -> ProviderResponse:  # noqa: ARG002
        """Advance the clock."""
        self.timeouts.append(timeout_s)
        self._clock.now += min(self._takes_s, timeout_s)
        if self._takes_s > timeout_s:
            raise errors.ProviderTimeout("too slow")
        return ProviderResponse(500, "", b"")


def test_all_attempts_and_pauses_stay_inside_one_deadline(harness: ProviderHarness) -> None:
    clock = harness.clock
    for takes_s in (0, 0.1, 1, 3, 4.9, 6, 7, 7.9, 8, 14, 60):
        begun, session = clock.now, SlowSession(clock, takes_s)
        provider = ProviderClient(session, CircuitBreaker(clock), clock, harness.pause)
        with pytest.raises((errors.ProviderFailed, errors.ProviderTimeout)):
            UpstreamResolver(provider, harness.client, harness.guard, clock).resolve(TASK, URL)

        assert clock.now - begun <= DEADLINE_S + 0.01, takes_s
        assert 1 <= len(session.timeouts) <= 3, takes_s
        assert all(0 < timeout_s <= DEADLINE_S for timeout_s in session.timeouts), takes_s


# --- the circuit breaker


def test_a_provider_that_keeps_failing_is_not_called_until_the_pause_is_over(harness: ProviderHarness) -> None:
    harness.answer(envelope(500))
    for _ in range(FAILURES_IN_A_ROW):
        harness.failure()
    calls = harness.calls

    error = harness.failure()

    assert isinstance(error, errors.ProviderPaused)
    assert error.status == 503
    assert 0 < error.retry_after_s <= 15
    assert harness.calls == calls

    harness.clock.now += 15
    harness.answer(envelope(data=DIRECT))
    harness.resolve()
    harness.resolve()


def test_only_a_failure_of_the_provider_opens_the_breaker(harness: ProviderHarness) -> None:
    for name, refusal in REFUSALS.items():
        harness.reset()
        harness.answer(refusal)
        failures = [harness.failure() for _ in range(FAILURES_IN_A_ROW * 3)]
        assert not any(isinstance(error, errors.ProviderPaused) for error in failures), name
        assert harness.calls == FAILURES_IN_A_ROW * 3, name


def test_an_answer_between_failures_resets_their_count(harness: ProviderHarness) -> None:
    for answered in (envelope(422, "record is null"), envelope(data=DIRECT)):
        harness.answer(envelope(500))
        for _ in range(FAILURES_IN_A_ROW - 1):
            harness.failure()
        harness.answer(answered)
        try:
            harness.resolve()
        except errors.RecordNotFound:
            continue

    assert not harness.breaker.is_open


# --- Retry-After


def busy(retry_after: str | None) -> bytes:
    return answer(429, b"", {"Retry-After": retry_after} if retry_after else {})


def test_no_file_is_converted_before_the_time_that_a_busy_provider_names(harness: ProviderHarness) -> None:
    for said, seconds in (("20", 20), ("1", 1), (None, 10), ("Wed, 21 Oct 2026 07:28:00 GMT", 10)):
        harness.failure_of(busy(said), envelope(data=DIRECT))
        assert harness.breaker.status is not None
        assert (harness.breaker.status.what, harness.breaker.is_open) == ("limits the rate of calls", False)
        harness.clock.now += seconds - 0.5

        with pytest.raises(errors.ProviderBusy) as refused:
            harness.resolver.resolve("another-task", URL + "x")
        calls = harness.calls
        harness.clock.now += 0.6
        harness.resolve()

        assert (calls, harness.calls) == (1, 2), said
        assert refused.value.headers == {"Retry-After": "1"}, said


def test_the_rate_limit_of_a_tasks_record_holds_for_that_record_only(harness: ProviderHarness) -> None:
    harness.server.route(RECORD_INFO, busy("20"))
    infos = RecordInfoClient(harness.provider, harness.clock)

    for _ in range(3):
        with pytest.raises(errors.ProviderBusy):
            infos.find(TASK)
    calls = harness.calls
    harness.clock.now += 20
    with pytest.raises(errors.ProviderBusy):
        infos.find(TASK)

    assert (calls, harness.calls) == (1, 2)
    harness.answer(envelope(data=DIRECT))
    harness.resolve()


def test_the_status_names_a_refused_key_until_it_is_accepted(harness: ProviderHarness) -> None:
    harness.answer(envelope(401), envelope(data=DIRECT))
    harness.failure()
    refused = harness.breaker.status

    harness.resolve()

    assert refused is not None
    assert refused.what == "rejects the API key"
    assert harness.breaker.status is None


# --- the probe


def test_any_answer_that_shows_that_the_key_and_the_path_are_right_passes_the_probe(harness: ProviderHarness) -> None:
    for passed in (REFUSALS["404"], REFUSALS["422"], REFUSALS["422-other"], REFUSALS["451"], envelope(data=DIRECT)):
        harness.reset()
        harness.answer(passed)
        harness.provider.probe()
        assert harness.calls == 1


def test_any_other_answer_fails_the_probe(harness: ProviderHarness) -> None:
    for failed, error in (
        (envelope(401), errors.ProviderUnauthorized),
        (envelope(402), errors.ProviderUnauthorized),
        (envelope(500), errors.ProviderFailed),
        (envelope(455), errors.ProviderMaintenance),
        (reply(PAGE), errors.ProviderGarbled),
        (reply(PAGE, 404), errors.ProviderGarbled),
        (b"", errors.ProviderUnreachable),
    ):
        harness.reset()
        harness.answer(failed)
        with pytest.raises(error):
            harness.provider.probe()
