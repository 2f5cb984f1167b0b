"""What a key has left: of its minute, of its day, and which of them is told."""

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
def api_rate(quotas: Quotas, clock: Clock) -> ApiRateLimiter:
    return ApiRateLimiter(quotas, clock=clock)


def test_a_key_without_limits_is_told_nothing(api_rate: ApiRateLimiter) -> None:
    allowance = api_rate.spend(Key("shop"))

    allowance.check()
    assert (allowance, allowance.headers) == (RateLimitStatus(), {})


def test_a_minute_has_as_many_calls_as_were_said_and_says_when_there_are_more(
    api_rate: ApiRateLimiter, clock: Clock
) -> None:
    key = Key("shop", per_minute=3)

    spent = [api_rate.spend(key) for _ in range(5)]

    assert [allowance.remaining for allowance in spent] == [2, 1, 0, 0, 0]
    assert [type(allowance.refusal) for allowance in spent[2:]] == [type(None), KeyRateLimited, KeyRateLimited]
    with pytest.raises(KeyRateLimited, match="shop") as refused:
        spent[4].check()
    assert refused.value.headers == {"Retry-After": str(spent[4].reset_s)}
    assert 1 <= spent[4].reset_s <= 60
    clock.now += 2 * 60
    assert api_rate.spend(key).refusal is None


def test_a_day_has_as_many_calls_as_were_said_and_says_when_the_next_begins(
    api_rate: ApiRateLimiter, clock: Clock
) -> None:
    key = Key("shop", per_day=2)

    spent = [api_rate.spend(key) for _ in range(3)]

    assert [allowance.remaining for allowance in spent] == [1, 0, 0]
    assert {allowance.reset_s for allowance in spent} == {DAY_S - 3600}
    with pytest.raises(QuotaExhausted, match="shop") as refused:
        spent[2].check()
    assert refused.value.headers == {"Retry-After": str(DAY_S - 3600)}
    clock.now += DAY_S - 3600
    assert api_rate.spend(key).refusal is None


@pytest.mark.parametrize(
    ("per_minute", "per_day", "limits"), [(3, 5, [3, 3, 3]), (5, 3, [3, 3, 3]), (60, 1000, [60, 60, 60])]
)
def test_whichever_ends_sooner_is_told(
    api_rate: ApiRateLimiter, per_minute: int, per_day: int, limits: list[int]
) -> None:
    key = Key("shop", per_minute=per_minute, per_day=per_day)

    assert [api_rate.spend(key).limit for _ in range(3)] == limits


def test_what_the_minute_refuses_costs_the_day_nothing(api_rate: ApiRateLimiter, clock: Clock) -> None:
    key = Key("shop", per_minute=1, per_day=2)
    assert [api_rate.spend(key).limit for _ in range(10)] == [1] * 10

    clock.now += 2 * 60

    assert api_rate.spend(key).refusal is None
    clock.now += 2 * 60
    assert isinstance(api_rate.spend(key).refusal, QuotaExhausted)


def test_workers_divide_the_minute(quotas: Quotas, clock: Clock) -> None:
    key = Key("shop", per_minute=10)
    workers = [ApiRateLimiter(quotas, 2, clock) for _ in range(2)]

    spent = [api_rate.spend(key) for api_rate in workers for _ in range(10)]

    assert len([allowance for allowance in spent if allowance.refusal is None]) == 10


def test_keys_do_not_share(api_rate: ApiRateLimiter) -> None:
    for name in ("shop", "mail"):
        assert api_rate.spend(Key(name, per_minute=1, per_day=1)).refusal is None
