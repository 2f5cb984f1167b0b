"""A day's calls: never more than there are, and every one of them, however many workers share them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from gateway.errors import DatabaseDown
from gateway.keys.quotas import DAY_S, MAX_BLOCK, Quotas
from gateway.storage.database import Database
from gateway.storage.tables import quotas as table
from tests.support.databases import statements
from tests.support.factories import Clock
from tests.support.live_gateway import happens


def spent(quotas: Quotas, most: int, name: str = "shop") -> int:
    """Spend until nothing is left; how many that were."""
    number = 0
    while quotas.spend(name, most) is not None:
        number += 1
        assert number <= most
    return number


@pytest.fixture
def quotas(database: Database, clock: Clock) -> Quotas:
    return Quotas(database, clock)


def test_each_key_has_exactly_its_calls_per_day(quotas: Quotas) -> None:
    for most in (1, 2, 49, 50, 51, 99, 120, 149, 1000):
        name = f"shop-{most}"
        assert spent(quotas, most, name) == most
        assert quotas.spend(name, most) is None


def test_several_workers_together_spend_exactly_the_calls_of_a_day(
    open_again: Callable[[], Database], clock: Clock
) -> None:
    workers = [Quotas(open_again(), clock) for _ in range(3)]
    for most in (7, 149, 1001):
        spend_all = partial(spend_in_turn, workers, most)
        with ThreadPoolExecutor(12) as pool:
            assert sum(pool.map(spend_all, range(12))) == most


def spend_in_turn(workers: list[Quotas], most: int, number: int) -> int:
    return spent(workers[number % len(workers)], most, f"shop-{most}")


def test_the_last_block_is_as_large_as_what_is_left(open_again: Callable[[], Database], clock: Clock) -> None:
    one, other = Quotas(open_again(), clock), Quotas(open_again(), clock)
    most = 149  # blocks of two, and one call over
    for _ in range(most - 2):
        one.spend("shop", most)

    assert [other.spend("shop", most), other.spend("shop", most)] == [0, None]
    assert [one.spend("shop", most), one.spend("shop", most)] == [1, None]


def test_spend_returns_the_calls_that_are_left(quotas: Quotas) -> None:
    assert [quotas.spend("shop", 150) for _ in range(150)] == list(range(149, -1, -1))


def test_at_midnight_utc_a_new_day_begins(quotas: Quotas, clock: Clock) -> None:
    clock.now = 20_000.0 * DAY_S - 1
    assert (spent(quotas, 120), quotas.reset_s()) == (120, 1)

    clock.now += 1

    assert (spent(quotas, 120), quotas.reset_s()) == (120, DAY_S)


def test_what_was_left_of_yesterday_is_not_todays(quotas: Quotas, clock: Clock) -> None:
    quotas.spend("shop", 1000)

    clock.now += DAY_S

    assert spent(quotas, 1000) == 1000


def test_a_block_is_asked_for_once_and_then_spent_from_memory(quotas: Quotas, database: Database) -> None:
    quotas.spend("shop", 1000)

    with statements(database) as sent:
        for _ in range(19):
            quotas.spend("shop", 1000)
        within = len(sent)
        quotas.spend("shop", 1000)

    assert within == 0
    assert [statement.split()[0] for statement in sent if "quotas" in statement] == ["INSERT"]


def test_of_many_at_once_one_asks_for_a_block_and_the_others_wait_for_it(
    quotas: Quotas, database: Database, open_again: Callable[[], Database], clock: Clock
) -> None:
    row = {"name": "shop", "day": int(clock.now // DAY_S), "leased": 0}

    with ThreadPoolExecutor(8) as crowd, statements(database) as sent:
        with open_again().write_transaction() as connection:  # nobody gets a block before this ends
            connection.execute(table.insert().values(row))
            spending = [crowd.submit(quotas.spend, "shop", 1000) for _ in range(8)]
            assert not happens(lambda: len(asks(sent)) > 1, within_s=0.3)
        left = [each.result() for each in spending]

    assert len(asks(sent)) == 1
    assert set(left) == set(range(992, 1000))


def test_nobody_waits_in_turn_for_a_database_that_hangs(
    quotas: Quotas, open_again: Callable[[], Database], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.keys.quotas.LOCK_TIMEOUT_S", 0.1)
    row = {"name": "shop", "day": int(clock.now // DAY_S), "leased": 0}

    with ThreadPoolExecutor(4) as crowd:
        with open_again().write_transaction() as connection:
            connection.execute(table.insert().values(row))
            spending = [crowd.submit(quotas.spend, "shop", 1000) for _ in range(4)]
            assert happens(lambda: [each.done() for each in spending].count(True) == 3, within_s=1)
        refused = [each for each in spending if each.exception()]

    assert len(refused) == 3
    assert {type(each.exception()) for each in refused} == {DatabaseDown}


def asks(sent: list[str]) -> list[str]:
    """The statements that ask for a block; in SQLite they are sent when the transaction has its lock."""
    return [statement for statement in sent if "quotas" in statement]


def test_a_day_that_is_used_up_is_not_asked_for_again(quotas: Quotas, database: Database) -> None:
    spent(quotas, 1000)

    with statements(database) as sent:
        assert quotas.spend("shop", 1000) is None

    assert sent == []


def test_a_worker_that_ends_takes_one_block_with_it_at_most(database: Database, clock: Clock) -> None:
    for _ in range(3):
        Quotas(database, clock).spend("shop", 1000)
    Quotas(database, clock).spend("busy", 30_000)

    assert spent(Quotas(database, clock), 1000) == 1000 - 3 * 20
    assert spent(Quotas(database, clock), 30_000, "busy") == 30_000 - MAX_BLOCK


def test_past_days_are_forgotten_and_today_is_not(quotas: Quotas, database: Database, clock: Clock) -> None:
    clock.now = 20_000 * DAY_S
    for _ in range(3):
        spent(quotas, 2)
        clock.now += DAY_S

    assert quotas.delete_before(20_002) == 2

    with database.read_transaction() as connection:
        assert connection.scalars(table.select().with_only_columns(table.c.day)).all() == [20_002]
    clock.now = 20_002 * DAY_S
    assert spent(Quotas(database, clock), 2) == 0


def test_without_the_database_what_was_leased_is_spent_and_then_it_is_said(tmp_path: Path, clock: Clock) -> None:
    database = Database(f"sqlite:///{tmp_path}/gateway.db")
    database.migrate()
    quotas = Quotas(database, clock)
    quotas.spend("shop", 100)
    database.engine.dispose()
    for path in tmp_path.glob("gateway.db*"):
        path.unlink()

    assert quotas.spend("shop", 100) == 98
    for _ in range(2):
        with pytest.raises(DatabaseDown):
            quotas.spend("shop", 100)
