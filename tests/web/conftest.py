"""What every test of the web interface shares."""

import pytest


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry failing origins without the usual pauses."""
    monkeypatch.setattr("gateway.delivery.opening.PAUSES_S", (0.001, 0.001))
