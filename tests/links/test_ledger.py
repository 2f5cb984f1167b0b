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


class TestRevocation:
    def test_a_link_is_not_revoked_until_somebody_does(self, ledger: LimitedLedger) -> None:
        assert not ledger.is_revoked("a")

    def test_a_revoked_link_stays_revoked(self, ledger: LimitedLedger) -> None:
        ledger.revoke("a")
        ledger.revoke("a")
        ledger.limit("a", 5)
        ledger.count("a", "visitor")

        assert ledger.is_revoked("a")

    def test_other_links_are_not_revoked_with_it(self, ledger: LimitedLedger) -> None:
        ledger.revoke("a")

        assert not ledger.is_revoked("A")
        assert not ledger.is_revoked("a-")

    def test_a_revoked_link_is_not_called_used_up(self, ledger: LimitedLedger) -> None:
        ledger.revoke("a")

        assert not ledger.is_used_up("a", "somebody else")


class TestDownloadsLeft:
    def test_a_link_without_a_limit_is_never_used_up(self, ledger: LimitedLedger) -> None:
        for visitor in range(100):
            ledger.count("a", f"visitor {visitor}")

        assert not ledger.is_used_up("a", "somebody else")

    def test_a_link_is_used_up_with_the_last_download_and_not_before(self, ledger: LimitedLedger) -> None:
        ledger.limit("a", 2)

        ledger.count("a", "first visitor")
        assert not ledger.is_used_up("a", "somebody else")

        ledger.count("a", "second visitor")
        assert ledger.is_used_up("a", "somebody else")

    def test_a_visitor_who_comes_back_is_counted_once(self, ledger: LimitedLedger) -> None:
        ledger.limit("a", 2)
        for _ in range(5):
            ledger.count("a", "same visitor")

        assert not ledger.is_used_up("a", "somebody else")

    def test_a_visitor_is_counted_for_each_link(self, ledger: LimitedLedger) -> None:
        ledger.limit("a", 1)
        ledger.limit("b", 1)

        ledger.count("a", "visitor")

        assert ledger.is_used_up("a", "somebody else")
        assert not ledger.is_used_up("b", "somebody else")

    def test_a_link_with_no_downloads_is_used_up_at_once(self, ledger: LimitedLedger) -> None:
        ledger.limit("a", 0)

        assert ledger.is_used_up("a", "somebody else")

    def test_a_used_up_link_stays_used_up_when_more_is_counted(self, ledger: LimitedLedger) -> None:
        ledger.limit("a", 1)
        for visitor in ("first", "second", "third"):
            ledger.count("a", visitor)

        assert ledger.is_used_up("a", "somebody else")

    def test_a_used_up_link_is_not_called_revoked(self, ledger: LimitedLedger) -> None:
        ledger.limit("a", 0)

        assert not ledger.is_revoked("a")


@pytest.mark.parametrize("adapter", ADAPTERS.values(), ids=ADAPTERS)
def test_two_ledgers_share_nothing(adapter: Callable[[], LimitedLedger]) -> None:
    one, other = adapter(), adapter()

    one.revoke("a")

    assert not other.is_revoked("a")


def test_a_ledger_in_memory_keeps_nothing_of_links_without_a_limit() -> None:
    ledger = MemoryLedger()
    ledger.count("a", "visitor")

    ledger.limit("a", 1)

    assert not ledger.is_used_up("a", "somebody else")
