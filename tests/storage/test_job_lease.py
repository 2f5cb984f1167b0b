"""Chores: due once, done by one."""

from concurrent.futures import ThreadPoolExecutor

from gateway.storage.database import Database
from gateway.storage.job_lease import JobLease
from tests.support.factories import Clock


def test_a_job_is_leased_once_until_it_is_due_again(database: Database) -> None:
    clock = Clock()
    lease = JobLease(database, clock)

    turns = [lease.acquire("sweep", 3600), lease.acquire("sweep", 3600), lease.acquire("other", 3600)]
    clock.now += 3601
    turns.append(lease.acquire("sweep", 3600))

    assert turns == [True, False, True, True]


def test_a_released_job_is_due_again(database: Database) -> None:
    clock = Clock()
    lease = JobLease(database, clock)

    assert lease.acquire("sweep", 3600)
    lease.release("sweep")

    assert lease.acquire("sweep", 3600)


def test_only_one_of_many_workers_leases_a_job(database: Database) -> None:
    clock = Clock()
    workers = [JobLease(database, clock) for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        turns = list(pool.map(lambda worker: worker.acquire("sweep", 3600), workers * 5))

    assert turns.count(True) == 1
