"""The contract of gateway.links.ledger.Ledger, for every adapter there is."""

from collections.abc import Callable
from typing import Protocol

import pytest

from gateway.links.ledger import Ledger, MemoryLedger


class LimitedLedger(Ledger, Protocol):
    """A ledger that lets the contract say how many downloads a link has."""

    def limit(self, link_id: str, max_downloads: int) -> None:
        """Let a link be used for so many downloads."""


ADAPTERS: dict[str, Callable[[], LimitedLedger]] = {"memory": MemoryLedger}


@pytest.fixture(params=ADAPTERS)
def ledger(request: pytest.FixtureRequest) -> LimitedLedger:
    """An empty ledger."""
    return ADAPTERS[request.param]()


def test_only_a_revoked_link_is_revoked_and_it_stays_so(ledger: LimitedLedger) -> None:
    assert not ledger.is_revoked("a")

    ledger.revoke("a")
    ledger.revoke("a")
    assert not ledger.is_used_up("a", "another visitor")
    ledger.limit("a", 5)
    ledger.count("a", "visitor")

    assert [ledger.is_revoked(link_id) for link_id in ("a", "A", "a-")] == [True, False, False]


def test_a_link_without_a_limit_is_never_used_up(ledger: LimitedLedger) -> None:
    for visitor in range(100):
        ledger.count("a", f"visitor {visitor}")

    assert not ledger.is_used_up("a", "another visitor")


def test_a_link_is_used_up_with_its_last_visitor_and_stays_so(ledger: LimitedLedger) -> None:
    ledger.limit("a", 2)
    for _ in range(5):
        ledger.count("a", "first visitor")
    assert not ledger.is_used_up("a", "another visitor")

    for visitor in ("second visitor", "third visitor"):
        ledger.count("a", visitor)
        assert ledger.is_used_up("a", "another visitor")


def test_visitors_are_counted_per_link(ledger: LimitedLedger) -> None:
    ledger.limit("a", 1)
    ledger.limit("b", 1)

    ledger.count("a", "visitor")

    assert ledger.is_used_up("a", "another visitor")
    assert not ledger.is_used_up("b", "another visitor")


def test_a_link_with_no_downloads_is_used_up_but_not_revoked(ledger: LimitedLedger) -> None:
    ledger.limit("a", 0)

    assert ledger.is_used_up("a", "another visitor")
    assert not ledger.is_revoked("a")


def test_a_ledger_in_memory_keeps_nothing_of_links_without_a_limit_or_of_another_ledger() -> None:
    ledger, other = MemoryLedger(), MemoryLedger()
    ledger.count("a", "visitor")
    other.revoke("a")

    ledger.limit("a", 1)

    assert not ledger.is_used_up("a", "another visitor")
    assert not ledger.is_revoked("a")
