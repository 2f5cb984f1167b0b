"""Stored links: at most ``max_downloads`` complete, whoever asks at once, in whichever worker."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.links.sql_ledger import SqlLedger
from gateway.links.sql_links import KEPT_MS, RESERVATION_MS, RETRIES_MS, SqlLinks
from gateway.links.stored_link import StoredLink
from gateway.storage.database import Database
from tests.support.factories import Clock, make_link

ID = "abcdefghijkl"


@pytest.fixture
def links(database: Database, clock: Clock) -> SqlLinks:
    return SqlLinks(database, clock)


def add(links: SqlLinks, link_id: str = ID, max_downloads: int | None = 1, age_ms: int = 0) -> StoredLink:
    created_at = links.now_ms() - age_ms
    stored = StoredLink(link_id, make_link(id=link_id, expires=None), created_at, created_at + 60_000, max_downloads)
    links.add(stored)
    return stored


def reserve(links: SqlLinks, key: str) -> str:
    download_id = links.reserve(ID, key)
    assert download_id is not None
    return download_id


def test_a_stored_link_is_found_as_it_was_added(links: SqlLinks) -> None:
    stored = add(links)

    assert links.find(ID) == stored
    assert links.find("nobodyhasit2") is None


def test_of_a_hundred_that_reserve_at_once_one_gets_the_last_download(
    links: SqlLinks, open_again: Callable[[], Database], clock: Clock
) -> None:
    add(links)
    workers = [SqlLinks(open_again(), clock) for _ in range(4)]

    with ThreadPoolExecutor(8) as pool:
        reserved = list(pool.map(lambda n: workers[n % 4].reserve(ID, f"key {n}"), range(100)))

    assert len([each for each in reserved if each]) == 1


def test_the_same_key_reserves_the_same_download(links: SqlLinks) -> None:
    add(links)

    assert links.reserve(ID, "a") == links.reserve(ID, "a") is not None
    assert links.reserve(ID, "b") is None


def test_a_download_that_fails_or_never_begins_is_free_again(links: SqlLinks, clock: Clock) -> None:
    add(links)

    links.release(reserve(links, "failed"))
    reserve(links, "forgotten")
    assert links.reserve(ID, "next") is None
    clock.now += RESERVATION_MS / 1000 + 1

    assert links.reserve(ID, "next")


def test_a_download_counts_once_and_its_client_may_repeat_it_for_some_minutes(links: SqlLinks, clock: Clock) -> None:
    add(links)
    download_id = reserve(links, "a")
    links.complete(download_id)
    links.complete(download_id)
    links.release(download_id)

    stored = links.find(ID)
    assert stored is not None
    assert (stored.downloads, stored.downloads_left, stored.state(links.now_ms())) == (1, 0, "used_up")
    assert links.renew(download_id)
    assert links.reserve(ID, "b") is None
    clock.now += RETRIES_MS / 1000 + 1
    assert not links.renew(download_id)


def test_a_running_download_keeps_its_reservation_however_long_it_takes(links: SqlLinks, clock: Clock) -> None:
    add(links)
    ledger = SqlLedger(links, clock)
    download_id = reserve(links, "slow")
    ledger.begin(download_id)

    for _ in range(5):
        clock.now += RESERVATION_MS / 1000 - 1
        ledger.renew_running()
        assert links.reserve(ID, "other") is None
    ledger.count(download_id, "visitor")
    ledger.end(download_id)

    stored = links.find(ID)
    assert stored is not None
    assert stored.downloads == 1


def test_a_link_without_a_limit_is_never_used_up(links: SqlLinks) -> None:
    add(links, max_downloads=None)

    for number in range(20):
        links.complete(reserve(links, str(number)))

    stored = links.find(ID)
    assert stored is not None
    assert (stored.downloads, stored.downloads_left, stored.state(links.now_ms())) == (20, None, "active")


def test_the_links_of_a_task_come_in_pages_the_newest_first(links: SqlLinks) -> None:
    ids = [f"{letter * 12}" for letter in "abcde"]
    for age, link_id in enumerate(ids):
        add(links, link_id, age_ms=1000 * age)

    first = links.of_task("task12345", 2)
    second = links.of_task("task12345", 9, after=first[-1].id)

    assert [each.id for each in first + second] == ids
    assert links.of_task("another", 9) == []


@pytest.mark.parametrize("link_id", [ID, "a-page-link_1"])
def test_a_revocation_is_known_in_every_worker_within_a_second(
    links: SqlLinks, open_again: Callable[[], Database], clock: Clock, link_id: str
) -> None:
    add(links)
    elsewhere = SqlLedger(SqlLinks(open_again(), clock), clock)
    download_id = reserve(links, "a")
    assert not elsewhere.is_revoked(link_id)

    links.revoke(link_id)
    clock.now += 1

    assert elsewhere.is_revoked(link_id)
    assert not elsewhere.is_revoked("another")
    assert elsewhere.is_revoked(download_id) is (link_id == ID)


def test_the_stored_links_of_a_task_are_revoked_together(links: SqlLinks) -> None:
    add(links)
    add(links, "zzzzzzzzzzzz")

    assert links.revoke_task("task12345") == 2
    assert {each.state(links.now_ms()) for each in links.of_task("task12345", 9)} == {"revoked"}


def test_a_link_that_expired_long_ago_is_deleted(links: SqlLinks) -> None:
    add(links, age_ms=KEPT_MS + 61_000)
    add(links, "zzzzzzzzzzzz")

    assert links.delete_expired() == 1
    assert links.find(ID) is None
    assert links.find("zzzzzzzzzzzz") is not None


def test_while_the_database_is_down_known_revocations_stay(clock: Clock) -> None:
    ledger = SqlLedger(SqlLinks(Database("postgres://nobody@127.0.0.1:1/none"), clock), clock)

    assert not ledger.is_revoked("any")
