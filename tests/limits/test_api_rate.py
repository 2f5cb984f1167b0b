"""Rate limit and daily quota of API keys."""

from pathlib import Path

import pytest

from gateway.errors import KeyRateLimited, QuotaExhausted
from gateway.keys.key import Key
from gateway.keys.quotas import DAY_S, Quotas
from gateway.limits.api_rate import ApiRateLimiter, RateLimitStatus
from gateway.storage.database import Database
from tests.support.factories import Clock


@pytest.fixture
def quotas(tmp_path: Path, clock: Clock) -> Quotas:
    clock.now = 20_000 * DAY_S + 3600.5
    database = Database(f"sqlite:///{tmp_path}/gateway.db")
    database.migrate()
    return Quotas(database, clock)


@pytest.fixture
def limiter(quotas: Quotas, clock: Clock) -> ApiRateLimiter:
    return ApiRateLimiter(quotas, clock=clock)


def test_a_key_without_limits_gets_no_headers(limiter: ApiRateLimiter) -> None:
    status = limiter.spend(Key("shop"))

    status.check()
    assert (status, status.headers) == (RateLimitStatus(), {})


def test_calls_per_minute_are_limited_and_refusals_carry_retry_after(limiter: ApiRateLimiter, clock: Clock) -> None:
    key = Key("shop", per_minute=3)

    spent = [limiter.spend(key) for _ in range(5)]

    assert [status.remaining for status in spent] == [2, 1, 0, 0, 0]
    assert [type(status.refusal) for status in spent[2:]] == [type(None), KeyRateLimited, KeyRateLimited]
    with pytest.raises(KeyRateLimited, match="shop") as refused:
        spent[4].check()
    assert refused.value.headers == {"Retry-After": str(spent[4].reset_s)}
    assert 1 <= spent[4].reset_s <= 60
    clock.now += 2 * 60
    assert limiter.spend(key).refusal is None


def test_calls_per_day_are_limited_until_midnight(limiter: ApiRateLimiter, clock: Clock) -> None:
    key = Key("shop", per_day=2)

    spent = [limiter.spend(key) for _ in range(3)]

    assert [status.remaining for status in spent] == [1, 0, 0]
    assert {status.reset_s for status in spent} == {DAY_S - 3600}
    with pytest.raises(QuotaExhausted, match="shop") as refused:
        spent[2].check()
    assert refused.value.headers == {"Retry-After": str(DAY_S - 3600)}
    clock.now += DAY_S - 3600
    assert limiter.spend(key).refusal is None


@pytest.mark.parametrize(
    ("per_minute", "per_day", "limits"), [(3, 5, [3, 3, 3]), (5, 3, [3, 3, 3]), (60, 1000, [60, 60, 60])]
)
def test_the_status_is_of_the_limit_with_fewer_calls_left(
    limiter: ApiRateLimiter, per_minute: int, per_day: int, limits: list[int]
) -> None:
    key = Key("shop", per_minute=per_minute, per_day=per_day)

    assert [limiter.spend(key).limit for _ in range(3)] == limits


def test_a_call_over_the_rate_limit_uses_no_quota(limiter: ApiRateLimiter, clock: Clock) -> None:
    key = Key("shop", per_minute=1, per_day=2)
    assert [limiter.spend(key).limit for _ in range(10)] == [1] * 10

    clock.now += 2 * 60

    assert limiter.spend(key).refusal is None
    clock.now += 2 * 60
    assert isinstance(limiter.spend(key).refusal, QuotaExhausted)


def test_workers_divide_the_rate_limit(quotas: Quotas, clock: Clock) -> None:
    key = Key("shop", per_minute=10)
    workers = [ApiRateLimiter(quotas, 2, clock) for _ in range(2)]

    spent = [limiter.spend(key) for limiter in workers for _ in range(10)]

    assert len([status for status in spent if status.refusal is None]) == 10


def test_keys_are_counted_apart(limiter: ApiRateLimiter) -> None:
    for name in ("shop", "mail"):
        assert limiter.spend(Key(name, per_minute=1, per_day=1)).refusal is None
